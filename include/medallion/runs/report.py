"""A run as the Jobs API tells it, from Airflow's task instances. Pure; runs wherever runs are shown."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.runs import ids
from medallion.runs.notes import Notes, read_notes
from medallion.runs.records import Records
from medallion.runs.shape import Shape, shape_of_job
from medallion.runs.snapshot import ENDED, Snapshot, millis, past
from medallion.runs.states import Cause, LifeCycle, Result, State, leaves_of, run_state
from medallion.runs.task_report import TaskReport, TaskTeller, blamed, state_json, task_of
from medallion.runs.termination import Details, run_details

if TYPE_CHECKING:
    from medallion.spec.job import Job

LOST = "lost_tasks"
"""Key, in what the notes tell of a part of a repaired run, of the tasks that the next part's job had no more."""


@dataclass(frozen=True, slots=True)
class RunReport:
    """A run and its tasks in the job's order.

    :param start_time: of the run, its repairs included: it starts once.
    :param termination: why it ended.
    :param repair_history: the first part of the run and its repairs (Jobs API, `repair_history`); empty without repairs.
    """

    job: str
    run_id: int
    airflow_run_id: str
    state: State
    start_time: int = 0
    end_time: int = 0
    tasks: tuple[TaskReport, ...] = field(default=())
    termination: Details | None = None
    repair_history: tuple[Mapping[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "job": self.job,
            "run_id": self.run_id,
            "airflow_run_id": self.airflow_run_id,
            **state_json(self.state, self.termination),
            "start_time": self.start_time,
            "end_time": self.end_time,
            "tasks": [task.to_json() for task in self.tasks],
            "repair_history": list(self.repair_history),
        }


def report(job: Job | Shape, snapshot: Snapshot, home: Path | None = None) -> RunReport:
    """The run as the Jobs API tells it. Tasks of ours (cluster start, gates) are not shown.

    :param job: the job, or what is known of it where its definition is gone.
    :param home: where the records of attempts are; without it a time-out is told by how long a failed task took.
    """
    shape = job if isinstance(job, Shape) else shape_of_job(job)
    notes = read_notes(home, snapshot.dag_id, snapshot.run_id) if home else {}
    told: Mapping[str, Any] = notes.get("termination") or {}
    # The one setting of a job that reaches runs that go on; see `runs.time_limits`.
    limit = float(notes.get("timeout_seconds", shape.limit))
    late = snapshot.state == "failed" and (
        past(limit, snapshot.start, snapshot.end) or told.get("result") == Result.TIMEDOUT
    )
    teller = TaskTeller(shape, snapshot, Records(home, snapshot.dag_id, snapshot.run_id), late)
    tasks = teller.tasks()
    results = {task.task_key: task.state.result for task in tasks}
    if late and not snapshot.canceled:
        # What the run's time-out left undone is CANCELED; a person's cancel of a leaf would make the run so too.
        undone = {Result.CANCELED, Result.UPSTREAM_CANCELED}
        results = {key: Result.FAILED if result in undone else result for key, result in results.items()}
    cause = Cause(timed_out=late, canceled=snapshot.canceled)
    state = run_state(snapshot.state, results, leaves_of(teller.edges), cause)
    if told.get("code") == "MAX_CONCURRENT_RUNS_EXCEEDED" and state.ended:
        state = State(LifeCycle.SKIPPED, Result.MAXIMUM_CONCURRENT_RUNS_REACHED)
    failed = [(task.task_key, str((task.failure or {}).get("message", ""))) for task in tasks if blamed(task)]
    first = notes.get("original") or {}
    ended = millis(snapshot.end) if snapshot.state in ENDED else 0
    return RunReport(
        job=shape.name or snapshot.dag_id,
        run_id=ids.run_id(snapshot.dag_id, snapshot.run_id),
        airflow_run_id=snapshot.run_id,
        state=state,
        start_time=int(first.get("start_time") or millis(snapshot.start)),
        end_time=ended,
        tasks=(*tasks, *tasks_of_earlier_parts(notes, results)),
        termination=run_details(state.result, failed, told),
        repair_history=repair_history(notes, state, snapshot, ended),
    )


def tasks_of_earlier_parts(notes: Notes, known: Collection[str]) -> tuple[TaskReport, ...]:
    """The tasks that a repaired run had and that its job has lost since: as they ended. They decide nothing any more."""
    parts = [notes.get("original") or {}, *(notes.get("repairs") or ())]
    lost = {raw["task_key"]: task_of(raw) for part in parts for raw in part.get(LOST) or ()}
    return tuple(task for key, task in lost.items() if key not in known)


def repair_history(notes: Notes, state: State, snapshot: Snapshot, ended: int) -> tuple[Mapping[str, Any], ...]:
    """The parts of a repaired run; the latest is told from what the run is now."""
    repairs = [dict(item) for item in notes.get("repairs") or ()]
    if not repairs:
        return ()
    result = str(state.result) if state.result else None
    original = {name: value for name, value in (notes.get("original") or {}).items() if name != LOST}
    repairs = [{name: value for name, value in item.items() if name != LOST} for item in repairs]
    latest = repairs[-1]
    latest.update(start_time=millis(snapshot.start) or latest.get("start_time", 0), end_time=ended, result_state=result)
    latest["life_cycle_state"] = str(state.life_cycle)
    return ({"type": "ORIGINAL", **original}, *({"type": "REPAIR", **item} for item in repairs))

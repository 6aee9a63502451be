"""The record of a run's repairs, in its notes. Runs in the API server, in a run's own process and in the scheduler.

`original` tells of the run before its first repair, `repairs` of each repair: id, tasks, parameters, who, when, start, end,
result. What the latest one came to is written when it ends, and until then told from the run itself.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.core.moments import Moment
from medallion.runs import ids
from medallion.runs.notes import Notes, change_notes, read_notes
from medallion.runs.report import LOST

if TYPE_CHECKING:
    from medallion.runs.report import RunReport

OF_ONE_PART = ("canceled", "canceled_tasks", "termination", "timeout_seconds")
"""Notes that tell of a part of the run, not of the whole: they go into its entry when the next part begins."""

REPAIRED = "repaired"
"""Key of a run's notes: the moment at which its latest repair was asked for, for limits that count from it."""


@dataclass(frozen=True, slots=True)
class Repair:
    """One repair.

    :param id: the Jobs API's `repair_id`.
    :param tasks: keys of the tasks that ran again.
    :param parameters: job parameters that the repair was given.
    :param via: what it was asked with: `medallion` or `airflow`, whose own clear is a repair too.
    :param clear_number: how often Airflow had cleared the run, this time included.
    :param start_time: epoch milliseconds, of when it was asked for.
    """

    id: int
    tasks: tuple[str, ...]
    who: str
    start_time: int
    clear_number: int
    via: str = "medallion"
    parameters: Mapping[str, str] = field(default_factory=dict)
    end_time: int = 0
    result_state: str | None = None


def begin(
    home: Path,
    before: RunReport,
    dag_id: str,
    *,
    tasks: Collection[str],
    who: str,
    clear_number: int,
    given: Mapping[str, str],
    version: str | None = None,
    keys: Collection[str] | None = None,
    **more: Any,
) -> Repair:
    """Note a repair, and what the run had come to before it.

    :param before: the run as it was.
    :param given: the job parameters that the run has been given.
    :param version: of the job that the run had before it.
    :param keys: of the tasks that the job has now; None: those that the run had.
    :param more: further fields of the repair.
    """
    made: list[Repair] = []

    def change(notes: Notes) -> Notes:
        repairs = [dict(item) for item in notes.get("repairs") or ()]
        number = len(repairs) + 1
        repair = Repair(
            id=ids.repair_id(dag_id, before.airflow_run_id, number),
            tasks=tuple(sorted(tasks)),
            who=who,
            start_time=round(time.time() * 1000),
            clear_number=clear_number,
            **more,
        )
        made.append(repair)
        over = {name: notes[name] for name in OF_ONE_PART if notes.get(name)}
        lost = [] if keys is None else [asdict(task) for task in before.tasks if task.task_key not in keys]
        closed = {
            **over,
            **ending(before),
            **({"version": version} if version else {}),
            **({LOST: lost} if lost else {}),
        }
        notes = {name: value for name, value in notes.items() if name not in OF_ONE_PART}
        if repairs:
            repairs[-1].update(closed)
        else:
            notes["original"] = {"id": before.run_id, "start_time": before.start_time, "parameters": given, **closed}
        return {**notes, "repairs": [*repairs, asdict(repair)], REPAIRED: Moment.now().to_json()}

    change_notes(home, dag_id, before.airflow_run_id, change)
    return made[0]


def ending(report: RunReport) -> dict[str, Any]:
    """How a part of a run ended."""
    return {
        "end_time": report.end_time,
        "life_cycle_state": str(report.state.life_cycle),
        "result_state": str(report.state.result) if report.state.result else None,
        "task_run_ids": [task.run_id for task in report.tasks if task.run_id],
    }


def finish(home: Path, dag_id: str, airflow_run_id: str, report: RunReport) -> None:
    """Note how the latest repair ended."""

    def change(notes: Notes) -> Notes:
        repairs = [dict(item) for item in notes.get("repairs") or ()]
        if repairs:
            repairs[-1].update(ending(report))
        return {**notes, "repairs": repairs} if repairs else notes

    change_notes(home, dag_id, airflow_run_id, change)


def first_parameters(home: Path, dag_id: str, airflow_run_id: str) -> dict[str, str]:
    """The job parameters that a repaired run was started with."""
    return dict((read_notes(home, dag_id, airflow_run_id).get("original") or {}).get("parameters") or {})


def latest(home: Path, dag_id: str, airflow_run_id: str) -> Mapping[str, Any] | None:
    """The latest repair of a run; None for a run that was not repaired."""
    found = read_notes(home, dag_id, airflow_run_id).get("repairs")
    return found[-1] if found else None


def count(home: Path, dag_id: str, airflow_run_id: str) -> int:
    """How often a run was repaired."""
    return len(read_notes(home, dag_id, airflow_run_id).get("repairs") or ())

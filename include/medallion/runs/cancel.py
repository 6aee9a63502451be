"""Ends a run or one task of it for good. Runs in the API server, in a run's own process and in the scheduler.

Airflow knows no CANCELED: what ran is `failed` there, what waited is `skipped`, and the run's notes name each attempt that a
person ended. The worker's supervisor notices within a heartbeat that its task is no longer to run, and ends its processes;
a trigger without a deferred task is dropped by the triggerer; a retry that waits is not waiting any more.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.errors import RunError
from medallion.runs.notes import Notes, change_notes, read_notes
from medallion.runs.records import run_folder
from medallion.runs.shape import owner
from medallion.spec.problems import did_you_mean

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy.orm import Session

log = logging.getLogger(__name__)

ENDED_RUN = frozenset({"success", "failed"})
ENDED_TASK = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
UNTOUCHED = frozenset({"success", "skipped", "upstream_failed", "removed"})
"""What may have become of a task instance in the last moment, and then stays."""
BEGUN = frozenset(
    {"running", "queued", "restarting", "deferred", "awaiting_input", "up_for_retry", "up_for_reschedule"}
)
"""Airflow's states of a task instance that was started, or handed to a worker."""
CHILD_FILE, PARENT_FILE = "child.json", "parent.json"
MESSAGE = "canceled"
"""What listeners are told of a cancelled run."""

Mark = tuple[str, int, int]
"""Task id, iteration and try number of an attempt. For one that waits for its next attempt: minus one and less, see
`mark_of`."""


@dataclass(frozen=True, slots=True)
class Canceled:
    """What a cancel ended.

    :param attempts: of this run.
    :param children: runs of other jobs that it had started, as `(dag_id, run_id)`.
    """

    attempts: tuple[Mark, ...] = ()
    children: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As the API and `--json` tell it."""
        return {
            "canceled": sorted({key for task_id, _, _ in self.attempts if (key := owner(task_id))}),
            "child_runs": [{"dag_id": dag_id, "airflow_run_id": run_id} for dag_id, run_id in self.children],
        }


@dataclass
class Canceller:
    """Cancels in one session.

    :param who: the name of the person who asked.
    :param stop: told the task instances that are to end, before their states are changed; a run's own process ends
        theirs. Under the scheduler the workers see it for themselves.
    """

    session: Session
    home: Path
    who: str
    stop: Callable[[Collection[TaskInstance]], None] | None = None
    children: list[tuple[str, str]] = field(default_factory=list)

    def run(self, run: DagRun) -> Canceled:
        """Cancel a run and the runs that it started.

        :raises RunError: it has ended already.
        """
        if str(run.state) in ENDED_RUN:
            raise RunError(f"the run {run.run_id} of {run.dag_id} has ended already: {run.state}")
        return self.end(run)

    def end(self, run: DagRun, *, notify: bool = True) -> Canceled:
        """End what there is of a run. Setups and teardowns end too: the listener gives leases back.

        :param notify: tell the listeners; False in one.
        """
        from airflow.utils.state import DagRunState

        open_now = self.unfinished(run)
        marks = self.write_down(run, open_now, whole=True)
        self.finish(run, open_now)
        # Before the tasks that wait for them look at how the child runs ended.
        self.cancel_children(run, None)
        run.set_state(DagRunState.FAILED)
        self.session.flush()
        if notify:
            run.notify_dagrun_state_changed(msg=MESSAGE)
        return Canceled(marks, tuple(self.children))

    def task(self, run: DagRun, task_key: str) -> Canceled:
        """Cancel one task of a run: it is not tried again, its children are judged as behind a failure.

        :raises RunError: the run has no such task, or the task has ended.
        """
        if str(run.state) in ENDED_RUN:
            raise RunError(f"the run {run.run_id} of {run.dag_id} has ended already: {run.state}")
        instances = run.get_task_instances(session=self.session)
        keys = {key for item in instances if (key := owner(item.task_id))}
        if task_key not in keys:
            raise RunError(f"the run has no task {task_key!r}", hint=did_you_mean(task_key, keys))
        mine = [item for item in instances if owner(item.task_id) == task_key and not item.task_id.endswith(".run_if")]
        open_now = [item for item in mine if str(item.state) not in ENDED_TASK]
        if not open_now:
            raise RunError(f"task {task_key} has ended already: {mine[0].state}")
        marks = self.write_down(run, open_now, whole=False)
        self.finish(run, open_now, waiting="failed")
        self.cancel_children(run, task_key)
        self.session.flush()
        return Canceled(marks, tuple(self.children))

    def unfinished(self, run: DagRun) -> list[TaskInstance]:
        """Its task instances that have not ended."""
        return [item for item in run.get_task_instances(session=self.session) if str(item.state) not in ENDED_TASK]

    def write_down(self, run: DagRun, instances: Iterable[TaskInstance], *, whole: bool) -> tuple[Mark, ...]:
        """Note what is ended, before it is, so that nobody takes it for a failure."""
        marks = tuple(mark_of(item) for item in instances)
        note_canceled(self.home, run.dag_id, run.run_id, self.who, marks, whole=whole)
        return marks

    def finish(self, run: DagRun, instances: Collection[TaskInstance], waiting: str = "skipped") -> None:
        """Give task instances their last state.

        :param waiting: of those that no worker had yet.
        """
        from airflow.utils.state import TaskInstanceState

        names = {(item.task_id, item.map_index) for item in instances}
        if self.stop is not None:
            # Other processes look into the database meanwhile, and an attempt that is ended may leave a row of its own.
            self.session.commit()
            self.stop(instances)
            self.session.expire_all()
        for item in run.get_task_instances(session=self.session):
            if (item.task_id, item.map_index) in names and str(item.state) not in UNTOUCHED:
                state = (
                    TaskInstanceState.FAILED if str(item.state) in {*BEGUN, "failed"} else TaskInstanceState(waiting)
                )
                item.set_state(state, session=self.session)

    def cancel_children(self, run: DagRun, task_key: str | None, map_index: int | None = None) -> None:
        """Cancel the runs that run-job tasks of this run started and that still go. See `child_runs`."""
        from airflow.models.dagrun import DagRun
        from sqlalchemy import select

        for dag_id, run_id in child_runs(self.home, run.dag_id, run.run_id, task_key, map_index):
            child = self.session.scalar(select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id))
            if child is not None and str(child.state) not in ENDED_RUN:
                self.children.append((dag_id, run_id))
                self.end(child)


def mark_of(item: TaskInstance) -> Mark:
    """What names the attempt.

    One that waits for a retry, or was cleared for a repair, has the number of the attempt before, which nobody ended. So
    it is named by that number's negative, less one.
    """
    waits = item.state is None or str(item.state) == "up_for_retry"
    return item.task_id, item.map_index, -item.try_number - 1 if waits else item.try_number


def note_canceled(
    home: Path, dag_id: str, airflow_run_id: str, who: str, marks: Iterable[Mark], *, whole: bool
) -> Notes:
    """Note who ended which attempts, and the run if it is all of it."""
    fact = {"who": who, "when": datetime.now(UTC).isoformat(timespec="milliseconds")}

    def change(notes: Notes) -> Notes:
        known = [tuple(mark) for mark in notes.get("canceled_attempts") or ()]
        told = [*known, *(mark for mark in marks if mark not in known)]
        notes = {**notes, "canceled_attempts": [list(mark) for mark in told]}
        if whole:
            return {**notes, "canceled": notes.get("canceled") or fact}
        tasks = dict(notes.get("canceled_tasks") or {})
        return {**notes, "canceled_tasks": {**tasks, **{owner(mark[0]) or mark[0]: fact for mark in marks}}}

    return change_notes(home, dag_id, airflow_run_id, change)


def child_runs(
    home: Path, dag_id: str, airflow_run_id: str, task_key: str | None = None, map_index: int | None = None
) -> list[tuple[str, str]]:
    """DAG id and run id of the runs that run-job tasks of a run started.

    :param task_key: those of one task only; of a for-each task all its iterations'.
    :param map_index: of one iteration only.
    """
    return children_below(run_folder(home, dag_id, airflow_run_id), task_key, map_index)


def children_below(folder: Path, task_key: str | None = None, map_index: int | None = None) -> list[tuple[str, str]]:
    """The same, of the attempts below a folder."""
    found = []
    for place in sorted(folder.rglob(CHILD_FILE)):
        try:
            told = json.loads(place.read_text(encoding="utf-8"))
            if task_key in (None, told.get("task_key")) and map_index in (None, told.get("map_index")):
                found.append((str(told["dag_id"]), str(told["airflow_run_id"])))
        except (OSError, ValueError, KeyError):
            log.warning("%s cannot be read", place)
    return found


def parent_was_canceled(home: Path, dag_id: str, airflow_run_id: str) -> str | None:
    """Who cancelled the run or task that started this run, when it was cancelled before this run began; else None."""
    try:
        told = json.loads((run_folder(home, dag_id, airflow_run_id) / PARENT_FILE).read_text(encoding="utf-8"))
        notes = read_notes(home, str(told["dag_id"]), str(told["airflow_run_id"]))
        fact = notes.get("canceled") or (notes.get("canceled_tasks") or {}).get(str(told["task_key"]))
    except (OSError, ValueError, KeyError):
        return None
    return str(fact["who"]) if fact else None

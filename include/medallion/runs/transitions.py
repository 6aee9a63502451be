"""What happened to a run, from what it is now and what was told before. Pure; runs in the jobs service.

Nothing is listened to: every look works out all that must have happened, and leaves out what was told. So a look after a
crash tells what the one before it could not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from medallion.factory import naming
from medallion.runs.changes import Kind, RunChange
from medallion.runs.report import Instance, TaskReport, millis
from medallion.runs.states import State, task_state

if TYPE_CHECKING:
    from medallion.runs.report import RunReport, Snapshot
    from medallion.spec.definition import JobDefinition

ENDED = frozenset({"success", "failed"})
GOING = frozenset({"running", "deferred", "awaiting_input", "restarting", "up_for_reschedule"})


@dataclass(frozen=True, slots=True)
class Told:
    """What was told of one run.

    :param runs: kinds of changes of the run, with the repair that they belong to.
    :param ends: how each task was told to have ended: attempt, end in epoch milliseconds, result.
    :param attempts: `<task>/<attempt>/<kind>`.
    """

    runs: tuple[str, ...] = ()
    ends: dict[str, tuple[int, int, str]] = field(default_factory=dict)
    attempts: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As progress keeps it."""
        return asdict(self)

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Told:
        """From `to_json`."""
        ends = {key: (int(item[0]), int(item[1]), str(item[2])) for key, item in raw["ends"].items()}
        return cls(tuple(raw["runs"]), ends, tuple(raw["attempts"]))


@dataclass(frozen=True, slots=True)
class Moment:
    """One change with the time it is sorted by: seconds since the epoch, then its rank."""

    at: float
    rank: int
    change: RunChange


def changes_of(
    definition: JobDefinition | None, snapshot: Snapshot, report: RunReport, told: Told, repair: int
) -> tuple[list[RunChange], Told]:
    """What has to be told of a run, in order, and what has been told after that.

    :param repair: how many repairs the run had before.
    """
    teller = Teller(definition, snapshot, report, repair)
    moments: list[Moment] = []
    runs, ends, attempts = list(told.runs), dict(told.ends), list(told.attempts)
    for kind, moment in teller.of_run():
        if (mark := f"{repair}/{kind}") not in runs:
            runs.append(mark)
            moments.append(moment)
    for mark, moment in teller.of_attempts():
        if mark not in attempts:
            attempts.append(mark)
            moments.append(moment)
    for task in report.tasks:
        how = (task.attempts, task.end_time, str(task.state.result))
        if task.state.ended and ends.get(task.task_key) != how:
            ends[task.task_key] = how
            moments.append(teller.end_of(task))
    moments.sort(key=lambda item: (item.at, item.rank))
    # A run starts before its tasks and ends after them, whatever two clocks say.
    moments.sort(key=lambda item: {Kind.RUN_STARTED: 0, Kind.RUN_ENDED: 2}.get(item.change.kind, 1))
    return [item.change for item in moments], Told(tuple(runs), ends, tuple(attempts))


@dataclass(frozen=True, slots=True)
class Teller:
    """Makes the changes of one run."""

    definition: JobDefinition | None
    snapshot: Snapshot
    report: RunReport
    repair: int

    def change(self, kind: Kind, **more: Any) -> RunChange:
        """A change of this run."""
        return RunChange(kind, self.definition, self.snapshot, self.report, self.repair, **more)

    def of_run(self) -> Iterator[tuple[Kind, Moment]]:
        """That the run started, that it ended."""
        start, end = self.snapshot.start, self.snapshot.end
        ended = self.snapshot.state in ENDED
        if start is not None and (ended or self.snapshot.state == "running"):
            yield Kind.RUN_STARTED, Moment(start, 0, self.change(Kind.RUN_STARTED))
        if ended:
            yield Kind.RUN_ENDED, Moment(end or start or 0.0, 9, self.change(Kind.RUN_ENDED))

    def of_attempts(self) -> Iterator[tuple[str, Moment]]:
        """That attempts of tasks and iterations started and ended."""
        latest: dict[tuple[str, int], Instance] = {(item.task_id, item.map_index): item for item in self.instances()}
        for task_id, map_index, task in self.units():
            current = latest.get((task_id, map_index))
            older = [item for item in self.snapshot.history if (item.task_id, item.map_index) == (task_id, map_index)]
            for item in older:
                if current is None or item.try_number < current.try_number or current.state not in ENDED:
                    yield from self.of_attempt(earlier(task.task_key, item), item, last=False)
            if current is not None and task.state.life_cycle != "SKIPPED":
                yield from self.of_attempt(task, current, last=current.state != "up_for_retry")

    def of_attempt(self, task: TaskReport, item: Instance, *, last: bool) -> Iterator[tuple[str, Moment]]:
        """Start and end of one attempt."""
        if item.start is None or item.try_number < 1:
            return
        done = item.state in {*ENDED, "up_for_retry"}
        if done or item.state in GOING or item.end is not None:
            change = self.change(Kind.ATTEMPT_STARTED, task=task, attempt=item.try_number)
            yield f"{task.task_key}/{item.try_number}/s", Moment(item.start, 1, change)
        if done or (item.end is not None and not last):
            change = self.change(Kind.ATTEMPT_ENDED, task=task, attempt=item.try_number, last=last)
            yield f"{task.task_key}/{item.try_number}/e", Moment(item.end or item.start, 2, change)

    def end_of(self, task: TaskReport) -> Moment:
        """That a task ended for good."""
        at = (task.end_time or self.report.end_time or millis(self.snapshot.start)) / 1000
        return Moment(at, 3, self.change(Kind.TASK_ENDED, task=task, attempt=task.attempts, last=True))

    def instances(self) -> Iterable[Instance]:
        """The task instances as they are."""
        return self.snapshot.instances

    def units(self) -> Iterator[tuple[str, int, TaskReport]]:
        """What has attempts: tasks, and the iterations of for-each tasks, with Airflow's ids."""
        for task in self.report.tasks:
            if task.iterations is None:
                yield task.task_key, -1, task
                continue
            for item in task.iterations:
                index = int(item.task_key.rpartition("[")[2].rstrip("]"))
                yield naming.for_each_iterations(task.task_key), index, item


def earlier(task_key: str, item: Instance) -> TaskReport:
    """An attempt that was followed by another, in the Jobs API's words."""
    state: State = task_state(item.state if item.state in ENDED else "failed")
    return TaskReport(task_key, state, item.try_number, millis(item.start), millis(item.end), label=item.label)

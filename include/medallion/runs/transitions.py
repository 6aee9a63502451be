"""What happened to a run, from what it is now and what was told before. Pure; runs in the jobs service.

Nothing is listened to: every look works out all that must have happened, and leaves out what was told. So a look after a
crash tells what the one before it could not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from medallion.runs.changes import Kind, RunChange
from medallion.runs.snapshot import millis
from medallion.runs.states import LifeCycle

if TYPE_CHECKING:
    from medallion.runs.report import RunReport
    from medallion.runs.snapshot import Snapshot
    from medallion.runs.task_report import TaskReport
    from medallion.spec.definition import JobDefinition

ENDED = frozenset({"success", "failed"})
BEGUN = frozenset({LifeCycle.RUNNING, LifeCycle.TERMINATING, LifeCycle.WAITING_FOR_RETRY})


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
    runs, ends, attempts, known = list(told.runs), dict(told.ends), list(told.attempts), set(told.attempts)
    for kind, moment in teller.of_run():
        if (mark := f"{repair}/{kind}") not in runs:
            runs.append(mark)
            moments.append(moment)
    for mark, moment in teller.of_attempts():
        if mark not in known:
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
        for unit in self.units():
            for number, attempt in enumerate(unit.history, 1):
                latest = number == len(unit.history)
                task = replace(unit, history=()) if latest else attempt
                yield from self.of_attempt(task, attempt, last=latest and unit.state.ended)

    def of_attempt(self, task: TaskReport, attempt: TaskReport, *, last: bool) -> Iterator[tuple[str, Moment]]:
        """Start and end of one attempt.

        :param task: what is told: the attempt, or the task whose latest attempt it is.
        """
        ended = attempt.state.ended or task.state.life_cycle is LifeCycle.WAITING_FOR_RETRY
        if not attempt.start_time or not (ended or attempt.state.life_cycle in BEGUN):
            return
        told = {"task": task, "attempt": attempt.attempts}
        mark = f"{task.task_key}/{attempt.attempts}"
        start = attempt.start_time / 1000
        yield f"{mark}/s", Moment(start, 1, self.change(Kind.ATTEMPT_STARTED, **told))
        if ended:
            end = max(attempt.end_time / 1000, start)
            yield f"{mark}/e", Moment(end, 2, self.change(Kind.ATTEMPT_ENDED, **told, last=last))

    def end_of(self, task: TaskReport) -> Moment:
        """That a task ended for good."""
        at = (task.end_time or self.report.end_time or millis(self.snapshot.start)) / 1000
        return Moment(at, 3, self.change(Kind.TASK_ENDED, task=task, attempt=task.attempts, last=True))

    def units(self) -> Iterator[TaskReport]:
        """What has attempts: tasks, and the iterations of for-each tasks."""
        for task in self.report.tasks:
            yield from (task,) if task.iterations is None else task.iterations

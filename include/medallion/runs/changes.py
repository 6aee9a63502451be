"""What happens to runs, as those who follow them are told. Pure; runs in the jobs service and at the end of a local run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from medallion.runs.report import RunReport
    from medallion.runs.snapshot import Snapshot
    from medallion.runs.task_report import TaskReport
    from medallion.spec.definition import JobDefinition


class Kind(StrEnum):
    """What happened. A repaired run starts and ends once more, with another `repair`."""

    RUN_STARTED = "run_started"
    ATTEMPT_STARTED = "attempt_started"
    ATTEMPT_ENDED = "attempt_ended"
    TASK_ENDED = "task_ended"
    RUN_ENDED = "run_ended"


@dataclass(frozen=True, slots=True)
class RunChange:
    """One thing that happened to a run.

    :param definition: the job; None when its definition is gone.
    :param snapshot: the run in Airflow's words.
    :param report: the run in the Jobs API's words.
    :param repair: how many repairs the run had before; 0 for the first time.
    :param task: of changes of tasks. TASK_ENDED tells how the task ended for good; ATTEMPT_ENDED also tells of attempts
        that are tried again.
    :param attempt: Airflow's try number of the attempt, from 1; 0 for what is no attempt.
    :param last: no further attempt follows.
    """

    kind: Kind
    definition: JobDefinition | None
    snapshot: Snapshot
    report: RunReport
    repair: int = 0
    task: TaskReport | None = None
    attempt: int = 0
    last: bool = False

    @property
    def key(self) -> str:
        """Names this change for good: the same change, told again after a crash, has the same key."""
        task = self.task.task_key if self.task else ""
        parts = (self.snapshot.dag_id, self.snapshot.run_id, self.repair, self.kind, task, self.attempt)
        return "\x1f".join(map(str, parts))


class Consumer(Protocol):
    """Who is told. Changes of a run come in order, each at least once: after a crash the last ones come again.

    The jobs service makes it by calling its class with the Settings, and calls it in a thread of its own, so that a slow
    one holds up nobody else. Airflow's sessions (`airflow.utils.session.create_session`) work in that thread.
    """

    name: str

    def consume(self, change: RunChange) -> None:
        """Take note of one change. An exception is logged and the change told again later; it never hurts a run."""

    def tick(self, now: float) -> None:
        """Called about once a second.

        :param now: seconds since the epoch.
        """


@runtime_checkable
class BatchConsumer(Protocol):
    """A consumer may also take many changes at once; `consume` is not called then."""

    def consume_all(self, changes: Sequence[RunChange]) -> None:
        """Take note of all changes, or of none: after an exception all of them are told again later."""


@runtime_checkable
class Historian(Protocol):
    """A consumer that also wants what happened long before it was first started. Others are told of the last hour."""

    history: bool

"""Which notifications follow from a change of a run, and whom they go to. Pure; runs in the jobs service.

Sources: the Jobs API's fields `email_notifications`, `webhook_notifications`, `notification_settings` as databricks-sdk
documents them, and the Databricks page "Add notifications on a job". Choices beyond them stand in docs/semantics.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from medallion.runs.changes import Kind, RunChange
from medallion.runs.states import LifeCycle, Result, State
from medallion.spec.rules import is_user_name

if TYPE_CHECKING:
    from medallion.spec.job import Job, Task

ITERATION = re.compile(r"(?P<key>[^\[\]]+)\[\d+\]")


class Event(StrEnum):
    """What people are told of, as the Jobs API names its lists of recipients."""

    START = "on_start"
    SUCCESS = "on_success"
    FAILURE = "on_failure"
    DURATION = "on_duration_warning_threshold_exceeded"
    BACKLOG = "on_streaming_backlog_exceeded"


class Reason(StrEnum):
    """Why a run counts as not successful; mutes look at it."""

    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELED = "canceled"


REASONS = {
    Result.FAILED: frozenset({Reason.FAILED}),
    Result.TIMEDOUT: frozenset({Reason.FAILED}),
    Result.CANCELED: frozenset({Reason.CANCELED}),
    Result.UPSTREAM_FAILED: frozenset({Reason.SKIPPED}),
    Result.UPSTREAM_CANCELED: frozenset({Reason.SKIPPED, Reason.CANCELED}),
    Result.MAXIMUM_CONCURRENT_RUNS_REACHED: frozenset({Reason.SKIPPED}),
}
"""Results that are told by `on_failure`. EXCLUDED and DISABLED count as successful and did not run: nobody is told."""

SUCCESSES = frozenset({Result.SUCCESS, Result.SUCCESS_WITH_FAILURES})


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who is told: an address, or the id of a destination."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"

    @classmethod
    def parse(cls, text: str) -> Recipient:
        """The recipient that `str` wrote."""
        kind, _, name = text.partition(":")
        return cls(kind, name)


MAIL, DESTINATION = "mail", "destination"


@dataclass(frozen=True, slots=True)
class Mutes:
    """What a job or a task does not want to hear of.

    :param skipped_mail: the older flag in `email_notifications`, which mutes mail alone.
    """

    skipped: bool = False
    canceled: bool = False
    until_last_attempt: bool = False
    skipped_mail: bool = False

    @classmethod
    def of(cls, owner: Job | Task) -> Mutes:
        """The flags of a job or a task, from their new place and the older one."""
        flags, mail = owner.notification_settings, owner.email_notifications
        return cls(
            skipped=bool(flags and flags.no_alert_for_skipped_runs),
            canceled=bool(flags and flags.no_alert_for_canceled_runs),
            until_last_attempt=bool(getattr(flags, "alert_on_last_attempt", None)),
            skipped_mail=bool(mail and mail.no_alert_for_skipped_runs),
        )

    def silence(self, reasons: Iterable[Reason], kind: str) -> bool:
        """Whether a failure for these reasons is not told to recipients of this kind."""
        found = set(reasons)
        if Reason.CANCELED in found and self.canceled:
            return True
        return Reason.SKIPPED in found and (self.skipped or (self.skipped_mail and kind == MAIL))


@dataclass(frozen=True, slots=True)
class Told:
    """One notification: what, and to whom.

    :param retried: the attempt failed and another follows.
    :param loop: key of the for-each task that starts with its first iteration; empty for what the change itself names.
    """

    event: Event
    recipients: tuple[Recipient, ...]
    retried: bool = False
    loop: str = ""


def notifications_of(change: RunChange, *, first_attempt: int = 1) -> list[Told]:
    """The notifications that follow from a change; none without a definition, which names the recipients.

    :param first_attempt: the first attempt of the task in this repair; later ones are retries.
    """
    if change.definition is None:
        return []
    job = change.definition.job
    if change.kind in {Kind.RUN_STARTED, Kind.RUN_ENDED}:
        return of_run(change, job)
    if change.task is None:
        return []
    task = task_of(job, change.task.task_key)
    found = of_task(change, task, change.task.state, first_attempt) if task is not None else []
    return found + of_loop(change, job, change.task.task_key)


def of_loop(change: RunChange, job: Job, key: str) -> list[Told]:
    """A for-each task starts with its first iteration: Airflow has no attempt of its own for it."""
    iteration = ITERATION.fullmatch(key)
    if iteration is None or change.kind is not Kind.ATTEMPT_STARTED:
        return []
    loop = task_of(job, iteration["key"])
    return (
        [Told(item.event, item.recipients, loop=iteration["key"]) for item in told(loop, Event.START)] if loop else []
    )


def of_run(change: RunChange, job: Job) -> list[Told]:
    """The notifications at a job's level."""
    if change.kind is Kind.RUN_STARTED:
        return told(job, Event.START)
    return of_end(job, change.report.state)


def of_task(change: RunChange, task: Task, state: State, first_attempt: int) -> list[Told]:
    """The notifications at a task's level. An attempt that ended and is tried again has failed."""
    mutes = Mutes.of(task)
    if change.kind is Kind.ATTEMPT_STARTED:
        retry = change.attempt > first_attempt
        return [] if retry and mutes.until_last_attempt else told(task, Event.START)
    if change.kind is Kind.TASK_ENDED:
        return of_end(task, state)
    if change.last:
        # The end of the last attempt is told as the task's. Of iterations no other end is told.
        return of_end(task, state) if change.task and ITERATION.fullmatch(change.task.task_key) else []
    if mutes.until_last_attempt or state.result in SUCCESSES:
        return []
    return [Told(Event.FAILURE, item.recipients, retried=True) for item in told(task, Event.FAILURE)]


def of_end(owner: Job | Task, state: State) -> list[Told]:
    """What follows from how a run or a task ended."""
    if state.result in SUCCESSES:
        return told(owner, Event.SUCCESS)
    reasons = REASONS.get(state.result) if state.result else None
    if reasons is None and state.life_cycle is LifeCycle.INTERNAL_ERROR:
        reasons = frozenset({Reason.FAILED})
    if reasons is None:
        return []
    mutes = Mutes.of(owner)
    return [
        Told(item.event, kept)
        for item in told(owner, Event.FAILURE)
        if (kept := tuple(one for one in item.recipients if not mutes.silence(reasons, one.kind)))
    ]


def told(owner: Job | Task, event: Event) -> list[Told]:
    """The notification of an event, if a job or a task names anyone for it."""
    found = recipients(owner, event)
    return [Told(event, found)] if found else []


def recipients(owner: Job | Task, event: Event) -> tuple[Recipient, ...]:
    """Who is to hear of an event. Each once, however often the lists name them. User names have no mail box."""
    addresses: Any = getattr(owner.email_notifications, event, None) or ()
    hooks: Any = getattr(owner.webhook_notifications, event, None) or ()
    named = [Recipient(MAIL, address.strip()) for address in addresses if not is_user_name(address)]
    named += [Recipient(DESTINATION, hook.id) for hook in hooks]
    return tuple(dict.fromkeys(item for item in named if item.name))


def task_of(job: Job, key: str) -> Task | None:
    """A task by its key; `key[3]` is an iteration, which has the settings of the task inside the loop.

    None for an if/else task: the Jobs API gives it no notifications.
    """
    iteration = ITERATION.fullmatch(key)
    wanted = iteration["key"] if iteration else key
    found = next((task for task in job.tasks or () if task.task_key == wanted), None)
    if found is not None and iteration:
        found = found.payload.task if found.kind == "for_each_task" else None
    return None if found is None or found.kind == "condition_task" else found

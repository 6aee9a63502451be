"""Airflow's states as the Jobs API spells them, and the result of a run from its leaf tasks. Runs everywhere; pure.

The Jobs API keeps two words for each run: where it is in its life, and, at the end, how it ended
(`RunLifeCycleState`, `RunResultState`). Airflow keeps one. Neither is stored: both are derived when asked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class LifeCycle(StrEnum):
    """Where a run or task is in its life."""

    QUEUED = "QUEUED"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    TERMINATING = "TERMINATING"
    TERMINATED = "TERMINATED"
    SKIPPED = "SKIPPED"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    BLOCKED = "BLOCKED"
    WAITING_FOR_RETRY = "WAITING_FOR_RETRY"


class Result(StrEnum):
    """How a run or task ended."""

    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    TIMEDOUT = "TIMEDOUT"
    CANCELED = "CANCELED"
    MAXIMUM_CONCURRENT_RUNS_REACHED = "MAXIMUM_CONCURRENT_RUNS_REACHED"
    EXCLUDED = "EXCLUDED"
    SUCCESS_WITH_FAILURES = "SUCCESS_WITH_FAILURES"
    UPSTREAM_FAILED = "UPSTREAM_FAILED"
    UPSTREAM_CANCELED = "UPSTREAM_CANCELED"
    DISABLED = "DISABLED"


@dataclass(frozen=True, slots=True)
class State:
    """Both words. `result` is None until the end."""

    life_cycle: LifeCycle
    result: Result | None = None

    @property
    def ended(self) -> bool:
        """True when nothing changes any more."""
        return self.result is not None


@dataclass(frozen=True, slots=True)
class Cause:
    """What Airflow's state of a task does not tell, and the task's own records do.

    :param timed_out: the last attempt was ended by its time-out.
    :param canceled: a person ended it, or the run.
    :param disabled: the job or its parents have it disabled (`disabled: true`).
    :param upstream_canceled: what stopped it was a cancelled task, not a failed one.
    """

    timed_out: bool = False
    canceled: bool = False
    disabled: bool = False
    upstream_canceled: bool = False


NO_CAUSE = Cause()

GOING: Mapping[str | None, LifeCycle] = {
    None: LifeCycle.BLOCKED,
    "none": LifeCycle.BLOCKED,
    "scheduled": LifeCycle.PENDING,
    "queued": LifeCycle.QUEUED,
    "running": LifeCycle.RUNNING,
    "deferred": LifeCycle.RUNNING,
    "awaiting_input": LifeCycle.RUNNING,
    "up_for_reschedule": LifeCycle.RUNNING,
    "restarting": LifeCycle.TERMINATING,
    "up_for_retry": LifeCycle.WAITING_FOR_RETRY,
}
"""Airflow's states of a task that has not ended. BLOCKED: its parents have not ended (SDK, RunLifeCycleState)."""

GOOD = frozenset({Result.SUCCESS, Result.SUCCESS_WITH_FAILURES, Result.EXCLUDED, Result.DISABLED})
"""Results that a leaf may have in a run that succeeds: an excluded task counts as successful."""


def task_state(state: str | None, cause: Cause = NO_CAUSE) -> State:
    """A task's state.

    :param state: Airflow's state of the task instance.
    :param cause: what its records say besides.
    :raises ValueError: the state is not one of Airflow's.
    """
    if state in GOING:
        return State(GOING[state])
    ended = {
        "success": State(LifeCycle.TERMINATED, Result.SUCCESS),
        "failed": State(LifeCycle.TERMINATED, failure_of(cause)),
        "removed": State(LifeCycle.SKIPPED, Result.EXCLUDED),
        "skipped": State(LifeCycle.SKIPPED, absence_of(cause)),
        "upstream_failed": State(LifeCycle.SKIPPED, obstacle_of(cause)),
    }
    if state not in ended:
        raise ValueError(f"{state!r} is no state of a task instance")
    return ended[state]


def failure_of(cause: Cause) -> Result:
    """Why a task failed. Who cancels a task that is past its time still cancels it."""
    if cause.canceled:
        return Result.CANCELED
    return Result.TIMEDOUT if cause.timed_out else Result.FAILED


def obstacle_of(cause: Cause) -> Result:
    """Why a task behind a failed one did not run. One that is disabled would not have run either way."""
    if cause.disabled:
        return Result.DISABLED
    return Result.UPSTREAM_CANCELED if cause.upstream_canceled else Result.UPSTREAM_FAILED


def absence_of(cause: Cause) -> Result:
    """Why a task did not run. A run's end by time-out or cancel leaves Airflow's tasks `skipped`."""
    if cause.disabled:
        return Result.DISABLED
    return Result.CANCELED if cause.canceled or cause.timed_out else Result.EXCLUDED


def run_state(
    state: str | None, tasks: Mapping[str, Result | None], leaves: Collection[str], cause: Cause = NO_CAUSE
) -> State:
    """A run's state.

    :param state: Airflow's state of the DAG run.
    :param tasks: result by task key; None for one that has not ended.
    :param leaves: keys of the tasks that no other task depends on.
    :param cause: `timed_out` when the run's own time-out ended it, `canceled` when a person did.
    :raises ValueError: the state is not one of Airflow's.
    """
    if state in {None, "queued", "running"}:
        return State({None: LifeCycle.PENDING, "queued": LifeCycle.QUEUED}.get(state, LifeCycle.RUNNING))
    if state not in {"success", "failed"}:
        raise ValueError(f"{state!r} is no state of a DAG run")
    return State(LifeCycle.TERMINATED, run_result(tasks, leaves, cause, failed=state == "failed"))


def run_result(
    tasks: Mapping[str, Result | None], leaves: Collection[str], cause: Cause = NO_CAUSE, *, failed: bool = False
) -> Result:
    """How a run ended: its leaves decide.

    All succeeded: SUCCESS. Every leaf succeeded or was excluded, and some other task failed: SUCCESS_WITH_FAILURES.
    A leaf failed or was stopped by what failed before it: FAILED.

    :param failed: Airflow counts the run as failed; decides only where no leaf tells (a setup task of ours failed).
    """
    if cause.canceled or any(tasks.get(leaf) in {Result.CANCELED, Result.UPSTREAM_CANCELED} for leaf in leaves):
        return Result.CANCELED
    if cause.timed_out:
        return Result.TIMEDOUT
    if failed or not all(tasks.get(leaf) in GOOD for leaf in leaves):
        return Result.FAILED
    return Result.SUCCESS if all(result in GOOD for result in tasks.values()) else Result.SUCCESS_WITH_FAILURES


def leaves_of(depends_on: Mapping[str, Iterable[str]]) -> frozenset[str]:
    """Keys that no other task depends on, from each task's parents."""
    return frozenset(depends_on) - {parent for parents in depends_on.values() for parent in parents}


def iterations_state(states: Iterable[State]) -> State:
    """The state of a for-each task from its iterations. It fails when one iteration fails; none at all is a success."""
    found = list(states)
    going = [item for item in found if not item.ended]
    if going:
        # Iterations wait for each other's slots: one that runs makes the whole run.
        life_cycles = {item.life_cycle for item in going}
        only = life_cycles.pop() if len(life_cycles) == 1 and len(going) == len(found) else LifeCycle.RUNNING
        return State(only)
    for result in (Result.CANCELED, Result.FAILED, Result.TIMEDOUT):
        if any(item.result is result for item in found):
            return State(LifeCycle.TERMINATED, result if result is Result.CANCELED else Result.FAILED)
    if any(item.result in {Result.UPSTREAM_FAILED, Result.UPSTREAM_CANCELED} for item in found):
        return next(item for item in found if item.result in {Result.UPSTREAM_FAILED, Result.UPSTREAM_CANCELED})
    if found and all(item.result in {Result.EXCLUDED, Result.DISABLED} for item in found):
        return found[0]
    return State(LifeCycle.TERMINATED, Result.SUCCESS)

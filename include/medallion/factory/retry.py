"""When a failed attempt is tried again. Runs in the task process, after the failure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context

    from medallion.errors import MedallionError

ENDLESS = 1_000_000
"""Retries of a task with `max_retries: -1`. At a minute apart it lasts two years."""


class AttemptFailed(SystemExit):
    """The user's code failed; its traceback is in the log already.

    A SystemExit, because Airflow logs one as a single line, so that the log ends with the user's own traceback, and
    retries it as any other failure.
    """


class AttemptTimedOut(SystemExit):
    """The attempt ran longer than `timeout_seconds`."""


class AttemptRefused(SystemExit):
    """The attempt failed in a way that no retry mends.

    :param error: what is wrong, in words.
    """

    def __init__(self, error: MedallionError) -> None:
        super().__init__(str(error))
        self.error = error


def retries(max_retries: int | None) -> int:
    """Airflow's `retries` for `max_retries`: none by default, -1 means without end (Jobs API, `max_retries`)."""
    if max_retries is None:
        return 0
    return ENDLESS if max_retries < 0 else max_retries


@dataclass(frozen=True)
class LakeflowRetryPolicy(RetryPolicy):
    """The Jobs API's rules: an interval from the start of the failed attempt, and no retry of a time-out unless asked.

    :param interval: `min_retry_interval_millis`; the next attempt starts at once when the failed one took longer.
    :param on_timeout: `retry_on_timeout`.
    """

    interval: timedelta = timedelta()
    on_timeout: bool = False

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Retry or fail, and when. Called by Airflow in the task process."""
        from airflow.sdk.exceptions import AirflowTaskTimeout

        if isinstance(exception, AttemptRefused):
            return RetryDecision.fail("no retry mends it")
        if isinstance(exception, (AirflowTaskTimeout, AttemptTimedOut)) and not self.on_timeout:
            return RetryDecision.fail("timed out, and retry_on_timeout is false")
        if try_number > max_tries:
            return RetryDecision.default()
        started = context["ti"].start_date if context else None
        passed = datetime.now(UTC) - started if started else timedelta()
        wait = max(self.interval - passed, timedelta())
        return RetryDecision.retry(delay=wait)

    def serialize(self) -> dict[str, Any]:
        """What the serialised DAG keeps of the policy."""
        return {"interval": self.interval.total_seconds(), "on_timeout": self.on_timeout}


FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=2), timedelta(minutes=10)
MAX_ALONE = 3
"""Retries of the only task of a continuous job (Databricks page "Run jobs continuously")."""


@dataclass(frozen=True)
class ContinuousRetryPolicy(RetryPolicy):
    """`task_retry_mode: ON_FAILURE`: a failed task of a continuous job is tried again, later each time.

    That goes on while another task is still in its first attempt; an only task has three retries (Jobs API,
    `TaskRetryMode`; Databricks page "Run jobs continuously").

    :param others: keys of the job's other tasks.
    """

    others: tuple[str, ...] = ()

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Retry or fail, and when. Called by Airflow in the task process."""
        if isinstance(exception, AttemptRefused):
            return RetryDecision.fail("no retry mends it")
        going_on = self.first_attempts(context) if self.others and context else try_number <= MAX_ALONE
        if not going_on:
            return RetryDecision.fail(
                "no other task is in its first attempt" if self.others else "it was tried 4 times"
            )
        return RetryDecision.retry(delay=min(FIRST_WAIT * 2 ** min(try_number - 1, 12), LONGEST_WAIT))

    def first_attempts(self, context: Context) -> bool:
        """Whether another task runs, or is about to, for the first time."""
        from medallion.project.projects import settings_of_dag
        from medallion.runs.records import run_folder, safe

        run = context["dag_run"]
        told = context["ti"].get_task_states(dag_id=run.dag_id, run_ids=[run.run_id], task_ids=list(self.others))
        states = told.get(run.run_id, {})
        folder = run_folder(settings_of_dag(run.dag_id).home, run.dag_id, run.run_id)
        return any(states.get(key) in UNFINISHED and not (folder / safe(key) / "2").exists() for key in self.others)

    def serialize(self) -> dict[str, Any]:
        """What the serialised DAG keeps of the policy."""
        return {"others": list(self.others)}


UNFINISHED = frozenset({None, "scheduled", "queued", "running", "deferred"})
"""Airflow's states of a task before and in its first attempt."""

"""When a failed attempt is tried again. Runs in the task process, after the failure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context

ENDLESS = 1_000_000
"""Retries of a task with `max_retries: -1`. At a minute apart it lasts two years."""


class AttemptFailed(SystemExit):
    """The user's code failed; its traceback is in the log already.

    A SystemExit, because Airflow logs one as a single line, so that the log ends with the user's own traceback, and
    retries it as any other failure.
    """


class AttemptTimedOut(SystemExit):
    """The attempt ran longer than `timeout_seconds`."""


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

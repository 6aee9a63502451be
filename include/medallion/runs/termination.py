"""Why a run, task or attempt ended, as `TerminationDetails` of the Jobs API spells it. Pure; runs wherever runs are shown.

Codes and types: databricks-sdk, `TerminationCodeCode` and `TerminationTypeType`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medallion.runs.states import Result


@dataclass(frozen=True, slots=True)
class Details:
    """Code, whose fault it is, and words for people."""

    code: str
    type: str
    message: str = ""

    def to_json(self) -> dict[str, str]:
        """As the Jobs API says it."""
        return {"code": self.code, "type": self.type, "message": self.message}


CODES: Mapping[Result, tuple[str, str]] = {
    Result.SUCCESS: ("SUCCESS", "SUCCESS"),
    Result.SUCCESS_WITH_FAILURES: ("SUCCESS_WITH_FAILURES", "SUCCESS"),
    Result.FAILED: ("RUN_EXECUTION_ERROR", "CLIENT_ERROR"),
    # The API's text of CANCELED names "the maximum run duration was exceeded".
    Result.TIMEDOUT: ("CANCELED", "CLIENT_ERROR"),
    Result.CANCELED: ("USER_CANCELED", "CLIENT_ERROR"),
    Result.MAXIMUM_CONCURRENT_RUNS_REACHED: ("MAX_CONCURRENT_RUNS_EXCEEDED", "CLIENT_ERROR"),
    Result.EXCLUDED: ("SKIPPED", "SUCCESS"),
    Result.UPSTREAM_FAILED: ("SKIPPED", "CLIENT_ERROR"),
    Result.UPSTREAM_CANCELED: ("SKIPPED", "CLIENT_ERROR"),
    Result.DISABLED: ("DISABLED", "SUCCESS"),
}

CLUSTER_ERROR = "ClusterError"
"""Kind of the failure of a task whose job cluster did not start."""

FAILURES: Mapping[str, tuple[str, str]] = {
    "DriverLost": ("DRIVER_ERROR", "INTERNAL_ERROR"),
    CLUSTER_ERROR: ("CLUSTER_ERROR", "CLIENT_ERROR"),
}
"""Codes of failures whose kind (`runtime.protocol.Failure`) says more than that user code failed."""

WORDS: Mapping[Result, str] = {
    Result.FAILED: "it left no record of why, as when its process is killed; its log may say more",
    Result.TIMEDOUT: "it ran longer than its time-out",
    Result.CANCELED: "a person ended it",
    Result.EXCLUDED: "its run_if condition was not met, or its branch was not taken",
    Result.UPSTREAM_FAILED: "a task that it depends on failed",
    Result.UPSTREAM_CANCELED: "a task that it depends on was cancelled",
    Result.DISABLED: "it is disabled",
}


def details(result: Result | None, failure: Mapping[str, Any] | None = None) -> Details | None:
    """Why something ended; None while it goes on.

    :param failure: what its record says of the failure: `kind`, `message`.
    """
    if result is None:
        return None
    code, kind = CODES[result]
    if failure and result is Result.FAILED:
        code, kind = FAILURES.get(str(failure.get("kind")), (code, kind))
        return Details(code, kind, sentence(failure))
    return Details(code, kind, WORDS.get(result, ""))


def sentence(failure: Mapping[str, Any]) -> str:
    """Why it failed: the exception's name and words, or the words alone where they are no exception's."""
    kind, message = str(failure.get("kind") or ""), str(failure.get("message") or "")
    return f"{kind}: {message}" if kind else message


def loop_failure(failed: Sequence[str], total: int) -> dict[str, str]:
    """Why a for-each task failed, as the record of a failure.

    :param failed: why each iteration that failed did.
    """
    return {"kind": "", "message": f"{len(failed)} of {total} iterations failed: {failed[0]}"}


def run_details(result: Result | None, failed: Iterable[tuple[str, str]], told: Mapping[str, Any]) -> Details | None:
    """Why a run ended.

    :param failed: tasks that failed, with why.
    :param told: the run's note `termination`, which wins.
    """
    if result is None:
        return None
    if told.get("code"):
        return Details(str(told["code"]), str(told.get("type", "CLIENT_ERROR")), str(told.get("message", "")))
    found = details(result)
    named = list(failed)
    if found is None or not named or result not in {Result.FAILED, Result.SUCCESS_WITH_FAILURES}:
        return found
    key, why = named[0]
    message = f"Task {key} failed with message: {why or 'see its output for details'}"
    more = f"; {len(named) - 1} more failed" if len(named) > 1 else ""
    return Details(found.code, found.type, message + more)

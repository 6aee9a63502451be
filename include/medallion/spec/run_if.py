"""The rule of `run_if`: may a task run, given how its parents ended? Pure; runs everywhere.

Source: the Databricks pages "Configure task dependencies" and "Disable tasks"; the choices where they are silent are in
docs/semantics.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum


class Outcome(StrEnum):
    """How a parent ended, in the words of the Jobs API's result states."""

    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    TIMEDOUT = "TIMEDOUT"
    CANCELED = "CANCELED"
    EXCLUDED = "EXCLUDED"
    UPSTREAM_FAILED = "UPSTREAM_FAILED"
    UPSTREAM_CANCELED = "UPSTREAM_CANCELED"
    DISABLED = "DISABLED"


class Verdict(StrEnum):
    """What becomes of the task."""

    RUN = "RUN"
    EXCLUDED = "EXCLUDED"
    UPSTREAM_FAILED = "UPSTREAM_FAILED"
    UPSTREAM_CANCELED = "UPSTREAM_CANCELED"
    DISABLED = "DISABLED"


FAILURES = frozenset(
    {Outcome.FAILED, Outcome.TIMEDOUT, Outcome.CANCELED, Outcome.UPSTREAM_FAILED, Outcome.UPSTREAM_CANCELED}
)
CANCELS = frozenset({Outcome.CANCELED, Outcome.UPSTREAM_CANCELED})
BLOCKED_BY_ANY = frozenset({"ALL_SUCCESS", "ALL_FAILED"})
"""Rules that one disabled parent makes impossible. The others need all parents disabled; ALL_DONE runs all the same."""


def blocked(run_if: str, disabled: Sequence[bool]) -> bool:
    """Whether disabled parents alone keep the task from running (Databricks page "Disable tasks").

    :param disabled: for each parent, whether it is disabled.
    """
    if run_if == "ALL_DONE" or not disabled:
        return False
    return any(disabled) if run_if in BLOCKED_BY_ANY else all(disabled)


def judge(run_if: str, parents: Iterable[Outcome]) -> Verdict:
    """The verdict for a task with this `run_if`, once all parents have ended.

    - No parents: it runs.
    - All parents EXCLUDED: EXCLUDED, whatever the rule.
    - An EXCLUDED parent counts as a success, an UPSTREAM_* one as a failure, a DISABLED one as neither.
    - A rule that disabled parents alone make impossible gives DISABLED, however the others ended: it is known when the
      run is made (see `disabled.disabled_tasks`).
    - Failure handlers (AT_LEAST_ONE_FAILED, ALL_FAILED) that are unmet become EXCLUDED, the others UPSTREAM_FAILED, or
      UPSTREAM_CANCELED where every failure was a cancel.
    """
    ended = list(parents)
    if not ended:
        return Verdict.RUN
    if all(parent is Outcome.EXCLUDED for parent in ended):
        return Verdict.EXCLUDED
    if blocked(run_if, [parent is Outcome.DISABLED for parent in ended]):
        return Verdict.DISABLED
    failed = [parent for parent in ended if parent in FAILURES]
    good = [parent for parent in ended if parent in (Outcome.SUCCESS, Outcome.EXCLUDED)]
    met = {
        "ALL_SUCCESS": not failed,
        "AT_LEAST_ONE_SUCCESS": bool(good),
        "NONE_FAILED": not failed and bool(good),
        "ALL_DONE": True,
        "AT_LEAST_ONE_FAILED": bool(failed),
        "ALL_FAILED": len(failed) == len(ended),
    }[run_if]
    if met:
        return Verdict.RUN
    if run_if in ("AT_LEAST_ONE_FAILED", "ALL_FAILED"):
        return Verdict.EXCLUDED
    return Verdict.UPSTREAM_CANCELED if all(parent in CANCELS for parent in failed) else Verdict.UPSTREAM_FAILED

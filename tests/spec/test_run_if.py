"""run_if over every combination of up to three parents, against the rules restated from the Databricks pages."""

from __future__ import annotations

from itertools import product

import pytest

from medallion.spec.run_if import Outcome, Verdict, judge

RULES = ["ALL_SUCCESS", "AT_LEAST_ONE_SUCCESS", "NONE_FAILED", "ALL_DONE", "AT_LEAST_ONE_FAILED", "ALL_FAILED"]
KINDS = [
    Outcome.SUCCESS,
    Outcome.FAILED,
    Outcome.EXCLUDED,
    Outcome.UPSTREAM_FAILED,
    Outcome.CANCELED,
    Outcome.UPSTREAM_CANCELED,
    Outcome.DISABLED,
]
COMBINATIONS = [parents for count in (1, 2, 3) for parents in product(KINDS, repeat=count)]


def stated(rule: str, parents: tuple[Outcome, ...]) -> str:
    """The rule in the pages' own order of words: letters s (good), f (bad), d (disabled)."""
    if set(parents) == {Outcome.EXCLUDED}:
        return "EXCLUDED"
    letters = "".join({"SUCCESS": "s", "EXCLUDED": "s", "DISABLED": "d"}.get(parent.value, "f") for parent in parents)
    runs = {
        "ALL_SUCCESS": letters.count("s") == len(letters),
        "AT_LEAST_ONE_SUCCESS": "s" in letters,
        "NONE_FAILED": "f" not in letters and "s" in letters,
        "ALL_DONE": True,
        "AT_LEAST_ONE_FAILED": "f" in letters,
        "ALL_FAILED": letters.count("f") == len(letters),
    }[rule]
    off = {"ALL_SUCCESS": "d" in letters, "ALL_FAILED": "d" in letters, "ALL_DONE": False}
    if off.get(rule, set(letters) == {"d"}):
        return "DISABLED"
    if runs:
        return "RUN"
    if rule in {"AT_LEAST_ONE_FAILED", "ALL_FAILED"}:
        return "EXCLUDED"
    bad = {parent.value for parent, letter in zip(parents, letters, strict=True) if letter == "f"}
    return "UPSTREAM_CANCELED" if bad <= {"CANCELED", "UPSTREAM_CANCELED"} else "UPSTREAM_FAILED"


@pytest.mark.parametrize("rule", RULES)
def test_every_combination_of_up_to_three_parents(rule: str) -> None:
    wrong = {
        parents: judge(rule, parents).value
        for parents in COMBINATIONS
        if judge(rule, parents).value != stated(rule, parents)
    }
    assert wrong == {}
    assert len(COMBINATIONS) == 7 + 49 + 343


@pytest.mark.parametrize("rule", RULES)
def test_a_task_without_parents_runs(rule: str) -> None:
    assert judge(rule, []) is Verdict.RUN

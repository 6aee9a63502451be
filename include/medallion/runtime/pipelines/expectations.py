"""Expectations: rules on rows that Databricks' pipelines have and open Spark's lack. Runs in the task process.

A rule becomes a part of its dataset's query: counts by `observe`, a filter for rows to drop, an error for rows that must
not be. So a dataset is read once, a failed update writes nothing to its table, and the counts are those of the rows that
were written. Only a rule that is true is met; null is not (docs.databricks.com: ldp/expectations).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from medallion.errors import MedallionError

ATTRIBUTE = "__medallion_expectations__"
REGISTERED = "__medallion_registered__"
WARN, DROP, FAIL = "ALLOW", "DROP", "FAIL"
VIOLATION = "EXPECTATION_VIOLATION"

Function = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Expectation:
    """A rule on the rows of a dataset.

    :param condition: SQL text, or a Column.
    :param action: what becomes of an update with rows that break it: ALLOW, DROP (the rows) or FAIL (the update).
    """

    name: str
    condition: Any
    action: str


@dataclass(frozen=True, slots=True)
class Counted:
    """What came of the rules in one flow.

    :param rows: rows that the flow's query gave.
    :param kept: rows that were written.
    :param passed: by rule, rows that met it.
    """

    rows: int
    kept: int
    passed: Mapping[str, int]

    @classmethod
    def of(cls, counts: tuple[int, ...], rules: tuple[Expectation, ...]) -> Counted:
        """From the numbers of `observed`, in its order."""
        return cls(counts[0], counts[1], {rule.name: count for rule, count in zip(rules, counts[2:], strict=True)})


def single(action: str, word: str) -> Callable[[str, Any], Callable[[Function], Function]]:
    """A decorator such as `@dp.expect_or_drop(name, condition)`."""

    def rule(name: str, condition: Any = None, *, inv: Any = None) -> Callable[[Function], Function]:
        return marker(word, (Expectation(checked_name(word, name), inv if condition is None else condition, action),))

    return rule


def several(action: str, word: str) -> Callable[[Mapping[str, Any]], Callable[[Function], Function]]:
    """A decorator such as `@dp.expect_all_or_drop({name: condition, …})`."""

    def rules(expectations: Mapping[str, Any]) -> Callable[[Function], Function]:
        return marker(word, of_mapping(expectations, action, word))

    return rules


def of_mapping(expectations: Mapping[str, Any] | None, action: str, word: str) -> tuple[Expectation, ...]:
    """The rules of a dictionary."""
    if expectations is not None and not isinstance(expectations, Mapping):
        raise MedallionError(f"{word} takes a dictionary of names and conditions, not {type(expectations).__name__}")
    return tuple(Expectation(checked_name(word, name), rule, action) for name, rule in (expectations or {}).items())


def checked_name(word: str, name: Any) -> str:
    """The rule's name; its counts are found by it."""
    if not isinstance(name, str) or not name:
        raise MedallionError(f"{word}: the name of an expectation must be text, not {name!r}")
    return name


def marker(word: str, rules: tuple[Expectation, ...]) -> Callable[[Function], Function]:
    """A decorator that notes rules on a dataset's function."""

    def mark(function: Function) -> Function:
        if not callable(function) or getattr(function, REGISTERED, False):
            raise MedallionError(
                f"@{word} came too late: the dataset is defined already",
                hint=f"write @{word} below @dp.table or @dp.materialized_view, next to the function",
            )
        setattr(function, ATTRIBUTE, (*rules, *expectations_of(function)))
        return function

    return mark


def expectations_of(function: Any) -> tuple[Expectation, ...]:
    """The rules that decorators noted on a function, the upper ones first."""
    found: tuple[Expectation, ...] = getattr(function, ATTRIBUTE, ())
    return found


def observed(frame: Any, rules: tuple[Expectation, ...], name: str, dataset: str) -> Any:
    """The frame with its rules: counted under `name`, without rows to drop, failing on rows that must not be.

    The counts are: rows, rows kept, then rows that meet each rule.
    """
    from pyspark.sql import functions as sql

    def met(rule: Expectation) -> Any:
        condition = sql.expr(rule.condition) if isinstance(rule.condition, str) else rule.condition
        return sql.coalesce(condition.cast("boolean"), sql.lit(False))  # noqa: FBT003  a value

    for rule in rules:
        if rule.action == FAIL:
            start = f"{VIOLATION}: a row of {dataset} breaks the expectation {rule.name}: "
            error = sql.raise_error(sql.concat(sql.lit(start), sql.to_json(sql.struct("*")))).cast("boolean")
            frame = frame.where(sql.when(met(rule), sql.lit(True)).otherwise(error))  # noqa: FBT003  a value
    drops = [met(rule) for rule in rules if rule.action == DROP]
    kept = sql.lit(True)  # noqa: FBT003  a value
    for drop in drops:
        kept = kept & drop
    counts = [sql.count(sql.lit(1)).alias("rows"), sql.count_if(kept).alias("kept")]
    counts += [sql.count_if(met(rule)).alias(f"rule{index}") for index, rule in enumerate(rules)]
    frame = frame.observe(name, *counts)
    return frame.where(kept) if drops else frame

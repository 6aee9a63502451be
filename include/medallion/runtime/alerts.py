"""The state of an alert by its query's result: OK, TRIGGERED or UNKNOWN. Runs in the task process.

The rule is compared with the first row, or with an aggregate of the column over all rows. A triggered alert is a
success of its task (Databricks page "SQL task for jobs").
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from medallion.core.sql_names import quoted
from medallion.errors import MedallionError
from medallion.spec.problems import did_you_mean

OK, TRIGGERED, UNKNOWN = "OK", "TRIGGERED", "UNKNOWN"
COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "EQUAL": operator.eq,
    "NOT_EQUAL": operator.ne,
    "GREATER_THAN": operator.gt,
    "GREATER_THAN_OR_EQUAL": operator.ge,
    "LESS_THAN": operator.lt,
    "LESS_THAN_OR_EQUAL": operator.le,
}
NULLS = {"IS_NULL": True, "IS_NOT_NULL": False}
AGGREGATES = {
    "AVG": "avg({0})",
    "COUNT": "count({0})",
    "COUNT_DISTINCT": "count(DISTINCT {0})",
    "MAX": "max({0})",
    "MEDIAN": "median({0})",
    "MIN": "min({0})",
    "STDDEV": "stddev({0})",
    "SUM": "sum({0})",
}


class AlertRuleError(MedallionError):
    """The rule of an alert does not fit its query."""


def evaluate(frame: Any, rule: Mapping[str, Any]) -> tuple[str, str]:
    """The state of an alert, and why in a few words.

    :param frame: the query's result.
    :param rule: `op`, `column`, `aggregation`, `value`, `threshold_column`, `empty`.
    :raises AlertRuleError: the result has no such column, or the values cannot be compared.
    """
    row = frame.first()
    if row is None:
        state = str(rule.get("empty") or UNKNOWN)
        return state, f"the query gave no rows, so the alert is {state}"
    found = measured(frame, row, str(rule["column"]), rule.get("aggregation"))
    wanted = picked(row, str(rule["threshold_column"])) if rule.get("threshold_column") else rule.get("value")
    state = compare(str(rule["op"]), found, wanted)
    shown = "" if str(rule["op"]) in NULLS else f" {wanted}"
    name = f"{rule['aggregation']}({rule['column']})" if rule.get("aggregation") else rule["column"]
    return state, f"{name} is {found}; the rule is {rule['op']}{shown}"


def measured(frame: Any, row: Any, column: str, aggregation: str | None) -> Any:
    """The value that is compared."""
    picked(row, column)
    if not aggregation:
        return picked(row, column)
    if aggregation not in AGGREGATES:
        raise AlertRuleError(f"unknown aggregation {aggregation!r}", hint=did_you_mean(aggregation, AGGREGATES))
    return frame.selectExpr(AGGREGATES[aggregation].format(quoted(column))).first()[0]


def picked(row: Any, column: str) -> Any:
    """A column of a row, whatever the case of its name."""
    for name, value in zip(row.__fields__, row, strict=True):
        if name.lower() == column.lower():
            return value
    known = ", ".join(row.__fields__)
    raise AlertRuleError(
        f"the alert's query gives no column {column!r}",
        hint=did_you_mean(column, row.__fields__) or f"it gives {known}",
    )


def compare(op: str, found: Any, wanted: Any) -> str:
    """The state by one comparison. A null can only be told from no null; any other rule is UNKNOWN then."""
    if op in NULLS:
        return TRIGGERED if (found is None) == NULLS[op] else OK
    if op not in COMPARE:
        raise AlertRuleError(f"unknown comparison {op!r}", hint=did_you_mean(op, [*COMPARE, *NULLS]))
    if found is None or wanted is None:
        return UNKNOWN
    try:
        left, right = alike(found, wanted)
        return TRIGGERED if COMPARE[op](left, right) else OK
    except (TypeError, ValueError, ArithmeticError):
        raise AlertRuleError(f"{found!r} and {wanted!r} cannot be compared by {op}") from None


def alike(found: Any, wanted: Any) -> tuple[Any, Any]:
    """Both values as numbers when one of them is a number, else as text."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        return str(found).lower(), str(wanted).lower()
    if any(isinstance(value, int | float | Decimal) for value in (found, wanted)):
        return Decimal(str(found)), Decimal(str(wanted))
    return str(found), str(wanted)

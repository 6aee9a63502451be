"""If/else tasks. Executed in the Airflow task process."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from airflow.sdk import SkipMixin

from medallion.core.stored import pack
from medallion.errors import MedallionError
from medallion.factory.log import show
from medallion.factory.operators.base import LakeflowOperator
from medallion.factory.retry import AttemptRefused
from medallion.factory.scope import AttemptScope, UpstreamTask
from medallion.spec.references import resolve_task

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context

    from medallion.factory.attempt import Attempt
    from medallion.settings import Settings


NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,9})?")
"""Python's own readers take `1_000`, digits of other scripts and NaN as well."""


def number(text: str) -> Decimal:
    """An operand of an ordering operator as a number."""
    if NUMBER.fullmatch(text.strip()) is None:
        raise MedallionError(f"operand {text!r} is not a number", hint="only EQUAL_TO and NOT_EQUAL compare text")
    return Decimal(text.strip())


OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "EQUAL_TO": lambda left, right: left == right,
    "NOT_EQUAL": lambda left, right: left != right,
    "GREATER_THAN": lambda left, right: number(left) > number(right),
    "GREATER_THAN_OR_EQUAL": lambda left, right: number(left) >= number(right),
    "LESS_THAN": lambda left, right: number(left) < number(right),
    "LESS_THAN_OR_EQUAL": lambda left, right: number(left) <= number(right),
}
"""Equality compares text ("12.0" is not "12"), order compares numbers (Databricks page "If/else task")."""


class OperandTask(UpstreamTask):
    """A task whose values are operands: text, numbers and booleans (Databricks page "If/else task")."""

    def value(self, key: str) -> Any:
        """A task value; raises KeyError when there is none, MedallionError when it cannot be compared."""
        found = super().value(key)
        if isinstance(found, (Mapping, list)) or found is None:
            raise MedallionError(
                f"task value {key!r} of task {self.key!r} cannot be compared",
                hint="an if/else task compares text, numbers and booleans",
            )
        return found


class OperandScope(AttemptScope):
    """The scope of operands."""

    upstream_task = OperandTask


class ConditionOperator(LakeflowOperator, SkipMixin):
    """Compares two operands and leaves the tasks behind the other outcome out.

    :param edges: task ids behind one outcome and nothing else, `{"true": [...], "false": [...]}`. Tasks with other parents
        too judge for themselves, when all of them have ended.
    """

    ui_color = "#fff8e1"
    inherits_from_skipmixin = True
    """Without it Airflow runs an excluded task after a clear, though its edge was not taken."""

    def __init__(self, *, edges: dict[str, list[str]] | None = None, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.edges = edges or {}

    def work(self, context: Context, attempt: Attempt, settings: Settings) -> str:
        """Decide; the outcome is `true` or `false`."""
        from medallion.runtime.protocol import TaskResult

        instance = context["ti"]
        scope = OperandScope(context, self, attempt, settings)
        payload = resolve_task("condition_task", self.task.payload_json(), scope)
        left, right, operator = payload["left"], payload["right"], payload["op"]
        try:
            outcome = "true" if OPERATORS[operator](left, right) else "false"
        except MedallionError as error:
            error.message = f"task {self.task.task_key}: {error.message}"
            raise AttemptRefused(error) from None
        show(f"{left!r} {operator} {right!r}: {outcome}")
        # skip() ends the task by an exception, so what is kept is pushed before it.
        for key, value in (("outcome", outcome), ("left", left), ("right", right), ("return_value", outcome)):
            instance.xcom_push(key=key, value=pack(value))
        record = {"op": operator, "left": left, "right": right, "outcome": outcome}
        attempt.keep(settings, TaskResult(success=True, output=record))
        other = "false" if outcome == "true" else "true"
        taken = self.edges.get(outcome, ())
        excluded = [key for key in self.edges.get(other, ()) if key not in taken]
        if excluded:
            self.skip(instance, [self.dag.get_task(key) for key in excluded])
        return outcome

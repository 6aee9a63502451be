"""What references `{{…}}` of a task stand for in one attempt. Runs in the Airflow task process.

Implements `spec.references.Scope`: answers are fetched when a reference asks for them, not before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context

    from medallion.factory.attempt import Attempt
    from medallion.factory.operators.base import LakeflowOperator


def resolve_in(context: Context, operator: LakeflowOperator, attempt: Attempt, value: Any) -> Any:  # noqa: ANN401
    """`value` (text, or lists and mappings of it) with its references resolved."""
    return value


def resolve_parameters(context: Context, operator: LakeflowOperator, attempt: Attempt) -> dict[str, str]:
    """The run's job parameters by name, with their own references resolved."""
    return {}

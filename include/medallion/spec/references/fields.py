"""Which fields of a task take references. Pure; read by the check and by the worker, so that both agree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medallion.spec.references.resolve import resolve_tree
from medallion.spec.references.scope import Scope

REFERENCE_FIELDS: Mapping[str, tuple[str, ...]] = {
    "notebook_task": ("base_parameters",),
    "spark_python_task": ("parameters",),
    "python_wheel_task": ("parameters", "named_parameters"),
    "spark_jar_task": ("parameters",),
    "spark_submit_task": ("parameters",),
    "sql_task": ("parameters",),
    "dbt_task": ("commands",),
    "pipeline_task": ("parameters",),
    "run_job_task": (
        "job_parameters",
        "notebook_params",
        "python_params",
        "python_named_params",
        "jar_params",
        "spark_submit_params",
        "sql_params",
        "dbt_commands",
    ),
    "condition_task": ("left", "right"),
    "for_each_task": ("inputs",),
    "dashboard_task": ("filters",),
    "alert_task": ("parameters",),
    "clean_rooms_notebook_task": ("notebook_base_parameters",),
    "python_operator_task": ("parameters",),
}
"""Task type → its fields whose texts take references. The task inside a for-each task counts by its own type."""


def resolve_task(kind: str, payload: Mapping[str, Any], scope: Scope) -> dict[str, Any]:
    """The object of a task type with the references resolved in the fields that take them.

    :param kind: such as `notebook_task`; a type that is not in the table is returned as it is.
    :raises ReferenceFault: as `resolve`.
    """
    fields = REFERENCE_FIELDS.get(kind, ())
    return {name: resolve_tree(value, scope) if name in fields else value for name, value in payload.items()}

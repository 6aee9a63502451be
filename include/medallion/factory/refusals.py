"""Kinds of tasks that load and cannot run on this machine, and what to say of them. Runs where jobs are checked; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from medallion.errors import UnsupportedError


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a kind of task needs Databricks.

    :param what: what the task does there.
    :param instead: what could stand in for it here, if anything.
    """

    what: str
    instead: str = ""


NOT_YET = "Medallion cannot hand tasks on to a Databricks workspace yet"
"""What every hint says that would name a Databricks target."""
REASONS: Mapping[str, Reason] = {
    "ai_function_task": Reason("calls AI functions that Databricks serves", "call a model from a notebook"),
    "ai_runtime_task": Reason("trains on Databricks' serverless GPUs", "train in a notebook or a wheel"),
    "clean_rooms_notebook_task": Reason("runs in a clean room that Databricks hosts"),
    "dashboard_task": Reason(
        "refreshes an AI/BI dashboard of Databricks", "query the tables in a notebook or SQL task"
    ),
    "dbt_cloud_task": Reason("starts a job of dbt Cloud by a connection of Databricks", "use a dbt_task"),
    "dbt_platform_task": Reason("starts a job of the dbt platform by a connection of Databricks", "use a dbt_task"),
    "gen_ai_compute_task": Reason("trains on GPUs of Databricks", "train in a notebook or a wheel"),
    "power_bi_task": Reason("updates a semantic model of Power BI by a connection of Databricks"),
    "python_operator_task": Reason(
        "runs an operator of a private preview of Databricks", "call the function in a spark_python_task"
    ),
}
"""Kinds that only Databricks can run. Kinds without a row are newer than this version."""


RUNS_HERE = frozenset(
    {
        *("notebook_task", "spark_python_task", "python_wheel_task", "sql_task", "alert_task", "dbt_task"),
        *("spark_jar_task", "spark_submit_task", "pipeline_task", "condition_task", "run_job_task", "for_each_task"),
    }
)
"""Kinds that this machine runs."""


def refusal(task_key: str, kind: str) -> UnsupportedError:
    """What to say of a task that cannot run here."""
    reason = REASONS.get(kind)
    if reason is None:
        return UnsupportedError(f"task {task_key}: this version does not know how to run {kind}", hint=NOT_YET)
    return UnsupportedError(
        f"task {task_key}: a {kind} {reason.what}, so it runs on Databricks only",
        hint=f"here, {reason.instead}; {NOT_YET}" if reason.instead else NOT_YET,
    )


def sql_dashboard(task_key: str) -> UnsupportedError:
    """What to say of a SQL task with a legacy dashboard."""
    return UnsupportedError(f"task {task_key}: a dashboard of a sql_task is Databricks only", hint=NOT_YET)

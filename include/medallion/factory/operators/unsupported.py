"""Tasks that load and cannot run on this machine. Executed in the Airflow task process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowFailException

from medallion.errors import UnsupportedError
from medallion.factory.operators.base import LakeflowOperator

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context

    from medallion.factory.attempt import Attempt
    from medallion.settings import Settings


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a kind of task needs Databricks.

    :param what: what the task does there.
    :param instead: what could stand in for it here, if anything.
    """

    what: str
    instead: str = ""


TARGET = "give the task a cluster or warehouse that a target of kind databricks stands for in medallion.toml"
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


def refusal(task_key: str, kind: str) -> UnsupportedError:
    """What to say of a task that cannot run here."""
    reason = REASONS.get(kind)
    if reason is None:
        return UnsupportedError(
            f"task {task_key}: this version does not know how to run {kind}", hint=f"to run it on Databricks {TARGET}"
        )
    instead = f"; here, {reason.instead}" if reason.instead else ""
    return UnsupportedError(
        f"task {task_key}: a {kind} {reason.what}, so it runs on Databricks only",
        hint=f"to run it there, {TARGET}{instead}",
    )


class UnsupportedOperator(LakeflowOperator):
    """Fails at once, without retries, and says what the task needs."""

    ui_color = "#fdecea"

    def work(self, context: Context, attempt: Attempt, settings: Settings) -> None:
        """Say that this kind of task needs Databricks."""
        message = refusal(self.task.task_key, self.task.kind)
        raise AirflowFailException(str(message))

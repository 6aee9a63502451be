"""Tasks that load and cannot run on this machine. Executed in the Airflow task process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medallion.factory.operators.base import LakeflowOperator
from medallion.factory.refusals import refusal
from medallion.factory.retry import AttemptRefused

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context

    from medallion.factory.attempt import Attempt
    from medallion.settings import Settings


class UnsupportedOperator(LakeflowOperator):
    """Fails at once, without retries, and says what the task needs."""

    ui_color = "#fdecea"

    def work(self, context: Context, attempt: Attempt, settings: Settings) -> None:
        """Say that this kind of task needs Databricks."""
        raise AttemptRefused(refusal(self.task.task_key, self.task.kind))

"""Tasks that load and cannot run on this target. Executed in the Airflow task process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowFailException

from medallion.errors import UnsupportedError
from medallion.factory.operators.base import LakeflowOperator

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context

    from medallion.factory.attempt import Attempt
    from medallion.settings import Settings


class UnsupportedOperator(LakeflowOperator):
    """Fails at once, without retries, and says what the task needs."""

    ui_color = "#fdecea"

    def work(self, context: Context, attempt: Attempt, settings: Settings) -> None:
        """Say that this kind of task needs Databricks."""
        message = UnsupportedError(
            f"task {self.task.task_key}: {self.task.kind} cannot run on this machine",
            hint="it needs Databricks, or a later version of Medallion; see docs/parity.md",
        )
        raise AirflowFailException(str(message))

"""Tasks with `disabled: true`. Executed in the Airflow task process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowSkipException

from medallion.factory.operators.base import LakeflowOperator

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context

    from medallion.factory.attempt import Attempt
    from medallion.settings import Settings


class DisabledOperator(LakeflowOperator):
    """Is skipped; the run's record calls it DISABLED."""

    ui_color = "#eeeeee"

    def work(self, context: Context, attempt: Attempt, settings: Settings) -> None:
        """Leave."""
        raise AirflowSkipException(f"task {self.task.task_key} is disabled")

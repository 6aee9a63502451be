"""The task in front of one whose `run_if` no trigger rule states. Executed in the Airflow task process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowSkipException

from medallion.factory.operators.base import LakeflowOperator, verdict
from medallion.spec.run_if import Verdict

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context

    from medallion.factory.attempt import Attempt
    from medallion.settings import Settings


class RunIfGate(LakeflowOperator):
    """Succeeds when the task may run, is skipped when not. See `graph.wire_gate` for the two together."""

    ui_color = "#f5f5f5"

    def work(self, context: Context, attempt: Attempt, settings: Settings) -> None:
        """Judge the parents."""
        found = verdict(self.definition, self.task, context)
        self.log.info("run_if %s of task %s: %s", self.task.run_if, self.task.task_key, found)
        if found is not Verdict.RUN:
            raise AirflowSkipException(f"task {self.task.task_key} will be {found}")

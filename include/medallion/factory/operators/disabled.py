"""Tasks with `disabled: true`. Executed in the Airflow task process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from medallion.errors import MedallionError
from medallion.factory.operators.base import LakeflowOperator
from medallion.factory.operators.unsupported import UnsupportedOperator
from medallion.spec.disabled import disabled_in_run

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context

    from medallion.factory.attempt import Attempt
    from medallion.settings import Settings

MANY_PARTS = frozenset({"for_each_task", "run_job_task"})


class DisabledOperator(LakeflowOperator):
    """Is skipped; the run's record calls it DISABLED. A repair that names it, or in which it had failed, runs it."""

    ui_color = "#eeeeee"

    def work(self, context: Context, attempt: Attempt, settings: Settings) -> Any:
        """Leave, or do what the task would do if it were enabled."""
        if self.place not in disabled_in_run(self.definition.job, attempt.conf):
            return self.enabled().work(context, attempt, settings)
        raise AirflowSkipException(f"task {self.task.task_key} is disabled")

    def enabled(self) -> LakeflowOperator:
        """The operator of the task's kind.

        :raises MedallionError: the kind needs more than one task of Airflow, or waits outside its process.
        """
        from medallion.factory.graph import OPERATORS

        if self.task.kind in MANY_PARTS:
            raise MedallionError(
                f"task {self.task.task_key}: a repair cannot run a disabled {self.task.kind}",
                hint="take `disabled: true` away and repair the run",
            )
        kind = OPERATORS.get(self.task.kind, UnsupportedOperator)
        return kind(task_id=self.task_id, definition=self.definition, task=self.task)

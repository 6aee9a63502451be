"""The task in front of one whose `run_if` no trigger rule states. Executed in the Airflow task process."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowSkipException

from medallion.factory.log import show
from medallion.factory.operators.base import LakeflowOperator, verdict
from medallion.factory.retry import AttemptFailed
from medallion.spec.run_if import Verdict

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context

    from medallion.factory.attempt import Attempt
    from medallion.settings import Settings


class RunIfGate(LakeflowOperator):
    """Succeeds when the task may run, is skipped when it is EXCLUDED, fails when it is UPSTREAM_FAILED.

    The task behind it has no other parent, so Airflow gives it the very state. A repair that clears what failed clears
    the gate too, and it judges anew.
    """

    ui_color = "#f5f5f5"

    def attempt(self, context: Context) -> Attempt:
        """Its own: what it leaves must not count as an attempt of the task behind it."""
        return replace(super().attempt(context), record=self.task_id)

    def work(self, context: Context, attempt: Attempt, settings: Settings) -> None:
        """Judge the parents."""
        found = verdict(self.definition, self.task, context)
        if found is Verdict.RUN:
            show(f"run_if {self.task.run_if or 'ALL_SUCCESS'}: met")
            return
        told = f"run_if {self.task.run_if or 'ALL_SUCCESS'}: not met, so task {self.task.task_key} is {found}"
        show(told)
        if found in (Verdict.UPSTREAM_FAILED, Verdict.UPSTREAM_CANCELED):
            raise AttemptFailed(told)
        raise AirflowSkipException(told)

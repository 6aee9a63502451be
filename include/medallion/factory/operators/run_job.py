"""Run-job tasks: start another job's run and wait for it. Executed in the Airflow task process."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException, DagRunTriggerException

from medallion.errors import MedallionError
from medallion.factory.operators.base import LakeflowOperator, show
from medallion.factory.retry import AttemptFailed
from medallion.factory.scope import AttemptScope
from medallion.runs import ids
from medallion.runs.notes import read_notes
from medallion.runs.records import CANCELED, run_folder
from medallion.runs.rules import at_once
from medallion.spec.parameters import BY_TYPE, pushed_down
from medallion.spec.references import resolve_task

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context

    from medallion.factory.attempt import Attempt
    from medallion.settings import Settings

POLL_SECONDS = 1
MAX_NESTING = 3
"""Run-job tasks inside run-job tasks (Databricks page "Run job task")."""


def keep_links(settings: Settings, attempt: Attempt, child: str, run_id: str) -> None:
    """Leave `child.json` in the attempt's folder and `parent.json` in the child run's: each names the other."""
    from medallion.runtime.protocol import write_whole

    below = {
        "dag_id": child,
        "airflow_run_id": run_id,
        "job_id": ids.job_id(child),
        "run_id": ids.run_id(child, run_id),
    }
    above = {
        "dag_id": attempt.dag_id,
        "airflow_run_id": attempt.airflow_run_id,
        "run_id": attempt.run_id,
        "task_key": attempt.task_key,
        "task_run_id": attempt.task_run_id,
    }
    places = {
        attempt.folder(settings) / "child.json": below,
        run_folder(settings.home, child, run_id) / "parent.json": above,
    }
    for place, facts in places.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place, json.dumps(facts))


class RunJobOperator(LakeflowOperator):
    """Starts the child job with the task's parameters and this job's over them; the child's result decides."""

    ui_color = "#e0f2f1"

    def work(self, context: Context, attempt: Attempt, settings: Settings) -> None:
        """Start the child; Airflow waits for it."""
        from medallion.factory.jobs import dag_id_of_job

        depth = int(attempt.conf.get("run_job_depth", 0)) + 1
        if depth > MAX_NESTING:
            raise AirflowFailException(f"task {self.task.task_key}: jobs may be nested {MAX_NESTING} levels deep")
        scope = AttemptScope(context, self, attempt, settings)
        payload = resolve_task("run_job_task", self.task.payload.to_json(), scope)
        child = dag_id_of_job(settings, self.definition, payload["job_id"])
        if child is None:
            raise MedallionError(
                f"task {self.task.task_key}: no job {payload['job_id']!r} is known here",
                hint="put its definition below the jobs folder",
            )
        parameters = pushed_down("run_job_task", payload.get("job_parameters") or {}, scope.parameters)
        run_id = f"run_job__{attempt.task_run_id}"
        show(f"Starting job {child}, run {run_id}")
        context["ti"].xcom_push(key="run_id", value={"dag_id": child, "run_id": run_id})
        keep_links(settings, attempt, child, run_id)
        now = datetime.now(UTC)
        raise DagRunTriggerException(
            trigger_dag_id=child,
            dag_run_id=run_id,
            conf={
                **{name: value for name, value in payload.items() if name in BY_TYPE and value},
                "job_parameters": parameters,
                "trigger_type": "run_job_task",
                "run_job_depth": depth,
                "parent_run_id": attempt.run_id,
            },
            logical_date=None,
            run_after=at_once(now),
            reset_dag_run=False,
            skip_when_already_exists=False,
            wait_for_completion=True,
            allowed_states=["success"],
            failed_states=["failed"],
            poke_interval=POLL_SECONDS,
            deferrable=True,
        )

    def execute_complete(self, context: Context, event: tuple[str, dict[str, Any]] | dict[str, Any]) -> None:
        """The child's run has ended: Airflow calls this name when the task goes on after its wait.

        :param event: of the trigger; the state of each run by its id.
        :raises AttemptFailed: the child failed.
        :raises AirflowFailException: a person cancelled it.
        """
        told = event if isinstance(event, dict) else event[1]
        failed = [run_id for run_id in told["run_ids"] if told.get(run_id) == "failed"]
        if failed:
            child = str(told.get("dag_id", "the job"))
            self.leave_when_canceled(context, child, failed[0])
            raise AttemptFailed(f"the run {failed[0]} of {child} failed{why_skipped(child, failed[0])}")

    def leave_when_canceled(self, context: Context, child: str, run_id: str) -> None:
        """A child that a person cancelled makes this task CANCELED; it is not tried again."""
        from medallion.runtime.protocol import Failure, TaskResult
        from medallion.settings import Settings

        settings = Settings.load()
        if read_notes(settings.home, child, run_id).get("canceled"):
            text = f"the run {run_id} of {child} was cancelled"
            self.attempt(context).keep(settings, TaskResult(success=False, failure=Failure(CANCELED, text)))
            show(text)
            raise AirflowFailException(text)


def why_skipped(child: str, run_id: str) -> str:
    """Why the child never ran, as the end of a sentence; empty when it ran."""
    from medallion.runs.skipping import termination_of
    from medallion.settings import Settings

    found = termination_of(read_notes(Settings.load().home, child, run_id))
    return f": {found.message}" if found else ""

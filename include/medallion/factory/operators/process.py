"""Tasks that run in a process of their own: notebooks, scripts, wheels, SQL. Executed in the Airflow task process."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowTaskTimeout

from medallion.factory.answers import AirflowAnswers
from medallion.factory.operators.base import LakeflowOperator, show
from medallion.factory.retry import AttemptFailed
from medallion.factory.scope import AttemptScope
from medallion.factory.work import WORK
from medallion.runs.records import TIMEOUT
from medallion.runs.writes import commit_metadata
from medallion.spec.references import resolve_task

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context

    from medallion.factory.attempt import Attempt
    from medallion.runtime.protocol import Places, TaskContext, TaskResult
    from medallion.settings import Settings


class ProcessOperator(LakeflowOperator):
    """Starts the task's process, passes its output on as it comes, and turns its result into the task's."""

    ui_color = "#e6f4ea"

    def work(self, context: Context, attempt: Attempt, settings: Settings) -> str | None:
        """Run the user's code; gives the notebook's exit value."""
        from medallion.compute.pool import DriverPool
        from medallion.compute.targets import driver_for_task
        from medallion.runtime.launch import launch
        from medallion.runtime.protocol import Failure, TaskResult

        answers = AirflowAnswers(context["ti"], ancestors=self.ancestors(), scopes=settings.secret_scopes)
        task_context = self.task_context(AttemptScope(context, self, attempt, settings), attempt, settings)
        pool = DriverPool(settings)
        shared = self.task.job_cluster_key
        holder = attempt.holder(shared or f"{attempt.task_key}.{attempt.map_index}")
        try:
            driver = pool.acquire(driver_for_task(settings, self.task, self.definition.job), holder, progress=show)
            result = launch(replace(task_context, driver=str(driver)), settings, answers=answers, on_output=show)
        except AirflowTaskTimeout:
            told = f"task {attempt.task_key} ran longer than {self.task.timeout_seconds} s and was ended"
            show(f"Timeout: {told}")
            attempt.keep(settings, TaskResult(success=False, failure=Failure(TIMEOUT, told)))
            raise
        finally:
            answers.tell_keys()
            # A job cluster's lease is given back by its teardown.
            if not shared:
                pool.release(holder)
        return self.finish(context, result)

    def task_context(self, scope: AttemptScope, attempt: Attempt, settings: Settings) -> TaskContext:
        """Everything that the process needs, but the driver."""
        from medallion.runtime.protocol import TaskContext

        payload = resolve_task(self.task.kind, self.task.payload.to_json(), scope)
        work = WORK[self.task.kind](payload, scope.parameters)
        folder = attempt.folder(settings)
        folder.mkdir(parents=True, exist_ok=True)
        written_by = commit_metadata(
            job_id=attempt.job_id, run_id=attempt.run_id, task_key=attempt.task_key, task_run_id=attempt.task_run_id
        )
        return TaskContext(
            kind=work.kind,
            path=self.local_path(work.path) if work.kind != "wheel" else work.path,
            workspace_path=work.path,
            parameters=work.parameters,
            argv=work.argv,
            output=str(folder),
            places=self.places(settings),
            ids=attempt.ids(),
            root=str(self.definition.root),
            tag=attempt.tag,
            options={**work.options, "user_metadata": written_by},
        )

    def local_path(self, path: str) -> str:
        """A path relative to the definition as a local one; a workspace path or address as it is."""
        return path if path.startswith(("/", "dbfs:", "file:")) else str(self.definition.root / path)

    def places(self, settings: Settings) -> Places:
        """The folders that Databricks' paths stand for, the bundle's own workspace folder among them."""
        from medallion.runtime.protocol import Places

        workspace = {prefix: str(folder) for prefix, folder in settings.workspace.items()}
        if self.definition.deployed:
            workspace[self.definition.deployed.rstrip("/")] = str(self.definition.root)
        return Places(
            lake=str(settings.lake), volumes=str(settings.volumes), dbfs=str(settings.dbfs), workspace=workspace
        )

    def finish(self, context: Context, result: TaskResult) -> str | None:
        """The exit value, or an end that Airflow treats as failed. The user's traceback is in the log already."""
        if result.output is not None:
            context["ti"].xcom_push(key="output", value=result.output)
        if not result.success:
            raise AttemptFailed(result.failure.message if result.failure else "the task's process gave no result")
        return result.exit_value

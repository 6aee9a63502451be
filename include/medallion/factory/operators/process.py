"""Tasks that run in a process of their own: notebooks, scripts, wheels, SQL. Executed in the Airflow task process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowTaskTimeout

from medallion.factory.answers import AirflowAnswers
from medallion.factory.operators.base import LakeflowOperator
from medallion.factory.retry import AttemptFailed
from medallion.factory.work import WORK

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context

    from medallion.factory.attempt import Attempt
    from medallion.runtime.protocol import TaskContext, TaskResult
    from medallion.settings import Settings


class ProcessOperator(LakeflowOperator):
    """Starts the task's process, passes its output on as it comes, and turns its result into the task's."""

    ui_color = "#e6f4ea"

    def work(self, context: Context, attempt: Attempt, settings: Settings) -> str | None:
        """Run the user's code; gives the notebook's exit value."""
        from medallion.runtime.launch import launch

        answers = AirflowAnswers(context["ti"], ancestors=self.ancestors(), scopes=settings.secret_scopes)
        holder = attempt.holder(self.task.job_cluster_key or f"{attempt.task_key}.{attempt.map_index}")
        try:
            task_context = self.task_context(context, attempt, settings, holder)
            result = launch(task_context, settings, answers=answers, on_output=show)
        except AirflowTaskTimeout:
            print(f"Task {attempt.task_key} ran longer than {self.task.timeout_seconds} s and was ended", flush=True)  # noqa: T201
            raise
        finally:
            self.release(settings, holder)
        return self.finish(context, result)

    def task_context(self, context: Context, attempt: Attempt, settings: Settings, holder: str) -> TaskContext:
        """Everything that the process needs, with a lease on a driver when the task uses Spark."""
        prepare = WORK[self.task.kind]
        prepared = prepare(self, context, attempt, settings)
        if not prepared.spark:
            return prepared.context
        from medallion.compute.pool import DriverPool
        from medallion.compute.targets import driver_for_task

        spec = driver_for_task(settings, self.task, self.definition.job)
        connection = DriverPool(settings).acquire(spec, holder)
        return replace(prepared.context, driver=str(connection))

    def release(self, settings: Settings, holder: str) -> None:
        """Give the lease back, unless it is the job cluster's, which its teardown gives back."""
        if self.task.job_cluster_key:
            return
        from medallion.compute.pool import DriverPool

        DriverPool(settings).release(holder)

    def finish(self, context: Context, result: TaskResult) -> str | None:
        """The exit value, or an end that Airflow treats as failed. The user's traceback is in the log already."""
        if result.output is not None:
            context["ti"].xcom_push(key="output", value=result.output)
        if not result.success:
            failure = result.failure
            raise AttemptFailed(failure.message if failure else "the task's process gave no result")
        return result.exit_value

    def ancestors(self) -> set[str]:
        """Keys of all tasks upstream of this one, whose values it may ask for."""
        parents = {task.task_key: [edge.task_key for edge in task.depends_on or ()] for task in self.definition.job.tasks or ()}
        found: set[str] = set()
        waiting = list(parents.get(self.task.task_key, ()))
        while waiting:
            key = waiting.pop()
            if key not in found:
                found.add(key)
                waiting.extend(parents.get(key, ()))
        return found


def show(text: str) -> None:
    """One line of the user's output, as it stands, into Airflow's log of the task."""
    print(text, flush=True)  # noqa: T201


def places_of(settings: Settings, root: Path, deployed: str | None) -> Any:  # noqa: ANN401
    """The folders that Databricks' paths stand for, the bundle's own workspace folder among them."""
    from medallion.runtime.protocol import Places

    workspace = {prefix: str(folder) for prefix, folder in settings.workspace.items()}
    if deployed:
        workspace[deployed.rstrip("/")] = str(root)
    return Places(
        lake=str(settings.lake), volumes=str(settings.volumes), dbfs=str(settings.dbfs), workspace=workspace
    )

"""Tasks that run in a process of their own: notebooks, scripts, wheels, SQL. Executed in the Airflow task process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from airflow.sdk.exceptions import AirflowTaskTimeout

from medallion.core.stored import pack
from medallion.core.text import storable
from medallion.factory.log import show
from medallion.factory.operators.base import LakeflowOperator
from medallion.factory.places import places_of
from medallion.factory.retry import AttemptFailed
from medallion.factory.scope import AttemptScope
from medallion.factory.work import WORK
from medallion.runs.health import stream_options
from medallion.runs.records import TIMEOUT
from medallion.runs.writes import commit_metadata
from medallion.spec.parameters import of_run
from medallion.spec.references import resolve_task

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context

    from medallion.compute.driver import DriverSpec
    from medallion.compute.targets import Secrets
    from medallion.factory.attempt import Attempt
    from medallion.factory.work import Payload, Work
    from medallion.runtime.protocol import Places, TaskContext, TaskResult
    from medallion.settings import Settings


PATHLESS = frozenset({"wheel", "jar", "submit", "pipeline"})
"""Kinds of work whose path is a name."""


DRIVERS = 3
"""How many drivers a task is given one after the other, when they end before it begins."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a task's process is told, and the settings that its driver needs besides its cluster's."""

    context: TaskContext
    spark_conf: Mapping[str, str]


class ProcessOperator(LakeflowOperator):
    """Starts the task's process, passes its output on as it comes, and turns its result into the task's."""

    ui_color = "#e6f4ea"
    packages: ClassVar[tuple[str, ...]] = ()
    """Requirement lines that every task of this kind needs."""
    attached: ClassVar[bool] = True
    """Whether the task's process gets a driver of the pool."""
    instead_of: ClassVar[frozenset[str]] = frozenset()
    """Packages that are left out of what the task asks for, because those take their place."""

    def work(self, context: Context, attempt: Attempt, settings: Settings) -> str | None:
        """Run the user's code; gives the notebook's exit value."""
        from medallion.compute.pool import DriverPool
        from medallion.factory.lineage import tell_lineage
        from medallion.runtime.launch import launch
        from medallion.runtime.protocol import Failure, TaskResult

        scope = AttemptScope(context, self, attempt, settings)
        answers = scope.answers
        pool = DriverPool(settings)
        shared = self.task.job_cluster_key
        holder = attempt.holder(shared or f"{attempt.record or attempt.task_key}.{attempt.map_index}")
        try:
            ready = self.prepare(scope, attempt, settings)
            spec = self.driver_spec(ready.spark_conf, attempt, settings, answers.secret) if self.attached else None
            for left in reversed(range(DRIVERS)):
                driver = str(pool.acquire(spec, holder, progress=show)) if spec else None
                told = replace(ready.context, driver=driver)
                result = launch(told, settings, answers=answers, on_output=show, masks=answers.given)
                if not left or not never_began(result):
                    break
                show("The Spark driver ended before the task began; the task gets another")
        except AirflowTaskTimeout:
            show(f"Timeout: {self.late}")
            attempt.keep(settings, TaskResult(success=False, failure=Failure(TIMEOUT, self.late)))
            raise
        finally:
            answers.tell_keys()
            # A job cluster's lease is given back by its teardown.
            if not shared:
                pool.release(holder)
        exit_value = self.finish(context, result)
        tell_lineage(self, context, attempt, settings)
        return exit_value

    def driver_spec(
        self, spark_conf: Mapping[str, str], attempt: Attempt, settings: Settings, secret: Secrets
    ) -> DriverSpec:
        """The driver that the task asks for; the log names its target, when it is another than this machine's own.

        :param spark_conf: settings that the task itself brings.
        :param secret: gives a secret's text for `{{secrets/scope/key}}` in the cluster's settings and variables.
        """
        from medallion.compute.targets import DEFAULT_TARGET, Wish, driver_for_task

        wish = Wish.of(self.definition, attempt.conf, self.task.task_key, self.place, dag_id=attempt.dag_id)
        spec = driver_for_task(
            settings, self.task, self.definition.job, wish=wish, secret=secret, spark_conf=spark_conf
        )
        if spec.on_cluster or spec.target != DEFAULT_TARGET:
            show(f"Target {spec.target}: {spec.in_words}")
        return spec

    def prepare(self, scope: AttemptScope, attempt: Attempt, settings: Settings) -> Prepared:
        """Everything that the process needs, but the driver; and what the driver needs."""
        from medallion.factory.equipment import equip
        from medallion.factory.sources import files_of
        from medallion.runtime.protocol import TaskContext

        payload = of_run(self.task.kind, resolve_task(self.task.kind, self.task.payload_json(), scope), attempt.conf)
        files = files_of(self.definition, self.task.kind, payload, attempt, settings)
        work = self.work_of(payload, scope.parameters, settings)
        places = self.places(settings)
        extra = equip(
            self.definition,
            self.task,
            settings=settings,
            places=places,
            progress=show,
            root=files.root,
            packages=self.packages,
            without=self.instead_of,
        )
        folder = attempt.folder(settings)
        folder.mkdir(parents=True, exist_ok=True)
        written_by = commit_metadata(
            job_id=attempt.job_id, run_id=attempt.run_id, task_key=attempt.task_key, task_run_id=attempt.task_run_id
        )
        told = TaskContext(
            kind=work.kind,
            path=work.path if work.kind in PATHLESS or "sql" in work.options else files.local(work.path),
            workspace_path=work.path,
            parameters=work.parameters,
            argv=work.argv,
            output=str(folder),
            places=places,
            ids=attempt.ids(),
            root=str(files.root),
            environment=extra.variables,
            tag=attempt.tag,
            options={
                **work.options,
                **extra.options,
                **stream_options(self.definition.job, self.task),
                "user_metadata": written_by,
            },
        )
        return Prepared(told, extra.spark_conf)

    def work_of(self, payload: Payload, parameters: Mapping[str, str], settings: Settings) -> Work:
        """What the process is told to run."""
        return WORK[self.task.kind](payload, parameters)

    def places(self, settings: Settings) -> Places:
        """The folders that Databricks' paths stand for, the bundle's own workspace folder among them."""
        return places_of(settings, self.definition)

    def finish(self, context: Context, result: TaskResult) -> str | None:
        """The exit value, or an end that Airflow treats as failed. The user's traceback is in the log already."""
        if result.output is not None:
            context["ti"].xcom_push(key="output", value=pack(result.output))
        if not result.success:
            raise AttemptFailed(
                storable(result.failure.message) if result.failure else "the task's process gave no result"
            )
        return None if result.exit_value is None else pack(result.exit_value)


def never_began(result: TaskResult) -> bool:
    """Whether the driver was gone before any of the user's code ran: another task had ended it."""
    return result.failure is not None and result.failure.early and result.failure.kind == "DriverLost"

"""Tasks that run a JAR's main class, in the run's driver or by a spark-submit of their own. Airflow task process."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import unquote, urlparse

from medallion.errors import MedallionError
from medallion.factory.log import show
from medallion.factory.operators.process import Prepared, ProcessOperator

if TYPE_CHECKING:
    from medallion.factory.attempt import Attempt
    from medallion.factory.scope import AttemptScope
    from medallion.settings import Settings


class JarOperator(ProcessOperator):
    """Gives the task's JARs to its process, which loads them in a class loader of the task's own.

    So the task shares the run's driver. Maven coordinates stay with the driver's settings: Spark resolves them when a
    driver starts, so such a task has one of its own.
    """

    def prepare(self, scope: AttemptScope, attempt: Attempt, settings: Settings) -> Prepared:
        """As for any process, with the JARs as files."""
        ready = super().prepare(scope, attempt, settings)
        conf = dict(ready.spark_conf)
        jars = [unquote(urlparse(uri).path) for uri in conf.pop("spark.jars", "").split(",") if uri]
        context = ready.context
        if not jars and "spark.jars.packages" not in conf:
            raise MedallionError(
                f"task {self.task.task_key}: spark_jar_task has no JAR",
                hint="list it in the task's libraries: - jar: ./path/to/app.jar",
            )
        return Prepared(replace(context, options={**context.options, "jars": jars}), conf)


class SubmitOperator(ProcessOperator):
    """Runs the parameters as a spark-submit command line: a driver of its own, which ends with the task."""

    attached: ClassVar[bool] = False

    def prepare(self, scope: AttemptScope, attempt: Attempt, settings: Settings) -> Prepared:
        """As for any process, with the whole command of the driver."""
        from medallion.compute.jars import fetch_jars
        from medallion.compute.java import find_java
        from medallion.compute.master import require_answer
        from medallion.compute.submit import command

        ready = super().prepare(scope, attempt, settings)
        spec = self.driver_spec(ready.spark_conf, attempt, settings, scope.answers.secret)
        require_answer(spec.target, spec.master)
        context = ready.context
        made = command(
            spec,
            settings,
            find_java(settings.java_home),
            fetch_jars(settings),
            attempt.folder(settings),
            context.argv,
            context.places,
            str(context.options.get("user_metadata") or ""),
        )
        for note in made.notes:
            show(f"note: {note}")
        environment = {**made.environment, **context.environment}
        told = replace(context, environment=environment, options={**context.options, "command": list(made.command)})
        return Prepared(told, ready.spark_conf)

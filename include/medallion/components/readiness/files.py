"""What a task reads: notebooks, Python and SQL files, queries, alerts, dbt projects, pipelines. In the user's shell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from medallion.components.readiness.task import TaskHere, is_open
from medallion.spec.problems import Severity


def check_source(here: TaskHere) -> None:
    """The file of the task, by its kind; files from Git are not fetched for a check."""
    if here.from_git:
        if here.definition.job.git_source is None:
            here.findings.error(
                here.in_task(here.task.kind, "source"),
                "the source is GIT, and the job has no git_source",
                "add git_source to the job, or set the source to WORKSPACE",
            )
        return
    if look := BY_KIND.get(here.task.kind):
        look(here)


def check_notebook(here: TaskHere) -> None:
    """A notebook's file."""
    from medallion.runtime.lookup import find_notebook

    path = here.payload.get("notebook_path")
    if is_open(path):
        return
    with here.tell("notebook_task", "notebook_path"):
        find_notebook(here.stated(str(path)), here.places)


def check_file(here: TaskHere, path: object, *below: str) -> None:
    """A file that the task's process opens."""
    from medallion.runtime.lookup import find_file

    if is_open(path):
        return
    severity = Severity.ERROR
    with here.tell(*below):
        severity = here.severity_of(here.stated(str(path)))
    with here.tell(*below, severity=severity):
        find_file(here.stated(str(path)), here.places)


def check_python_file(here: TaskHere) -> None:
    """A Python file."""
    check_file(here, here.payload.get("python_file"), "spark_python_task", "python_file")


def check_sql(here: TaskHere) -> None:
    """What a SQL task runs: a file, a saved query, an alert; a dashboard cannot be had here."""
    from medallion.factory.alerts import alert_named, query_text
    from medallion.factory.refusals import sql_dashboard

    payload = here.payload
    if file := payload.get("file"):
        check_file(here, file.get("path"), "sql_task", "file", "path")
    query, alert = (payload.get("query") or {}).get("query_id"), (payload.get("alert") or {}).get("alert_id")
    if not is_open(query):
        with here.tell("sql_task", "query", "query_id"):
            query_text(here.settings, str(query))
    if alert and "{{" not in alert:
        with here.tell("sql_task", "alert", "alert_id"):
            alert_named(str(alert), here.loaded.resources, here.definition.root, here.settings)
    if payload.get("dashboard"):
        error = sql_dashboard(here.task.task_key)
        here.findings.warning(here.in_task("sql_task", "dashboard"), error.message, error.hint)


def check_alert(here: TaskHere) -> None:
    """An alert by its id or by its file."""
    from medallion.compute.paths import to_local
    from medallion.factory.alerts import alert_in, alert_named

    alert, path = here.payload.get("alert_id"), here.payload.get("workspace_path")
    if alert and "{{" not in alert:
        with here.tell("alert_task", "alert_id"):
            alert_named(str(alert), here.loaded.resources, here.definition.root, here.settings)
    elif not is_open(path):
        with here.tell("alert_task", "workspace_path"):
            local = to_local(str(path), here.places)
            alert_in(Path(local) if local.startswith("/") else here.definition.root / local, here.settings)


def check_dbt(here: TaskHere) -> None:
    """A dbt project's folder."""
    from medallion.compute.paths import to_local
    from medallion.runtime.dbt import require_project

    folder = here.payload.get("project_directory") or "."
    if is_open(folder):
        return
    with here.tell("dbt_task", "project_directory"):
        require_project(Path(to_local(here.stated(folder), here.places)))


def check_pipeline(here: TaskHere) -> None:
    """A pipeline of the bundle, what it asks for, and its source files."""
    from medallion.factory.pipelines import pipeline_named
    from medallion.runtime.pipelines.sources import files_of
    from medallion.runtime.pipelines.spec import Pipeline, Request

    named = str(here.payload.get("pipeline_id") or "")
    if "{{" in named:
        return
    with here.tell("pipeline_task", "pipeline_id"):
        key, told = pipeline_named(named, here.loaded.resources)
        pipeline = Pipeline.of(key, told)
        Request.of(here.payload)
        for library in pipeline.libraries:
            files_of(library, here.places, here.definition.root)


def check_child(here: TaskHere) -> None:
    """The job that a run-job task starts."""
    from medallion.project.registry import names_job

    job_id: Any = here.payload.get("job_id")
    if job_id is None or "{{" in str(job_id):
        return
    if not any(names_job(job_id, here.definition, dag_id, other) for dag_id, other in here.children().items()):
        here.findings.error(
            here.in_task("run_job_task", "job_id"),
            f"no job {job_id!r} is known here",
            "put its definition below the jobs folder, with its job_id beside the settings as the Jobs API answers it",
        )


BY_KIND: Mapping[str, Callable[[TaskHere], None]] = {
    "notebook_task": check_notebook,
    "spark_python_task": check_python_file,
    "sql_task": check_sql,
    "alert_task": check_alert,
    "dbt_task": check_dbt,
    "pipeline_task": check_pipeline,
    "run_job_task": check_child,
}

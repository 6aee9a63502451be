"""Tasks that run code, queries or other jobs: the `*_task` objects of the Jobs API. Pure.

`for_each_task` holds a whole task and is in job.py; tasks that only Databricks can run are in external_tasks.py.
"""

from __future__ import annotations

from medallion.spec.enums import ConditionOp, Source
from medallion.spec.model import Bool, Int, Model, Pairs, SchemaField, Texts


class NotebookTask(Model):
    """A notebook. Without `source` it comes from Git when the job has a `git_source`, else from the workspace."""

    notebook_path: str
    base_parameters: Pairs | None = None
    source: Source | None = None
    warehouse_id: str | None = None


class SparkPythonTask(Model):
    """A Python file with arguments. Without `source` it comes from the workspace, also beside a `git_source`."""

    python_file: str
    parameters: Texts | None = None
    source: Source | None = None


class PythonWheelTask(Model):
    """An entry point of a Python package; `named_parameters` become `--key=value`."""

    package_name: str
    entry_point: str
    named_parameters: Pairs | None = None
    parameters: Texts | None = None


class SparkJarTask(Model):
    """A main class of a JAR."""

    jar_uri: str | None = None
    main_class_name: str | None = None
    parameters: Texts | None = None
    run_as_repl: Bool | None = None


class SparkSubmitTask(Model):
    """The arguments of spark-submit."""

    parameters: Texts | None = None


class SqlSubscription(Model):
    """Who gets an alert's or dashboard's mail."""

    destination_id: str | None = None
    user_name: str | None = None


class SqlAlert(Model):
    """A legacy alert; the task succeeds also when the alert is triggered."""

    alert_id: str
    pause_subscriptions: Bool | None = None
    subscriptions: tuple[SqlSubscription, ...] | None = None


class SqlDashboard(Model):
    """A legacy dashboard."""

    dashboard_id: str
    custom_subject: str | None = None
    pause_subscriptions: Bool | None = None
    subscriptions: tuple[SqlSubscription, ...] | None = None


class SqlFile(Model):
    """A file of SQL statements."""

    path: str
    source: Source | None = None


class SqlQuery(Model):
    """A saved query."""

    query_id: str


class SqlTask(Model):
    """A query, file, dashboard or alert: one of the four is set."""

    warehouse_id: str
    alert: SqlAlert | None = None
    dashboard: SqlDashboard | None = None
    file: SqlFile | None = None
    parameters: Pairs | None = None
    query: SqlQuery | None = None


class DbtTask(SchemaField):
    """One to ten dbt commands. With `warehouse_id` a profile is made of `catalog` and `schema`."""

    commands: Texts
    catalog: str | None = None
    profiles_directory: str | None = None
    project_directory: str | None = None
    source: Source | None = None
    warehouse_id: str | None = None


class PipelineTask(Model):
    """An update of a declarative pipeline."""

    pipeline_id: str
    full_refresh: Bool | None = None
    full_refresh_selection: Texts | None = None
    parameters: Pairs | None = None
    refresh_flow_selection: Texts | None = None
    refresh_selection: Texts | None = None
    reset_checkpoint_selection: Texts | None = None


class PipelineParams(Model):
    """What a run-job task hands to the pipelines of its job."""

    full_refresh: Bool | None = None
    full_refresh_selection: Texts | None = None
    refresh_flow_selection: Texts | None = None
    refresh_selection: Texts | None = None
    reset_checkpoint_selection: Texts | None = None


class RunJobTask(Model):
    """A run of another job. All but `job_parameters` and `pipeline_params` are the legacy parameters.

    `job_id` is text where it was written so, or where a bundle names one of its own jobs: `${resources.jobs.x.id}`.
    """

    job_id: Int | str
    dbt_commands: Texts | None = None
    jar_params: Texts | None = None
    job_parameters: Pairs | None = None
    notebook_params: Pairs | None = None
    pipeline_params: PipelineParams | None = None
    python_named_params: Pairs | None = None
    python_params: Texts | None = None
    spark_submit_params: Texts | None = None
    sql_params: Pairs | None = None


class ConditionTask(Model):
    """If/else: children choose a branch by the outcome, "true" or "false"."""

    op: ConditionOp
    left: str
    right: str


class OperatorParameter(Model):
    """A named argument of a Python operator."""

    name: str | None = None
    value: str | None = None


class PythonOperatorTask(Model):
    """A function or operator class by its dotted name (private preview)."""

    main: str | None = None
    parameters: tuple[OperatorParameter, ...] | None = None

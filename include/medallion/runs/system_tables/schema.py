"""The tables of the catalog `system`: columns, order and types. Pure; pyarrow is imported when a schema is asked for.

Source: Databricks pages "Jobs system table reference" and "Audit log system table reference" (columns in the order of the
pages). Where a page only says struct or map, the type is what DESCRIBE shows on a live workspace, as public projects
record it. `job_task_writes` is Medallion's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

CATALOG = "system"


@dataclass(frozen=True, slots=True)
class Table:
    """One table.

    :param columns: name and kind of each column; `kinds` explains the words.
    :param key: columns that name a row; no two rows have the same values in them.
    :param look: the column of the key by which present rows are looked up.
    """

    schema: str
    name: str
    columns: tuple[tuple[str, str], ...]
    key: tuple[str, ...]
    look: str
    comment: str

    @property
    def full_name(self) -> str:
        """`system.<schema>.<name>`."""
        return f"{CATALOG}.{self.schema}.{self.name}"


def columns(text: str) -> tuple[tuple[str, str], ...]:
    """Columns from `name kind, name kind`."""
    pairs = (item.split() for item in text.replace("\n", " ").split(",") if item.strip())
    return tuple((name, kind) for name, kind in pairs)


TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        Table(
            "lakeflow",
            "jobs",
            columns("""
                account_id string, workspace_id string, job_id string, name string, description string,
                creator_id string, tags map, change_time timestamp, delete_time timestamp, run_as string,
                trigger trigger, trigger_type string, run_as_user_name string, creator_user_name string,
                paused boolean, timeout_seconds bigint, health_rules health, deployment deployment,
                create_time timestamp"""),
            ("job_id", "change_time"),
            "job_id",
            "Every state that a job's definition had; the latest change_time of a job_id counts",
        ),
        Table(
            "lakeflow",
            "job_tasks",
            columns("""
                account_id string, workspace_id string, job_id string, task_key string, depends_on_keys strings,
                change_time timestamp, delete_time timestamp, timeout_seconds bigint, health_rules health"""),
            ("job_id", "task_key", "change_time"),
            "job_id",
            "Every state that a task's definition had",
        ),
        Table(
            "lakeflow",
            "job_run_timeline",
            columns("""
                account_id string, workspace_id string, job_id string, run_id string, period_start_time timestamp,
                period_end_time timestamp, trigger_type string, run_type string, run_name string, compute_ids strings,
                result_state string, termination_code string, job_parameters map, source_task_run_id string,
                root_task_run_id string, compute compute, termination_type string, setup_duration_seconds bigint,
                queue_duration_seconds bigint, run_duration_seconds bigint, cleanup_duration_seconds bigint,
                execution_duration_seconds bigint"""),
            ("run_id", "period_start_time"),
            "run_id",
            "Runs of jobs, cut at the hour; the last period of a run has its result",
        ),
        Table(
            "lakeflow",
            "job_task_run_timeline",
            columns("""
                account_id string, workspace_id string, job_id string, run_id string, job_run_id string,
                parent_run_id string, period_start_time timestamp, period_end_time timestamp, task_key string,
                compute_ids strings, result_state string, termination_code string, compute compute,
                termination_type string, task_parameters map, setup_duration_seconds bigint,
                cleanup_duration_seconds bigint, execution_duration_seconds bigint"""),
            ("run_id", "period_start_time"),
            "job_run_id",
            "Attempts of tasks, cut at the hour",
        ),
        Table(
            "lakeflow",
            "pipelines",
            columns("""
                account_id string, workspace_id string, pipeline_id string, pipeline_type string, name string,
                created_by string, run_as string, tags map, settings pipeline_settings, configuration map,
                change_time timestamp, delete_time timestamp, create_time timestamp"""),
            ("pipeline_id", "change_time"),
            "pipeline_id",
            "Every state that a pipeline's definition had",
        ),
        Table(
            "lakeflow",
            "pipeline_update_timeline",
            columns("""
                account_id string, workspace_id string, pipeline_id string, update_id string, update_type string,
                request_id string, run_as_user_name string, trigger_type string, trigger_details trigger_details,
                result_state string, compute pipeline_compute, period_start_time timestamp,
                period_end_time timestamp, refresh_selection strings, full_refresh_selection strings,
                reset_checkpoint_selection strings"""),
            ("update_id", "period_start_time"),
            "update_id",
            "Updates of pipelines, cut at the hour",
        ),
        Table(
            "lakeflow",
            "job_task_writes",
            columns("""
                account_id string, workspace_id string, job_id string, job_run_id string, run_id string,
                task_key string, table_name string, commits bigint, rows bigint, bytes bigint, files bigint,
                write_seconds double, task_seconds double, last_version bigint, write_time timestamp"""),
            ("run_id", "table_name"),
            "job_run_id",
            "What each attempt of a task wrote to each table, from the tables' own commits",
        ),
        Table(
            "access",
            "audit",
            columns("""
                version string, event_time timestamp, event_date date, workspace_id bigint, source_ip_address string,
                user_agent string, session_id string, user_identity identity, service_name string,
                action_name string, request_id string, request_params map, response response, audit_level string,
                account_id string, event_id string, identity_metadata identity_metadata"""),
            ("event_id",),
            "event_id",
            "Who started, cancelled, repaired or changed what",
        ),
    )
}


@cache
def kinds() -> Mapping[str, Any]:
    """The types behind the words of the columns."""
    import pyarrow as pa

    def struct(**fields: Any) -> Any:
        return pa.struct(list(fields.items()))

    text, number, small, moment = pa.string(), pa.int64(), pa.int32(), pa.timestamp("us", tz="UTC")
    texts = pa.list_(text)
    waits = {"min_time_between_triggers_seconds": small, "wait_after_last_change_seconds": small}
    long_waits = dict.fromkeys(waits, number)
    return {
        "string": text,
        "bigint": number,
        "double": pa.float64(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "timestamp": moment,
        "strings": texts,
        "map": pa.map_(text, text),
        "health": pa.list_(struct(metric=text, operator=text, value=number)),
        "compute": pa.list_(struct(type=text, cluster_id=text, warehouse_id=text)),
        "deployment": struct(kind=text, metadata_file_path=text),
        "trigger": struct(
            file_arrival=struct(url=text, **waits),
            periodic=struct(interval=small, units=text),
            continuous=struct(enabled=pa.bool_()),
            table_update=struct(table_names=texts, **long_waits, condition=text),
            schedule=struct(quartz_cron_expression=text, timezone_id=text),
        ),
        "pipeline_settings": struct(
            photon=pa.bool_(),
            development=pa.bool_(),
            continuous=pa.bool_(),
            serverless=pa.bool_(),
            edition=text,
            channel=text,
        ),
        "trigger_details": struct(job_task=struct(job_id=text, job_task_run_id=text)),
        "pipeline_compute": struct(type=text, cluster_id=text),
        "identity": struct(email=text, subject_name=text),
        "response": struct(status_code=small, error_message=text, result=text),
        "identity_metadata": struct(run_by=text, run_as=text, acting_resource=text),
    }


@cache
def arrow_schema(name: str) -> Any:
    """A table's schema in Arrow."""
    import pyarrow as pa

    known = kinds()
    return pa.schema([(column, known[kind]) for column, kind in TABLES[name].columns])

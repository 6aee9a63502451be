"""Rows of `jobs` and `job_tasks`: a new one for each change of a definition. Pure; runs in the jobs service."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from medallion.runs import ids
from medallion.runs.system_tables.words import trigger_of_job

if TYPE_CHECKING:
    from medallion.spec.definition import JobDefinition
    from medallion.spec.job import Job

Row = dict[str, Any]

ACCOUNT, WORKSPACE = "0", "0"
"""There is neither here; `{{workspace.id}}` is 0 as well."""
TIMES = ("change_time", "delete_time", "create_time")


def job_id_of(dag_id: str, definition: JobDefinition | None) -> str:
    """The job's id: its own where it has one, else that of its DAG."""
    return str((definition and definition.job_id) or ids.job_id(dag_id))


def job_row(dag_id: str, definition: JobDefinition, user: str) -> Row:
    """A job as it is defined, without times.

    :param user: whom the settings name.
    """
    job = definition.job
    runs_as = run_as(job, user)
    return {
        "account_id": ACCOUNT,
        "workspace_id": WORKSPACE,
        "job_id": job_id_of(dag_id, definition),
        "name": job.name or dag_id,
        "description": job.description,
        "creator_id": user,
        "tags": dict(job.tags or {}),
        "run_as": runs_as,
        "trigger": trigger_block(job),
        "trigger_type": trigger_of_job(job),
        "run_as_user_name": runs_as,
        "creator_user_name": user,
        "paused": paused(job),
        "timeout_seconds": job.timeout_seconds,
        "health_rules": health_rules(job.health),
        "deployment": deployment(job, definition),
    }


def task_rows(dag_id: str, definition: JobDefinition) -> dict[str, Row]:
    """A job's tasks as they are defined, without times, by key."""
    return {
        task.task_key: {
            "account_id": ACCOUNT,
            "workspace_id": WORKSPACE,
            "job_id": job_id_of(dag_id, definition),
            "task_key": task.task_key,
            "depends_on_keys": [edge.task_key for edge in task.depends_on or ()],
            "timeout_seconds": task.timeout_seconds,
            "health_rules": health_rules(task.health),
        }
        for task in definition.job.tasks or ()
    }


def changed(latest: Mapping[str, Row], now: Mapping[str, Row], at: datetime, *, gone: frozenset[str]) -> list[Row]:
    """The rows that bring a table up to date.

    :param latest: the newest row of each key that the table has.
    :param now: rows as the definitions are, without times.
    :param at: the time of the change.
    :param gone: keys that were deleted.
    """
    rows: list[Row] = []
    for key, row in now.items():
        before = latest.get(key)
        if before is not None and before["delete_time"] is None and same(before, row):
            continue
        created = before["create_time"] if before and before.get("create_time") else at
        rows.append({**row, "change_time": at, "delete_time": None, "create_time": created})
    rows += [
        {**latest[key], "change_time": at, "delete_time": at}
        for key in sorted(gone)
        if key in latest and latest[key]["delete_time"] is None
    ]
    return rows


def same(before: Row, now: Row) -> bool:
    """Whether two rows tell the same but for their times. A map that was read is a list of pairs."""
    return all(plain(before.get(name)) == plain(value) for name, value in now.items() if name not in TIMES)


def plain(value: Any) -> Any:
    """A value in one form: of maps their pairs; empty ones are as good as none."""
    if isinstance(value, dict):
        found = {name: plain(item) for name, item in value.items()}
        return {name: item for name, item in found.items() if item is not None} or None
    if isinstance(value, list):
        if value and all(isinstance(item, tuple) for item in value):
            return plain(dict(value))
        return [plain(item) for item in value] or None
    return value


def run_as(job: Job, user: str) -> str:
    """Whose rights the job's runs have."""
    block = job.run_as.to_json() if job.run_as is not None else {}
    return str(block.get("user_name") or block.get("service_principal_name") or user)


def paused(job: Job) -> bool:
    """Whether the job's trigger is paused. One without a trigger is not."""
    return any(
        str(block.pause_status) == "PAUSED"
        for block in (job.schedule, job.trigger, job.continuous)
        if block is not None and block.pause_status is not None
    )


def health_rules(health: Any) -> list[Row]:
    """Health rules of a job or task."""
    block = health.to_json() if health is not None else {}
    return [
        {"metric": rule.get("metric"), "operator": rule.get("op"), "value": rule.get("value")}
        for rule in block.get("rules") or ()
    ]


def deployment(job: Job, definition: JobDefinition) -> Row | None:
    """How the job came here: by a bundle, or None."""
    if job.deployment is not None:
        block = job.deployment.to_json()
        return {"kind": block.get("kind"), "metadata_file_path": block.get("metadata_file_path")}
    if definition.deployed is not None:
        return {"kind": "BUNDLE", "metadata_file_path": None}
    return None


def trigger_block(job: Job) -> Row | None:
    """The job's trigger; the kinds that it does not have are None."""
    block = job.trigger.to_json() if job.trigger is not None else {}
    table = block.get("table_update") or block.get("table")
    file, periodic = block.get("file_arrival"), block.get("periodic")
    found: Row = {
        "file_arrival": file and picked(file, "url", *WAITS),
        "periodic": periodic and {"interval": periodic.get("interval"), "units": periodic.get("unit")},
        "continuous": {"enabled": True} if job.continuous is not None else None,
        "table_update": table and picked(table, "table_names", *WAITS, "condition"),
        "schedule": job.schedule and picked(job.schedule.to_json(), "quartz_cron_expression", "timezone_id"),
    }
    return found if any(found.values()) else None


WAITS = ("min_time_between_triggers_seconds", "wait_after_last_change_seconds")


def picked(block: Mapping[str, Any], *names: str) -> Row:
    """Some keys of a block; None for those that it has not."""
    return {name: block.get(name) for name in names}

"""Rows of `system.access.audit`: who started, cancelled, repaired or changed what. Pure but for `actions_in_log`.

Runs in the jobs service. Names of actions: Databricks page "Audit log reference", section "Jobs events"; what people do in
Airflow's own UI or API keeps Airflow's name, with the service `airflow`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from medallion.runs import ids, run_conf
from medallion.runs.system_tables.history import ACCOUNT
from medallion.runs.system_tables.periods import moment

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from medallion.runs.notes import Notes
    from medallion.runs.system_tables.rows import Row, Whole

VERSION = "2.0"
JOBS, AIRFLOW = "jobs", "airflow"
BY_HAND = frozenset({"manual"})

AIRFLOW_ACTIONS = (
    *("patch_dag", "patch_dags", "delete_dag", "patch_dag_run", "delete_dag_run", "clear_dag_run"),
    *("post_clear_task_instances", "patch_task_instance", "delete_task_instance", "bulk_task_instances"),
    *("trigger_backfill", "create_backfill", "pause_backfill", "cancel_backfill", "unpause_backfill"),
    *("post_connection", "patch_connection", "delete_connection", "bulk_connections"),
    *("post_variable", "patch_variable", "delete_variable", "bulk_variables"),
    *("post_pool", "patch_pool", "delete_pool", "bulk_pools", "update_xcom_entry", "create_xcom_entry"),
)
"""Events of Airflow's `log` table that are what a person did and changed something. A start of a run is told by the run."""
HIDDEN = frozenset({"password", "extra", "value", "val"})
"""What may hold a secret in Airflow's own record of a request."""


def event(
    at: datetime, who: str | None, service: str, action: str, parameters: Mapping[str, Any], *parts: object
) -> Row:
    """One row.

    :param parts: name the event for good: the same event, told again, is the same row.
    """
    name = hashlib.sha256("\x1f".join(map(str, (service, action, *parts))).encode()).hexdigest()[:32]
    return {
        "version": VERSION,
        "event_time": at,
        "event_date": at.date(),
        "workspace_id": 0,
        "source_ip_address": None,
        "user_agent": None,
        "session_id": None,
        "user_identity": {"email": who, "subject_name": None},
        "service_name": service,
        "action_name": action,
        "request_id": name,
        "request_params": {key: str(value) for key, value in parameters.items() if value is not None},
        "response": {"status_code": 200, "error_message": None, "result": None},
        "audit_level": "WORKSPACE_LEVEL",
        "account_id": ACCOUNT,
        "event_id": name,
        "identity_metadata": None,
    }


def run_events(run: Whole, notes: Notes) -> list[Row]:
    """What people and triggers did to a run: start, cancel, repair."""
    return [*start_events(run), *cancel_events(run, notes), *repair_events(run, notes)]


def named(run: Whole, **more: Any) -> dict[str, Any]:
    """The parameters that every event of a run has."""
    return {"jobId": run.job_id, "runId": run.run_id, "jobName": run.report.job, **more}


def start_events(run: Whole) -> Iterator[Row]:
    """Who, or what, started it."""
    first = run.report.start_time / 1000 or run.snapshot.start or run.snapshot.end
    at = run.facts.queued or first
    if at is None:
        return
    by_hand = run.facts.run_type in BY_HAND and not run.facts.parent
    parameters = run_conf.shown(run.facts.conf)
    more = {
        "jobTriggerType": run.facts.conf.get("trigger_type") or run.facts.run_type,
        "sourceTaskRunId": run.facts.parent.get("task_run_id"),
        "jobParameters": json.dumps(parameters) if parameters else None,
        "only": ",".join(run.snapshot.only) or None,
    }
    action = "runNow" if by_hand else "runTriggered"
    yield event(moment(at), run.facts.user, JOBS, action, named(run, **more), run.run_id)


def cancel_events(run: Whole, notes: Notes) -> Iterator[Row]:
    """Who ended it, or tasks of it."""
    whole: dict[str, Any] = {"": notes.get("canceled")}
    for key, fact in {**whole, **(notes.get("canceled_tasks") or {})}.items():
        if isinstance(fact, dict) and (at := time_of(fact)) is not None:
            more = {"taskKey": key or None}
            yield event(at, person(fact), JOBS, "cancel", named(run, **more), run.run_id, key, at)


def repair_events(run: Whole, notes: Notes) -> Iterator[Row]:
    """Who repaired it."""
    for number, fact in enumerate(notes.get("repairs") or (), 1):
        if not isinstance(fact, dict) or (at := time_of(fact)) is None:
            continue
        tasks = fact.get("tasks") or fact.get("rerun_tasks")
        more = {
            "repairId": fact.get("id"),
            "rerunTasks": ",".join(map(str, tasks)) if isinstance(tasks, list) else None,
            "jobParameters": json.dumps(fact["parameters"]) if fact.get("parameters") else None,
        }
        yield event(at, person(fact), JOBS, "repairRun", named(run, **more), run.run_id, number)


def person(fact: Mapping[str, Any]) -> str | None:
    """Who is meant."""
    found = fact.get("who") or fact.get("by")
    return str(found) if found else None


def time_of(fact: Mapping[str, Any]) -> datetime | None:
    """When it was: ISO text, seconds, or a start in milliseconds."""
    if isinstance(text := fact.get("when"), str):
        found = datetime.fromisoformat(text)
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    if isinstance(at := fact.get("at") or fact.get("when"), int | float):
        return moment(float(at))
    started = fact.get("start_time")
    return moment(float(started) / 1000) if isinstance(started, int | float) and started else None


def definition_event(action: str, row: Row, at: datetime, since: datetime | None, file: str, owner: str | None) -> Row:
    """A job was made (`create`), changed (`update`) or taken away (`delete`).

    :param since: the change before it, which names this one: told again after a crash it is the same row.
    :param owner: who owns the file: nobody tells who changed it.
    """
    parameters = {"jobId": row["job_id"], "jobName": row["name"], "file": file}
    return event(at, owner, JOBS, action, parameters, row["job_id"], since)


def actions_in_log(session: Session, after: int) -> tuple[list[Row], int]:
    """What people did in Airflow's UI and API since a row of its `log` table.

    :returns: the rows, and the number of the last one that was looked at.
    """
    from airflow.models.log import Log
    from sqlalchemy import select

    columns = (Log.id, Log.dttm, Log.event, Log.dag_id, Log.run_id, Log.task_id, Log.map_index, Log.owner, Log.extra)
    query = select(*columns).where(Log.event.in_(AIRFLOW_ACTIONS), Log.id > after).order_by(Log.id)
    rows: list[Row] = []
    for item in session.execute(query):
        after = item.id
        if item.dttm is None:
            continue
        more = {"dagId": item.dag_id, "airflowRunId": item.run_id, "taskId": item.task_id, "mapIndex": item.map_index}
        if item.dag_id and item.run_id:
            more["runId"] = ids.run_id(item.dag_id, item.run_id)
        at = item.dttm.astimezone(UTC)
        parameters = {**more, **request_of(item.extra)}
        rows.append(event(at, item.owner, AIRFLOW, item.event, parameters, item.id, at))
    return rows, after


def request_of(text: str | None) -> dict[str, Any]:
    """The parameters of a request, as Airflow noted them, without what may be secret."""
    try:
        told = json.loads(text or "{}")
    except ValueError:
        return {}
    return {key: value for key, value in told.items() if key not in HIDDEN} if isinstance(told, dict) else {}

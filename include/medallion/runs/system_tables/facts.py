"""Collects what the rows of runs need beside the follower's reports. Runs in the jobs service."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.runs.records import attempt_folder, run_folder
from medallion.runs.system_tables.rows import Facts, Parameters

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from medallion.runs.system_tables.rows import Whole

DEPTH = 10
"""Run-job tasks nest three deep; more is a circle of files that somebody copied."""
CONTEXT_FILE = "context.json"


def facts_of(session: Session, home: Path, dag_id: str, run_id: str) -> Facts:
    """The facts of one run; those of a run that Airflow has forgotten are few."""
    from airflow.models.dagrun import DagRun
    from sqlalchemy import select

    columns = (DagRun.run_type, DagRun.conf, DagRun.queued_at, DagRun.triggering_user_name)
    row = session.execute(select(*columns).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)).one_or_none()
    parent = read_object(run_folder(home, dag_id, run_id) / "parent.json")
    root = root_of(home, parent)
    if row is None:
        return Facts(parent=parent, root=root)
    queued = row.queued_at.timestamp() if row.queued_at else None
    conf = row.conf if isinstance(row.conf, dict) else {}
    return Facts(str(row.run_type), conf, queued, row.triggering_user_name, parent, root)


def root_of(home: Path, parent: Mapping[str, Any]) -> str:
    """The first task of a chain of runs that start each other."""
    found = ""
    for _ in range(DEPTH):
        if not parent.get("task_run_id"):
            break
        found = str(parent["task_run_id"])
        parent = read_object(
            run_folder(home, str(parent.get("dag_id")), str(parent.get("airflow_run_id"))) / "parent.json"
        )
    return found


def read_object(place: Path) -> Mapping[str, Any]:
    """A JSON object; empty when there is none."""
    try:
        told = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def parameters_of(home: Path, run: Whole) -> Parameters:
    """What the attempts of a run were given, by key of the task or iteration and number, from their records."""
    folder = run_folder(home, run.snapshot.dag_id, run.snapshot.run_id)
    tasks = run.definition.job.tasks or () if run.definition else ()
    inner = {task.task_key: task.payload.task.task_key for task in tasks if task.kind == "for_each_task"}
    found: dict[tuple[str, int], dict[str, str]] = {}
    for task in run.report.tasks:
        for unit in (task, *(task.iterations or ())):
            _, _, index = unit.task_key.partition("[")
            key, number = (inner.get(task.task_key, ""), int(index.rstrip("]"))) if index else (task.task_key, -1)
            for attempt in unit.history:
                told = read_object(attempt_folder(folder, key, number, attempt.attempts) / CONTEXT_FILE)
                given = told.get("parameters")
                if isinstance(given, dict):
                    found[unit.task_key, attempt.attempts] = {name: str(value) for name, value in given.items()}
    return found

"""A job's `timeout_seconds` reaches the runs that go on. Runs in the jobs service.

It is the one setting that does (Databricks page "Edit a job"; Jobs API, `jobs/update`: "changes to the field
`JobSettings.timeout_seconds` are applied to active runs. Changes to other fields are applied to future runs only"). Airflow
takes the limit from the DAG that it serialised for the run, so it is changed there; the run's notes keep it for those who
tell of the run when it has ended.
"""

from __future__ import annotations

import copy
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.runs.notes import note, read_notes

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.models.serialized_dag import SerializedDagModel
    from sqlalchemy.orm import Session

    from medallion.spec.definition import JobDefinition

LIMIT = "timeout_seconds"
"""Key of a run's notes: the limit that it got while it went on."""


def limit_of(run: DagRun, then: JobDefinition, home: Path) -> float:
    """The limit that a run has, in seconds; 0 for none."""
    noted = read_notes(home, run.dag_id, run.run_id).get(LIMIT)
    return float(then.job.timeout_seconds or 0) if noted is None else float(noted)


def carry_limit(session: Session, run: DagRun, now: JobDefinition, home: Path) -> None:
    """Give a run that goes on the limit that its job has now."""
    wanted = float(now.job.timeout_seconds or 0)
    note(home, run.dag_id, run.run_id, **{LIMIT: wanted})
    set_limit(session, run.created_dag_version_id, wanted)


def set_limit(session: Session, dag_version: Any, seconds: float) -> None:
    """Change the limit of runs in a version of a DAG as Airflow keeps it. The scheduler sees it by the new hash."""
    from airflow.models.serialized_dag import SerializedDagModel
    from sqlalchemy import select, update

    kept = select(SerializedDagModel).where(SerializedDagModel.dag_version_id == dag_version)
    row: SerializedDagModel | None = session.scalar(kept)
    if row is None or not isinstance(row.data, dict):
        return
    data: dict[str, Any] = copy.deepcopy(row.data)
    dag = data["dag"]
    if dag.get("dagrun_timeout") == (seconds or None):
        return
    if seconds:
        dag["dagrun_timeout"] = seconds
    else:
        dag.pop("dagrun_timeout", None)
    digest: Callable[[dict[str, Any]], str] = SerializedDagModel.hash
    packed = row._data_compressed is not None  # the model has no public way to its columns
    values = {
        SerializedDagModel._data: None if packed else data,
        SerializedDagModel._data_compressed: zlib.compress(json.dumps(data).encode()) if packed else None,
        SerializedDagModel.dag_hash: digest(copy.deepcopy(data)),
    }
    change = update(SerializedDagModel).where(SerializedDagModel.dag_version_id == dag_version).values(values)
    session.execute(change.execution_options(synchronize_session=False))
    session.expire(row)

"""The Jobs API's integers for Airflow's ids: one to one and stable. Runs everywhere; pure."""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime

_BITS = 53
"""JSON readers in JavaScript hold integers exactly up to 53 bits; the Jobs API's own ids stay below that."""


NEW_RUN_ID = r"manual__[0-9T:.+-]{19,40}_[0-9a-f]{8}"
"""The form of Airflow's id of a run that somebody starts."""


def _number(*parts: object) -> int:
    digest = hashlib.sha256("\x00".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - _BITS)


def job_id(dag_id: str) -> int:
    """The job's `job_id`."""
    return _number("job", dag_id)


def run_id(dag_id: str, airflow_run_id: str) -> int:
    """The job run's `run_id`."""
    return _number("run", dag_id, airflow_run_id)


def task_run_id(dag_id: str, airflow_run_id: str, task_key: str, map_index: int, try_number: int) -> int:
    """The `run_id` of one attempt of one task. `try_number` counts from 1, as Airflow does."""
    return _number("task", dag_id, airflow_run_id, task_key, map_index, try_number)


def repair_id(dag_id: str, airflow_run_id: str, number: int) -> int:
    """The `repair_id` of a run's repair. `number` counts from 1."""
    return _number("repair", dag_id, airflow_run_id, number)


def new_run_id(now: datetime) -> str:
    """A new id for Airflow, of a run that somebody starts now."""
    return f"manual__{now.isoformat()}_{uuid.uuid4().hex[:8]}"

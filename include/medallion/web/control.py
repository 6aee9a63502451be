"""Cancel, repair and the record of runs: `/lakeflow/api/jobs/{dag_id}/runs/…`. Runs in the API server.

Who may do what is Airflow's decision for the DAG, as for its own pages.
"""

# No `from __future__ import annotations`: FastAPI reads the dependencies from the annotations.
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import APIRouter, Depends, HTTPException  # noqa: TID253  imported at the first request
from pydantic import BaseModel, ConfigDict

from medallion.errors import MedallionError
from medallion.runs.metadata import settings_home

router = APIRouter(prefix="/api", tags=["control"])
MayChange = Depends(requires_access_dag("PUT", DagAccessEntity.RUN))
MayRead = Depends(requires_access_dag("GET", DagAccessEntity.RUN))


class Cancel(BaseModel):
    """What to cancel: the run, or one task of it."""

    model_config = ConfigDict(extra="forbid")

    task_key: str | None = None


@contextmanager
def refusing() -> Iterator[None]:
    """Our errors as an answer: what is wrong, and what to do."""
    try:
        yield
    except MedallionError as error:
        raise HTTPException(409, str(error)) from None


@router.post("/jobs/{dag_id}/runs/{run}/cancel", dependencies=[MayChange])
def cancel(dag_id: str, run: str, body: Cancel, user: GetUserDep, session: SessionDep) -> dict[str, Any]:
    """End a run or a task for good."""
    from medallion.runs.cancel import Canceller
    from medallion.runs.lookup import find_run

    with refusing():
        found = find_run(session, run, dag_id)
        canceller = Canceller(session, settings_home(), user.get_name())
        done = canceller.task(found, body.task_key) if body.task_key else canceller.run(found)
        return {"dag_id": found.dag_id, "airflow_run_id": found.run_id, **done.to_json()}

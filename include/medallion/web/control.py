"""Cancel, repair and the record of runs: `/lakeflow/api/jobs/{dag_id}/runs/…`. Runs in the API server.

Who may do what is Airflow's decision for the DAG, as for its own pages.
"""

# No `from __future__ import annotations`: FastAPI reads the dependencies from the annotations.
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Literal

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import APIRouter, Depends, HTTPException  # noqa: TID253  imported at the first request
from pydantic import BaseModel, ConfigDict, Field

from medallion.errors import MedallionError
from medallion.project.projects import project_of
from medallion.runs.metadata import settings_home

router = APIRouter(prefix="/api", tags=["control"])
MayChange = Depends(requires_access_dag("PUT", DagAccessEntity.RUN))
MOST = 1000
"""Runs in one answer."""
MayRead = Depends(requires_access_dag("GET", DagAccessEntity.RUN))


class Cancel(BaseModel):
    """What to cancel: the run, or one task of it."""

    model_config = ConfigDict(extra="forbid")

    task_key: str | None = None


class Repair(BaseModel):
    """What to run again, in the Jobs API's words (`runs/repair`)."""

    model_config = ConfigDict(extra="forbid")

    rerun_tasks: list[str] = Field(default_factory=list)
    rerun_all_failed_tasks: bool = False
    rerun_dependent_tasks: bool = False
    latest_repair_id: int | None = None
    job_parameters: dict[str, str] = Field(default_factory=dict)


@contextmanager
def refusing() -> Iterator[None]:
    """Our errors as an answer: what is wrong, and what to do."""
    from medallion.runs.lookup import RunIdError

    try:
        yield
    except RunIdError as error:
        raise HTTPException(400, str(error)) from None
    except MedallionError as error:
        raise HTTPException(409, str(error)) from None


def readable(user: BaseUser) -> set[str]:
    """DAG ids of the jobs that a user may see. Airflow's own dependency for it needs Airflow's own application."""
    return get_auth_manager().get_authorized_dag_ids(user=user, method="GET")


@router.post("/jobs/{dag_id}/runs/{run}/cancel", dependencies=[MayChange])
def cancel(dag_id: str, run: str, body: Cancel, user: GetUserDep, session: SessionDep) -> dict[str, Any]:
    """End a run or a task for good."""
    from medallion.runs.cancel import Canceller
    from medallion.runs.lookup import find_run

    with refusing():
        found = find_run(session, run, dag_id)
        canceller = Canceller(session, settings_home(found.dag_id), user.get_name())
        done = canceller.task(found, body.task_key) if body.task_key else canceller.run(found)
        return {"dag_id": found.dag_id, "airflow_run_id": found.run_id, **done.to_json()}


@router.post("/jobs/{dag_id}/runs/{run}/repair", dependencies=[MayChange])
def repair(dag_id: str, run: str, body: Repair, user: GetUserDep, session: SessionDep) -> dict[str, Any]:
    """Run again what failed, or what is named, in the same run."""
    from medallion.runs.lookup import find_run
    from medallion.runs.repair import Wanted
    from medallion.runs.repair import repair as start

    if body.rerun_tasks and body.rerun_all_failed_tasks:
        raise HTTPException(400, "rerun_tasks and rerun_all_failed_tasks exclude each other")
    with refusing():
        found = find_run(session, run, dag_id)
        wanted = Wanted(
            tasks=tuple(body.rerun_tasks),
            dependents=body.rerun_dependent_tasks,
            parameters=body.job_parameters,
            latest_repair_id=body.latest_repair_id,
            locked=True,
            who=user.get_name(),
        )
        entry = start(session, found, wanted, settings_home(found.dag_id))
        return {
            "repair_id": entry.id,
            "tasks": list(entry.tasks),
            "dag_id": found.dag_id,
            "airflow_run_id": found.run_id,
        }


@router.get("/runs/find", dependencies=[MayRead])
def find(run: str, session: SessionDep, user: GetUserDep, dag_id: str | None = None) -> dict[str, Any]:
    """The job and Airflow's id of a run."""
    from medallion.runs.lookup import find_run

    with refusing():
        found = find_run(session, run, dag_id)
        if found.dag_id not in readable(user):
            raise HTTPException(403, "Forbidden")
        return {"dag_id": found.dag_id, "airflow_run_id": found.run_id}


@router.get("/runs", dependencies=[MayRead])
def listed(
    session: SessionDep,
    user: GetUserDep,
    dag_id: str | None = None,
    limit: int = 25,
    state: Literal["active", "completed"] | None = None,
) -> dict[str, Any]:
    """Runs of the jobs that the user may see, the newest first."""
    from medallion.runs.history import runs_listed

    if limit < 1:
        raise HTTPException(400, f"limit is {limit}; it is at least 1")
    allowed = readable(user)
    jobs = sorted(name for name in (allowed & {dag_id} if dag_id else allowed) if project_of(name) is not None)
    return {"runs": runs_listed(session, dag_ids=jobs, limit=min(limit, MOST), state=state)}


@router.get("/jobs/{dag_id}/runs/{run}", dependencies=[MayRead])
def shown(dag_id: str, run: str, session: SessionDep) -> dict[str, Any]:
    """One run with its tasks, attempts and repairs."""
    from medallion.runs.history import run_shown
    from medallion.runs.lookup import find_run

    with refusing():
        return run_shown(session, find_run(session, run, dag_id), settings_home(dag_id))


@router.get("/jobs/{dag_id}/runs/{run}/snapshot", dependencies=[MayRead])
def snapshot(dag_id: str, run: str, session: SessionDep) -> dict[str, Any]:
    """One run in Airflow's words, for those who follow it."""
    from medallion.runs.lookup import find_run
    from medallion.runs.metadata import snapshot_of_run

    with refusing():
        return asdict(snapshot_of_run(session, find_run(session, run, dag_id), settings_home(dag_id)))

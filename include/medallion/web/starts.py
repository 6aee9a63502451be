"""Starting runs from outside: `/lakeflow/api/jobs/{dag_id}/run-now` and `…/backfill`. Runs in the API server."""

# No `from __future__ import annotations`: FastAPI reads the dependencies from the annotations.
from typing import Annotated, Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import APIRouter, Depends, HTTPException  # noqa: TID253  imported at the first request
from pydantic import BaseModel, ConfigDict, Field

from medallion.errors import RunError, TargetError
from medallion.runs.ids import NEW_RUN_ID

COMPUTE = "compute"
"""Key of the run's conf; `compute.targets` reads it."""

router = APIRouter(prefix="/api", tags=["starts"])
MayStart = Depends(requires_access_dag("POST", DagAccessEntity.RUN))


class Queue(BaseModel):
    """`queue` of run-now."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool


class RunNow(BaseModel):
    """The body of run-now, in the Jobs API's words. A client that names the run itself may ask again for the same one."""

    model_config = ConfigDict(extra="forbid")

    job_parameters: dict[str, str] = Field(default_factory=dict)
    only: list[str] = Field(default_factory=list)
    idempotency_token: str = ""
    airflow_run_id: Annotated[str, Field(pattern=f"^({NEW_RUN_ID})?$")] = ""
    queue: Queue | None = None
    compute: str | None = None
    """A target of the settings, for all tasks of the run: Medallion's own."""


class Backfill(BaseModel):
    """The body of a backfill. Times are ISO texts, UTC where they name no zone."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    first: Annotated[str, Field(alias="from")]
    last: Annotated[str, Field(alias="to")]
    every: str | None = None
    job_parameters: dict[str, str] = Field(default_factory=dict)
    max_concurrent: Annotated[int | None, Field(ge=1)] = None


@router.post("/jobs/{dag_id}/run-now", dependencies=[MayStart])
def run_now(dag_id: str, body: RunNow, user: GetUserDep) -> dict[str, Any]:
    """Start a run, or give the one that the same idempotency token started."""
    from medallion.project.projects import settings_of_dag
    from medallion.runs.start import StartRequest, start

    settings = settings_of_dag(dag_id)
    try:
        request = StartRequest(
            dag_id=dag_id,
            job_parameters=body.job_parameters,
            only=chosen_tasks(settings, dag_id, body.only),
            idempotency_token=body.idempotency_token,
            airflow_run_id="" if body.idempotency_token else body.airflow_run_id,
            queue=body.queue.enabled if body.queue else None,
            extra={COMPUTE: known_target(settings, body.compute)} if body.compute else {},
            user=user.get_name(),
        )
        return start(settings, request).to_json()
    except (RunError, TargetError) as error:
        raise refusal(error) from None


@router.post("/jobs/{dag_id}/backfill", dependencies=[MayStart])
def backfill(dag_id: str, body: Backfill, user: GetUserDep) -> dict[str, Any]:
    """Start a run for each date of a range."""
    from medallion.project.projects import settings_of_dag
    from medallion.runs.backfilling import BackfillRequest, read_every, read_moment, start_backfill

    settings = settings_of_dag(dag_id)
    try:
        request = BackfillRequest(
            dag_id=dag_id,
            first=read_moment(body.first),
            last=read_moment(body.last),
            every=read_every(body.every) if body.every else None,
            job_parameters=body.job_parameters,
            max_concurrent=body.max_concurrent,
            user=user.get_name(),
        )
        runs = start_backfill(settings, job_of(settings, dag_id), request)
    except RunError as error:
        raise refusal(error) from None
    return {"runs": [item.to_json() for item in runs]}


def known_target(settings: Any, name: str) -> str:
    """A target's name, after a look whether settings have it. Raises TargetError."""
    from medallion.compute.targets import target_named

    target_named(settings, name)
    return name


def chosen_tasks(settings: Any, dag_id: str, only: list[str]) -> tuple[str, ...]:
    """`only`, after a look whether the job has such tasks. Raises RunError."""
    from medallion.spec.only import parents_of, selected

    if only:
        selected(parents_of(job_of(settings, dag_id)), only)
    return tuple(only)


def job_of(settings: Any, dag_id: str) -> Any:
    """The job of a DAG. Raises RunError when its definition is gone."""
    from medallion.runs.definitions import Definitions

    found = Definitions(settings).of(dag_id)
    if found is None:
        raise RunError(f"no job is the DAG {dag_id}", hint="`medallion list` shows the jobs")
    return found.job


def refusal(error: RunError | TargetError) -> HTTPException:
    """An error as the API tells it."""
    missing = "does not know the DAG" in error.message or error.message.startswith("no job")
    return HTTPException(404 if missing else 400, str(error))

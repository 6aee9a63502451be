"""Jobs as the Jobs API tells them: `jobs/list` and `jobs/get`. Runs in the API server.

A job is shown when it is a DAG of Airflow that the user may read.
"""

# No `from __future__ import annotations`: FastAPI reads the dependencies from the annotations.
from typing import Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from fastapi import APIRouter, Query, Request  # noqa: TID253  imported at the first request

from medallion.web.jobs_api.answers import ApiError
from medallion.web.jobs_api.caller import Caller
from medallion.web.jobs_api.job_json import Listed, job_json, job_of_number, jobs_of_projects

router = APIRouter(prefix="/jobs", tags=["jobs"])
PAGED = "/2.2"
"""The version whose `jobs/get` gives long arrays in pages."""


@router.get("/list")
def listed(
    user: Caller,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    page_token: str = "",
    name: str = "",
    expand_tasks: bool = False,  # noqa: FBT001, FBT002  of the query
) -> dict[str, Any]:
    """The jobs that the user may see, the newest first, in pages."""
    allowed = get_auth_manager().get_authorized_dag_ids(user=user, method="GET")
    found = sorted((job for job in jobs_of_projects() if job.dag_id in allowed), key=Listed.order, reverse=True)
    if name:
        found = [job for job in found if job.name.casefold() == name.casefold()]
    if page_token:
        last = order_of(page_token)
        found = [job for job in found if job.order() < last]
    shown, more = found[:limit], len(found) > limit
    told: dict[str, Any] = {"jobs": [job_json(job, page=0, tasks=expand_tasks) for job in shown], "has_more": more}
    if more:
        told["next_page_token"] = "{}-{}".format(*shown[-1].order())
    return told


@router.get("/get")
def got(request: Request, user: Caller, job_id: str = "", page_token: str = "") -> dict[str, Any]:
    """One job with its settings and the defaults that clients know."""
    if not (job_id.isascii() and job_id.isdigit()):
        raise ApiError("INVALID_PARAMETER_VALUE", f"job_id: {job_id!r} is no number")
    if page_token and not (page_token.isascii() and page_token.isdigit()):
        raise ApiError("INVALID_PARAMETER_VALUE", f"page_token: {page_token!r} is none of this list")
    found = job_of_number(job_id)
    if found is None or found.dag_id not in get_auth_manager().get_authorized_dag_ids(user=user, method="GET"):
        raise ApiError("INVALID_PARAMETER_VALUE", f"Job {job_id} does not exist.")
    in_pages = str(request.scope.get("root_path", "")).endswith(PAGED)
    return job_json(found, page=int(page_token or 0) if in_pages else None)


def order_of(page_token: str) -> tuple[int, int]:
    """Where a page begins.

    :raises ApiError: it is no token of this list.
    """
    created, _, number = page_token.partition("-")
    if not (page_token.isascii() and created.isdigit() and number.isdigit()):
        raise ApiError("INVALID_PARAMETER_VALUE", f"page_token: {page_token!r} is none of this list")
    return int(created), int(number)

"""Where a run goes on, and how it is cancelled and repaired there. In the user's shell.

A run is in the hands of a process of its own (`medallion run` without a scheduler), or of Airflow's components.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.components.api_client import ApiClient, quoted
from medallion.components.database import aside, local_runs
from medallion.components.deployment import server_of
from medallion.components.places import places_of
from medallion.errors import MedallionError, RunError, TargetError
from medallion.runs import ids
from medallion.runs.requests import CancelRequest, leave_request
from medallion.runs.shape import owner

if TYPE_CHECKING:
    from medallion.components.deployment import Server
    from medallion.settings import Settings

OBEY_SECONDS = 60
"""How long a run's own process may take to obey: a task's processes are given ten seconds to end by themselves."""
LOOK = 0.2
LATEST = "latest"


@dataclass(frozen=True, slots=True)
class Place:
    """A run that has been found."""

    dag_id: str
    run_id: str


def dag_of_job(settings: Settings, job: str | None) -> str | None:
    """The DAG id of a job that the user names; text that names no job is taken as a DAG id.

    :raises AmbiguousJobError: several jobs have that name.
    """
    from medallion.components.jobs import AmbiguousJobError, choose

    if job is None:
        return None
    try:
        return choose(settings, job, target=None, variables={}).dag_id
    except AmbiguousJobError:
        raise
    except MedallionError:
        return job


def is_meant(place: Place, run: str, dag_id: str | None) -> bool:
    """Whether a run is the one that the user names."""
    if dag_id is not None and place.dag_id != dag_id:
        return False
    return run in {place.run_id, str(ids.run_id(place.dag_id, place.run_id))} or (run == LATEST and dag_id is not None)


def own_process(settings: Settings, run: str, dag_id: str | None) -> Place | None:
    """The run when a process of its own drives it."""
    for marker, identity in local_runs(places_of(settings)).items():
        try:
            job, tab, name = marker.read_text(encoding="utf-8", errors="replace").strip().partition("\t")
        except OSError:
            continue
        place = Place(job, name)
        if tab and identity.alive and is_meant(place, run, dag_id):
            return place
    return None


def kept_runs(settings: Settings, run: str, dag_id: str | None) -> list[Place]:
    """Runs that are meant, from the folders that runs leave; those of runs without any attempt are not there."""
    folders = (settings.home / "runs").glob("*/*")
    return [place for item in folders if is_meant(place := Place(item.parent.name, item.name), run, dag_id)]


def cancel(settings: Settings, run: str, *, job: str | None, task: str | None, who: str) -> dict[str, Any]:
    """Cancel a run or a task, where it goes on.

    :raises RunError: there is no such run, or it has ended.
    :raises TargetError: who drives the run does not answer.
    """
    dag_id = dag_of_job(settings, job)
    place = own_process(settings, run, dag_id)
    if place is not None:
        return cancel_in_process(settings, place, CancelRequest(who, task))
    server = server_of(settings)
    if server is None:
        raise RunError(f"no run {run} goes on", hint="`medallion runs` lists the runs")
    client = ApiClient(settings, server)
    return client.own("POST", f"{served_place(client, run, dag_id)}/cancel", {"task_key": task})


def cancel_in_process(settings: Settings, place: Place, request: CancelRequest) -> dict[str, Any]:
    """Leave a request for the run's process and wait until it has been obeyed."""
    from medallion.runs.notes import read_notes

    left = leave_request(settings.home, place.dag_id, place.run_id, request)
    end = time.monotonic() + OBEY_SECONDS
    while left.exists():
        if own_process(settings, place.run_id, place.dag_id) is None:
            left.unlink(missing_ok=True)
            break
        if time.monotonic() > end:
            left.unlink(missing_ok=True)
            raise TargetError(f"the process of the run {place.run_id} does not answer", hint="`medallion down` ends it")
        time.sleep(LOOK)
    notes = read_notes(settings.home, place.dag_id, place.run_id)
    done = notes.get("canceled_tasks", {}).get(request.task_key) if request.task_key else notes.get("canceled")
    if not done:
        what = f"task {request.task_key}" if request.task_key else f"the run {place.run_id}"
        raise RunError(f"{what} could not be cancelled: it has ended, or there is none of that name")
    tasks = {key for mark in notes.get("canceled_attempts") or () if (key := owner(str(mark[0])))}
    return {"dag_id": place.dag_id, "airflow_run_id": place.run_id, "canceled": sorted(tasks)}


def served_place(client: ApiClient, run: str, dag_id: str | None) -> str:
    """The path of a run in Medallion's interface; the server finds the job of a run that is named without one."""
    if dag_id is None:
        found = client.own("GET", f"/runs/find?run={quoted(run)}")
        return f"/jobs/{quoted(found['dag_id'])}/runs/{quoted(found['airflow_run_id'])}"
    return f"/jobs/{quoted(dag_id)}/runs/{quoted(run)}"


def repair_served(settings: Settings, server: Server, run: str, dag_id: str | None, body: Mapping[str, Any]) -> Place:
    """Repair a run through Airflow's API server; gives the run, which then waits for the scheduler."""
    client = ApiClient(settings, server)
    place = served_place(client, run, dag_id)
    # The interface wants to know which repair a later one follows: the one that is there now.
    parts = client.own("GET", place)["repair_history"]
    known = {"latest_repair_id": parts[-1]["id"]} if parts else {}
    told = client.own("POST", f"{place}/repair", {**body, **known})
    return Place(told["dag_id"], told["airflow_run_id"])


def has_aside(settings: Settings) -> Path | None:
    """The database of runs that went beside a scheduler; None where there were none."""
    database = aside(settings).database
    return database if database.exists() else None

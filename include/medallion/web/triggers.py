"""A job's triggers: the page `/lakeflow/triggers/{dag_id}` of Airflow's UI, and the same as JSON. Runs in the API server."""

# No `from __future__ import annotations`: FastAPI reads the dependencies from the annotations.
from html import escape
from typing import Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import APIRouter, Depends, HTTPException  # noqa: TID253  imported at the first request
from fastapi.responses import HTMLResponse  # noqa: TID253  as above

from medallion.triggers.outlook import Outlook, TriggerOutlook, firing_words, moment, outlook, seen_words
from medallion.web.page import frame, table, time_text

router = APIRouter(tags=["triggers"])
MayRead = Depends(requires_access_dag("GET", DagAccessEntity.RUN))
MOST = 100
REFRESH = 10


@router.get("/api/jobs/{dag_id}/triggers", dependencies=[MayRead])
def triggers(dag_id: str, user: GetUserDep, count: int = 5) -> dict[str, Any]:
    """A job's triggers as JSON, see `Outlook.to_json`."""
    return outlook_of(dag_id, count).to_json()


@router.get("/triggers/{dag_id}", dependencies=[MayRead], response_class=HTMLResponse)
def page(dag_id: str, user: GetUserDep) -> HTMLResponse:
    """The page."""
    return HTMLResponse(page_of(outlook_of(dag_id, 5)))


def outlook_of(dag_id: str, count: int) -> Outlook:
    """The outlook of a DAG's job; answers 404 when its definition is gone."""
    from medallion.project.projects import settings_of_dag
    from medallion.runs.definitions import Definitions

    settings = settings_of_dag(dag_id)
    found = Definitions(settings).of(dag_id)
    if found is None:
        raise HTTPException(404, f"no job is the DAG {dag_id}")
    return outlook(settings, dag_id, found.job, min(max(count, 0), MOST))


def page_of(told: Outlook) -> str:
    """The page as HTML. All text that comes from jobs, files and tables is escaped."""
    if not told.triggers:
        return frame(f"What starts {told.job}", "<p>Nothing: it is started by hand.</p>")
    body = table(("Trigger", "Next", "Seen so far", "Fired last"), [trigger_row(item) for item in told.triggers])
    firings = [
        f"<tr><td>{time_text(moment(firing.at))}</td><td>{escape(firing.key)}</td><td>{escape(firing_words(firing))}</td></tr>"
        for firing in told.firings
    ]
    if firings:
        body += "<h2>Firings</h2>" + table(("At", "Trigger", "What"), firings)
    return frame(f"What starts {told.job}", body, refresh=REFRESH)


def trigger_row(trigger: TriggerOutlook) -> str:
    """One row of the table."""
    text = escape(trigger.text) + (" (paused)" if trigger.paused else "")
    if trigger.says:
        text += f'<div class="says">{escape(trigger.says)}</div>'
    seen = "<br>".join(escape(line) for line in seen_words(trigger.seen))
    if trigger.problem:
        seen += f'<div class="problem">{escape(trigger.problem)}</div>'
    following = "<br>".join(time_text(at) for at in trigger.next)
    fired = time_text(trigger.fired) if trigger.fired else ""
    return f"<tr><td>{text}</td><td>{following}</td><td>{seen}</td><td>{fired}</td></tr>"

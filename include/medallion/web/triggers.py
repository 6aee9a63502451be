"""A job's triggers: the page `/lakeflow/triggers/{dag_id}` of Airflow's UI, and the same as JSON. Runs in the API server."""

# No `from __future__ import annotations`: FastAPI reads the dependencies from the annotations.
from html import escape
from typing import Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import APIRouter, Depends, HTTPException  # noqa: TID253  imported at the first request
from fastapi.responses import HTMLResponse  # noqa: TID253  as above

from medallion.triggers.outlook import Outlook, TriggerOutlook, firing_words, moment, outlook, seen_words

router = APIRouter(tags=["triggers"])
MayRead = Depends(requires_access_dag("GET", DagAccessEntity.RUN))
MOST = 100
POLICY = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
"""The page runs nothing and loads nothing."""

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Triggers of {name}</title>
<meta http-equiv="refresh" content="10"><style>
:root {{ color-scheme: light dark }}
body {{ font: 14px/1.5 system-ui, sans-serif; margin: 1.5rem; max-width: 70rem }}
table {{ border-collapse: collapse; width: 100%; margin-bottom: 1.5rem }}
th, td {{ text-align: left; vertical-align: top; padding: .4rem .8rem; border-bottom: 1px solid #8884 }}
.problem {{ color: #c5221f }}
.says {{ opacity: .7 }}
</style></head><body><h1>What starts {name}</h1>{body}</body></html>"""


@router.get("/api/jobs/{dag_id}/triggers", dependencies=[MayRead])
def triggers(dag_id: str, user: GetUserDep, count: int = 5) -> dict[str, Any]:
    """A job's triggers as JSON, see `Outlook.to_json`."""
    return outlook_of(dag_id, count).to_json()


@router.get("/triggers/{dag_id}", dependencies=[MayRead], response_class=HTMLResponse)
def page(dag_id: str, user: GetUserDep) -> HTMLResponse:
    """The page."""
    return HTMLResponse(page_of(outlook_of(dag_id, 5)), headers=POLICY)


def outlook_of(dag_id: str, count: int) -> Outlook:
    """The outlook of a DAG's job; answers 404 when its definition is gone."""
    from medallion.runs.definitions import Definitions
    from medallion.settings import Settings

    settings = Settings.load()
    found = Definitions(settings).of(dag_id)
    if found is None:
        raise HTTPException(404, f"no job is the DAG {dag_id}")
    return outlook(settings, dag_id, found.job, min(max(count, 0), MOST))


def page_of(told: Outlook) -> str:
    """The page as HTML. All text that comes from jobs, files and tables is escaped."""
    if not told.triggers:
        return PAGE.format(name=escape(told.job), body="<p>Nothing: it is started by hand.</p>")
    rows = "".join(trigger_row(trigger) for trigger in told.triggers)
    body = f"<table><tr><th>Trigger</th><th>Next</th><th>Seen so far</th><th>Fired last</th></tr>{rows}</table>"
    firings = "".join(
        f"<tr><td>{time_text(moment(firing.at))}</td><td>{escape(firing.key)}</td><td>{escape(firing_words(firing))}</td></tr>"
        for firing in told.firings
    )
    if firings:
        body += f"<h2>Firings</h2><table><tr><th>At</th><th>Trigger</th><th>What</th></tr>{firings}</table>"
    return PAGE.format(name=escape(told.job), body=body)


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


def time_text(at: Any) -> str:
    """A time as a person reads it."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"

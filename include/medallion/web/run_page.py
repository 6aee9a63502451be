"""A run's page in Airflow's UI, `/lakeflow/runs/{dag_id}/{run}`: its tasks, its repairs, repair and cancel by a button.

Runs in the API server. Who may do what is Airflow's decision for the DAG, as for its own pages.
"""

# No `from __future__ import annotations`: FastAPI reads the dependencies from the annotations.
from html import escape
from typing import Annotated, Any
from urllib.parse import parse_qs, quote, urlsplit

from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Depends, HTTPException, Request  # noqa: TID253  imported at the first request
from fastapi.responses import HTMLResponse, RedirectResponse  # noqa: TID253  as above

from medallion.errors import MedallionError
from medallion.runs import run_conf
from medallion.runs.metadata import settings_home
from medallion.web.control import MayChange, MayRead
from medallion.web.page import frame, millis_text, state, table

router = APIRouter(tags=["run"])
PARAMETER = "parameter:"
"""Prefix of the form's fields for job parameters."""
REFRESH = 5
SEE_OTHER = 303
Form = dict[str, list[str]]


async def form_of(request: Request) -> Form:
    """The fields of a form that this site's own page sent.

    :raises HTTPException: another site's page sent it: the browser would add the user's login to that too.
    """
    origin = request.headers.get("origin")
    if origin is None or urlsplit(origin).netloc != request.headers.get("host"):
        raise HTTPException(403, "a form counts only when it comes from this site's own page")
    body = (await request.body()).decode("utf-8", "replace")
    return parse_qs(body, keep_blank_values=True)


FormDep = Annotated[Form, Depends(form_of)]


@router.get("/runs/{dag_id}/{run}", dependencies=[MayRead], response_class=HTMLResponse)
def page(dag_id: str, run: str, session: SessionDep) -> HTMLResponse:
    """The page."""
    return answer(session, run_of(session, dag_id, run))


@router.post("/runs/{dag_id}/{run}/repair", dependencies=[MayChange], response_model=None)
def repair(
    dag_id: str, run: str, form: FormDep, user: GetUserDep, session: SessionDep
) -> RedirectResponse | HTMLResponse:
    """Repair the run as the form says, then show it."""
    from medallion.runs.repair import Wanted
    from medallion.runs.repair import repair as start

    given = {name.removeprefix(PARAMETER): values[-1] for name, values in form.items() if name.startswith(PARAMETER)}
    found = run_of(session, dag_id, run)
    before = dict(parameters_of(found))
    wanted = Wanted(
        tasks=tuple(form.get("task", ())),
        dependents="dependents" in form,
        parameters={name: value for name, value in given.items() if value != before.get(name)},
        who=user.get_name(),
    )
    try:
        start(session, found, wanted, settings_home(found.dag_id))
    except MedallionError as error:
        return answer(session, found, problem=str(error))
    return back(dag_id, run)


@router.post("/runs/{dag_id}/{run}/cancel", dependencies=[MayChange], response_model=None)
def cancel(
    dag_id: str, run: str, form: FormDep, user: GetUserDep, session: SessionDep
) -> RedirectResponse | HTMLResponse:
    """Cancel the run, then show it."""
    from medallion.runs.cancel import Canceller

    found = run_of(session, dag_id, run)
    try:
        Canceller(session, settings_home(found.dag_id), user.get_name()).run(found)
    except MedallionError as error:
        return answer(session, found, problem=str(error))
    return back(dag_id, run)


def back(dag_id: str, run: str) -> RedirectResponse:
    """To the page, so that a reload sends nothing again."""
    return RedirectResponse(place(dag_id, run), status_code=SEE_OTHER)


def place(dag_id: str, run: str) -> str:
    """The page's address."""
    return f"/lakeflow/runs/{quote(dag_id, safe='')}/{quote(run, safe='')}"


def run_of(session: Any, dag_id: str, run: str) -> Any:
    """The run that the address names, as Airflow keeps it; 404 when there is none."""
    from medallion.runs.lookup import find_run

    try:
        return find_run(session, run, dag_id)
    except MedallionError as error:
        raise HTTPException(404, str(error)) from None


def answer(session: Any, run: Any, *, problem: str = "") -> HTMLResponse:
    """The page as it stands now; 409 with what was refused."""
    from medallion.runs.history import run_shown

    told = run_shown(session, run, settings_home(run.dag_id))
    parameters = parameters_of(run)
    goes_on = told["result_state"] is None
    html = frame(
        f"Run {told['run_id']} of {told['job']}",
        page_body(told, parameters, place(run.dag_id, run.run_id), problem),
        refresh=REFRESH if goes_on and not problem else 0,
    )
    return HTMLResponse(html, status_code=409 if problem else 200)


def parameters_of(run: Any) -> list[tuple[str, str]]:
    """The job's parameters with the values that the run was given, in the job's order."""
    from medallion.project.projects import settings_of_dag
    from medallion.runs.definitions import Definitions

    found = Definitions(settings_of_dag(run.dag_id)).of(run.dag_id)
    if found is None:
        return []
    conf = run.conf or {}
    given = {**conf, **run_conf.shown(conf)}
    return [(item.name, str(given.get(item.name, item.default))) for item in found.job.parameters or ()]


def page_body(told: dict[str, Any], parameters: list[tuple[str, str]], address: str, problem: str) -> str:
    """The page below its heading."""
    parts = [f'<p class="notice problem">{escape(problem)}</p>'] if problem else []
    word = told["result_state"] or told["life_cycle_state"]
    message = (told.get("termination_details") or {}).get("message") or ""
    by = f", started by {escape(told['started_by'])}" if told.get("started_by") else ""
    times = f"{millis_text(told['start_time'])} to {millis_text(told['end_time']) or 'now'}"
    parts.append(f'<p><strong>{state(word)}</strong> {times}{by}<br><span class="message">{escape(message)}</span></p>')
    rows = [task_row(task) for task in told["tasks"]]
    parts.append(table(("Task", "State", "Attempts", "Started", "Seconds", "Why"), rows))
    if told["repair_history"]:
        rows = [repair_row(number, part) for number, part in enumerate(told["repair_history"])]
        parts.append("<h2>Repairs</h2>" + table(("Part", "Result", "Started", "Tasks", "By"), rows))
    parts.append(cancel_form(address) if told["result_state"] is None else repair_form(told, parameters, address))
    return "".join(parts)


def task_row(task: dict[str, Any]) -> str:
    """One task, with a summary of its iterations."""
    word = task["result_state"] or task["life_cycle_state"]
    took = (task["end_time"] - task["start_time"]) / 1000 if task["end_time"] and task["start_time"] else None
    details = task.get("termination_details") or {}
    why = escape(details.get("message") or "") if task["result_state"] != "SUCCESS" else ""
    if iterations := task.get("iterations"):
        good = sum(item["result_state"] == "SUCCESS" for item in iterations)
        why = f"{good} of {len(iterations)} iterations succeeded" + (f"<br>{why}" if why else "")
    cells = (
        f"<td>{escape(task['task_key'])}</td><td>{state(word)}</td><td class=number>{task['attempts']}</td>",
        f"<td>{millis_text(task['start_time'])}</td><td class=number>{'' if took is None else f'{took:.1f}'}</td>",
        f'<td class="message">{why}</td>',
    )
    return f"<tr>{''.join(cells)}</tr>"


def repair_row(number: int, part: dict[str, Any]) -> str:
    """One part of a repaired run."""
    name = f"Repair {number}" if number else "First part"
    word = part.get("result_state") or part.get("life_cycle_state") or ""
    tasks = escape(", ".join(part.get("tasks") or ()))
    cells = (name, state(word), millis_text(part.get("start_time") or 0), tasks, escape(str(part.get("who") or "")))
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def repair_form(told: dict[str, Any], parameters: list[tuple[str, str]], address: str) -> str:
    """What may run again, and with which parameters."""
    boxes = "".join(
        f'<label class="inline"><input type="checkbox" name="task" value="{escape(task["task_key"])}"> '
        f"{escape(task['task_key'])}</label>"
        for task in told["tasks"]
    )
    fields = "".join(
        f'<label>{escape(name)}<br><input type="text" name="{PARAMETER}{escape(name)}" value="{escape(value)}"></label>'
        for name, value in parameters
    )
    shown = f"<fieldset><legend>Parameters, for this repair</legend>{fields}</fieldset>" if fields else ""
    return (
        f'<h2>Repair run</h2><form method="post" action="{escape(address)}/repair">'
        "<fieldset><legend>Tasks; none: all that did not succeed, and what depends on them</legend>"
        f'{boxes}<label><input type="checkbox" name="dependents"> also what depends on the chosen ones and has '
        f"succeeded</label></fieldset>{shown}<button>Repair run</button></form>"
    )


def cancel_form(address: str) -> str:
    """The button of a run that goes on."""
    return f'<form method="post" action="{escape(address)}/cancel"><button>Cancel run</button></form>'

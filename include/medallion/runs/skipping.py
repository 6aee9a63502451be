"""Runs that never run: over the limit with the queue off, or too long in the queue. Runs in the API server and jobs service.

Airflow has no such state for a run. So it is `failed` there, with its tasks `skipped` and a note that says why; the run's
own notes (`runs.notes`, key `termination`) hold the Jobs API's words, and `runs.report` tells SKIPPED from them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.runs.notes import Notes, note

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from sqlalchemy.orm import Session

TERMINATION = "termination"
"""Key of a run's notes."""
OVER_LIMIT = "MAX_CONCURRENT_RUNS_EXCEEDED"
"""Termination code of a run that was skipped (Jobs API, `termination_details.code`)."""


@dataclass(frozen=True, slots=True)
class Termination:
    """Why a run ended, in the Jobs API's words.

    :param type: whose fault it is.
    """

    code: str
    message: str
    type: str = "CLIENT_ERROR"


def over_limit(limit: int) -> Termination:
    """Of a run that had no place."""
    if limit <= 0:
        return Termination(OVER_LIMIT, "Skipped: max_concurrent_runs is 0, so every new run is skipped.")
    return Termination(OVER_LIMIT, f"Skipped due to reaching maximum concurrent runs of {limit}.")


def waited_too_long(hours: float) -> Termination:
    """Of a run that found no place in time."""
    return Termination(OVER_LIMIT, f"Skipped after waiting {hours:g} hours in the queue.")


def termination_of(notes: Notes) -> Termination | None:
    """Why a run was skipped, from its notes; None for a run that was not."""
    found: Any = notes.get(TERMINATION)
    if not isinstance(found, dict) or found.get("code") != OVER_LIMIT:
        return None
    return Termination(str(found["code"]), str(found.get("message", "")), str(found.get("type", "CLIENT_ERROR")))


def tell(home: Path, dag_id: str, airflow_run_id: str, why: Termination) -> None:
    """Write the reason into the run's notes. Before the run's state is written, so that nobody sees one without it."""
    note(home, dag_id, airflow_run_id, **{TERMINATION: asdict(why)})


def skip_waiting(session: Session, home: Path, run: DagRun, why: Termination, now: datetime) -> bool:
    """End a run that waits. False when it has been started meanwhile: then it stays as it is."""
    from airflow.models.dagrun import DagRun
    from sqlalchemy import update

    still_waits = (DagRun.id == run.id, DagRun.state == "queued")
    tell(home, run.dag_id, run.run_id, why)
    changed: Any = session.execute(
        update(DagRun).where(*still_waits).values(state="failed", end_date=now).execution_options(**UNSYNCED)
    )
    if not changed.rowcount:
        note(home, run.dag_id, run.run_id, **{TERMINATION: None})
        return False
    skip_tasks(session, run)
    session.expire(run)
    run.note = (why.message, None)
    return True


def skip_tasks(session: Session, run: DagRun) -> None:
    """No task of the run will run."""
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy import update

    of_run = (TaskInstance.dag_id == run.dag_id, TaskInstance.run_id == run.run_id)
    session.execute(update(TaskInstance).where(*of_run).values(state="skipped").execution_options(**UNSYNCED))


UNSYNCED: dict[str, Any] = {"synchronize_session": False}
"""The rows are not held as objects, or are read again."""

"""Runs for people and programs: a list, one run with its tasks. Runs in the API server and in the command line's reader."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.runs import ids, run_conf
from medallion.runs.lookup import find_run, report_of, shape_of_run
from medallion.runs.metadata import runs_of, settings_home, snapshot_of_run
from medallion.runs.report import report
from medallion.runs.snapshot import millis

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from sqlalchemy.orm import Session


def runs_listed(
    session: Session,
    home: Path | None = None,
    *,
    dag_ids: Sequence[str] | None = None,
    limit: int = 25,
    state: str | None = None,
) -> list[dict[str, Any]]:
    """Runs without their tasks, the newest first.

    :param home: where their records are; None: in the home folder of each one's project.
    :param state: `active` or `completed`; None for both.
    """
    active = None if state is None else state == "active"
    found = runs_of(session, dag_ids=dag_ids, limit=limit, active=active)
    return [row_of(session, run, home or settings_home(run.dag_id)) for run in found]


def row_of(session: Session, run: DagRun, home: Path) -> dict[str, Any]:
    """One run of a list."""
    told = report_of(session, run, home).to_json()
    repairs = told.pop("repair_history")
    del told["tasks"]
    return {**told, **facts_of(run), "repairs": max(len(repairs) - 1, 0)}


def run_shown(session: Session, run: DagRun, home: Path) -> dict[str, Any]:
    """One run with all that is known of it."""
    snapshot = snapshot_of_run(session, run, home)
    shape = shape_of_run(session, run, snapshot, home)
    told = report(shape, snapshot, home).to_json()
    return {**told, **facts_of(run), "job_parameters": run_conf.shown(run.conf), "loops": dict(shape.loops)}


def facts_of(run: DagRun) -> dict[str, Any]:
    """What Airflow knows of a run besides its tasks."""
    return {
        "dag_id": run.dag_id,
        "job_id": ids.job_id(run.dag_id),
        "started_by": run.triggering_user_name,
        "run_type": str(run.run_type.value) if hasattr(run.run_type, "value") else str(run.run_type),
        "queued_time": millis(run.queued_at.timestamp()) if run.queued_at else 0,
    }


def main() -> int:
    """`python -m medallion.runs.history`: answer one request, JSON in and out, from this machine's database."""
    from airflow.utils.session import create_session

    from medallion.errors import MedallionError

    asked = json.load(sys.stdin)
    out = sys.stdout
    sys.stdout = sys.stderr  # whatever Airflow prints must not get into the answer
    try:
        with create_session() as session:
            if "run" in asked:
                run = find_run(session, asked["run"], asked.get("dag_id"))
                told = run_shown(session, run, settings_home(run.dag_id))
            else:
                told = {"runs": runs_listed(session, **asked)}
    except MedallionError as error:
        told = {"error": error.message, "hint": error.hint}
    json.dump(told, out, default=str)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A run by hand takes the place of a continuous job's active run. Runs in the API server and in the jobs service.

Databricks page "Run jobs continuously": Run now on an unpaused continuous job ends its run and starts another.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from medallion.runs.notes import note

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from sqlalchemy.orm import Session

    from medallion.settings import Settings

log = logging.getLogger(__name__)


def cancel_active(session: Session, settings: Settings, dag_id: str, by: str | None = None) -> list[str]:
    """Cancel the runs of a continuous job that run or are about to; gives Airflow's ids of them.

    :param by: who asked.
    """
    from airflow.models.dagrun import DagRun
    from sqlalchemy import select

    query = select(DagRun).where(DagRun.dag_id == dag_id, DagRun.state == "running", DagRun.backfill_id.is_(None))
    runs = [run for run in session.scalars(query) if not is_ending(settings, run)]
    for run in runs:
        cancel(session, settings, run, by)
    return [run.run_id for run in runs]


def is_ending(settings: Settings, run: DagRun) -> bool:
    """Whether it was cancelled before and gives back its cluster now."""
    from medallion.runs.notes import read_notes

    return bool(read_notes(settings.home, run.dag_id, run.run_id).get("canceled"))


def cancel(session: Session, settings: Settings, run: DagRun, by: str | None) -> None:
    """End one run, with a note that says that it was cancelled."""
    note(settings.home, run.dag_id, run.run_id, canceled={"by": by, "at": datetime.now(UTC).timestamp()})
    end_run(session, run, "cancelled for a new run")


def end_run(session: Session, run: DagRun, why: str) -> None:
    """End one run as Airflow's own "mark as failed" does, its listeners included."""
    from airflow.api.common.mark_tasks import set_dag_run_state_to_failed
    from airflow.listeners.listener import get_listener_manager
    from airflow.models.dagbag import DBDagBag

    dag = DBDagBag().get_dag_for_run(run, session=session)
    if dag is None:
        log.warning("Airflow has no DAG of run %s of %s", run.run_id, run.dag_id)
        return
    set_dag_run_state_to_failed(dag=dag, run_id=run.run_id, commit=True, session=session)
    run.dag = dag
    try:
        get_listener_manager().hook.on_dag_run_failed(dag_run=run, msg=why)
    except Exception:
        log.exception("a listener failed at the end of run %s of %s", run.run_id, run.dag_id)

"""Ends the active run of a continuous job before another. Runs in the API server and in the jobs service.

Databricks page "Run jobs continuously": Run now on an unpaused continuous job ends its run and starts another.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from sqlalchemy.orm import Session

    from medallion.settings import Settings

log = logging.getLogger(__name__)

NOBODY = "a new run"
"""Who cancelled a run that another took the place of, when Airflow does not say who started that."""


def cancel_active(session: Session, settings: Settings, dag_id: str, by: str | None = None) -> list[str]:
    """Cancel the runs of a continuous job that run; gives Airflow's ids of them.

    :param by: who asked.
    """
    from airflow.models.dagrun import DagRun
    from sqlalchemy import select

    from medallion.runs.cancel import Canceller

    query = select(DagRun).where(DagRun.dag_id == dag_id, DagRun.state == "running", DagRun.backfill_id.is_(None))
    runs = list(session.scalars(query))
    for run in runs:
        Canceller(session, settings.home, by or NOBODY).end(run)
    return [run.run_id for run in runs]


def end_run(session: Session, run: DagRun, why: str) -> None:
    """End one run as failed, as Airflow's own "mark as failed" does, its listeners included.

    :param why: what the listeners are told.
    """
    from airflow.api.common.mark_tasks import set_dag_run_state_to_failed
    from airflow.listeners.listener import get_listener_manager
    from airflow.models.dagbag import DBDagBag

    dag = DBDagBag().get_dag_for_run(run, session=session)
    if dag is None:
        log.warning("Airflow has no DAG of run %s of %s", run.run_id, run.dag_id)
        return
    set_dag_run_state_to_failed(dag=dag, run_id=run.run_id, commit=True, session=session)
    try:
        get_listener_manager().hook.on_dag_run_failed(dag_run=run, msg=why)
    except Exception:
        log.exception("a listener failed at the end of run %s of %s", run.run_id, run.dag_id)

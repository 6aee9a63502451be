"""What happens when a run ends, whichever way. Runs in the scheduler and in the API server.

A run's time-out skips its teardowns, so its leases on drivers are given back here too. The next run of a continuous job
is planned here, in the transaction that ends the run. The API server calls these too when a person ends a run there.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, cast

from airflow.listeners import hookimpl

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance

log = logging.getLogger(__name__)


@hookimpl
def on_dag_run_running(dag_run: DagRun, msg: str) -> None:
    """Record a repair that a person made with Airflow's own clear, before its first task starts.

    A run whose parent was cancelled while it was being made ends at once.
    """
    from medallion.runs.by_hand import run_cleared, run_orphaned

    if dag_run.clear_number:
        run_cleared(dag_run)
    if (dag_run.conf or {}).get("parent_run_id"):
        run_orphaned(dag_run)


@hookimpl
def on_dag_run_success(dag_run: DagRun, msg: str) -> None:
    """Give back the leases of a run that succeeded."""
    release(dag_run)
    repaired(dag_run)
    go_on(dag_run, msg)


@hookimpl
def on_dag_run_failed(dag_run: DagRun, msg: str) -> None:
    """Give back the leases of a run that failed, timed out or was cancelled; say which it was."""
    from medallion.runs.by_hand import MANUAL, run_marked_failed, run_timed_out

    if MANUAL in msg:
        run_marked_failed(dag_run)
    elif msg == "timed_out":
        run_timed_out(dag_run)
    release(dag_run)
    repaired(dag_run)
    go_on(dag_run, msg)


@hookimpl
def on_task_instance_failed(previous_state: object, task_instance: object, error: object) -> None:
    """Note that a person ended a task. In a worker, where attempts fail by themselves, there is nothing to do."""
    if isinstance(error, str):
        from medallion.runs.by_hand import MANUAL, task_marked_failed

        if MANUAL in error:
            task_marked_failed(cast("TaskInstance", task_instance))


def go_on(dag_run: DagRun, msg: str) -> None:
    """Plan the next run of a continuous job.

    :param msg: what Airflow says of the end; its words for a person's doing begin with "Dag Run's state was manually".
    """
    from sqlalchemy.orm import object_session

    from medallion.runs.notes import read_notes
    from medallion.settings import Settings
    from medallion.triggers.continuous import goes_on, plan_next

    session = object_session(dag_run)
    if session is None or not goes_on(session, dag_run.dag_id):
        return
    home = Settings.load().home
    canceled = bool(read_notes(home, dag_run.dag_id, dag_run.run_id).get("canceled"))
    plan_next(session, dag_run, home, by_hand=canceled or "manually" in msg)


def repaired(dag_run: DagRun) -> None:
    """Note how a repair ended."""
    if dag_run.clear_number:
        from medallion.runs.by_hand import repair_ended

        repair_ended(dag_run)


def release(dag_run: DagRun) -> None:
    """Give back all leases of a run. A failure here must not hurt the scheduler."""
    from medallion.compute.pool import DriverPool
    from medallion.errors import MedallionError
    from medallion.settings import Settings

    try:
        DriverPool(Settings.load()).release_run(f"{dag_run.dag_id}/{dag_run.run_id}/")
    except (MedallionError, OSError):
        log.exception("The leases of run %s of %s could not be given back", dag_run.run_id, dag_run.dag_id)

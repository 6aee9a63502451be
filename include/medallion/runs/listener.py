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
    """Tie the run to the version of its job, before its first task starts.

    A repair that a person made with Airflow's own clear is recorded; it takes the job as it is now. A run whose parent was
    cancelled while it was being made ends at once.
    """
    from medallion.runs.by_hand import run_cleared, run_orphaned

    if not is_ours(dag_run.dag_id):
        return
    keep_version(dag_run)
    if dag_run.clear_number:
        run_cleared(dag_run)
    if (dag_run.conf or {}).get("parent_run_id"):
        run_orphaned(dag_run)


@hookimpl
def on_dag_run_success(dag_run: DagRun, msg: str) -> None:
    """Give back the leases of a run that succeeded."""
    if not is_ours(dag_run.dag_id):
        return
    release(dag_run)
    repaired(dag_run)
    go_on(dag_run, msg)


@hookimpl
def on_dag_run_failed(dag_run: DagRun, msg: str) -> None:
    """Give back the leases of a run that failed, timed out or was cancelled; say which it was."""
    from medallion.runs.by_hand import MANUAL, run_marked_failed, run_timed_out

    if not is_ours(dag_run.dag_id):
        return
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

        instance = cast("TaskInstance", task_instance)
        if MANUAL in error and is_ours(instance.dag_id):
            task_marked_failed(instance)


def is_ours(dag_id: str) -> bool:
    """Whether a DAG is a job's: others may share this Airflow, and nothing of theirs is kept."""
    from medallion.project.projects import project_of

    return project_of(dag_id) is not None


def go_on(dag_run: DagRun, msg: str) -> None:
    """Plan the next run of a continuous job.

    :param msg: what Airflow says of the end; its words for a person's doing begin with "Dag Run's state was manually".
    """
    from sqlalchemy.orm import object_session

    from medallion.project.projects import settings_of_dag
    from medallion.runs.notes import read_notes
    from medallion.triggers.continuous import goes_on, plan_next

    session = object_session(dag_run)
    if session is None or not goes_on(session, dag_run.dag_id):
        return
    home = settings_of_dag(dag_run.dag_id).home
    canceled = bool(read_notes(home, dag_run.dag_id, dag_run.run_id).get("canceled"))
    plan_next(session, dag_run, home, by_hand=canceled or "manually" in msg)


def keep_version(dag_run: DagRun) -> None:
    """Have the run keep the job as it is now. A failure here must not hurt the scheduler."""
    from sqlalchemy.orm import object_session

    from medallion.project.projects import settings_of_dag
    from medallion.runs.job_versions import pin

    session = object_session(dag_run)
    if session is not None:
        try:
            pin(session, dag_run, settings_of_dag(dag_run.dag_id).home)
        except OSError:
            log.exception("The job of run %s of %s could not be kept", dag_run.run_id, dag_run.dag_id)


def repaired(dag_run: DagRun) -> None:
    """Note how a repair ended."""
    if dag_run.clear_number:
        from medallion.runs.by_hand import repair_ended

        repair_ended(dag_run)


def release(dag_run: DagRun) -> None:
    """Give back all leases of a run. A failure here must not hurt the scheduler."""
    from medallion.compute.pool import DriverPool
    from medallion.errors import MedallionError
    from medallion.project.projects import settings_of_dag

    try:
        DriverPool(settings_of_dag(dag_run.dag_id)).release_run(f"{dag_run.dag_id}/{dag_run.run_id}/")
    except (MedallionError, OSError):
        log.exception("The leases of run %s of %s could not be given back", dag_run.run_id, dag_run.dag_id)

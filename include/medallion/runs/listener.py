"""What happens when a run ends, whichever way. Runs in the scheduler.

A run's time-out skips its teardowns, so its leases on drivers are given back here too.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow.listeners import hookimpl

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

log = logging.getLogger(__name__)


@hookimpl
def on_dag_run_success(dag_run: DagRun, msg: str) -> None:
    """Give back the leases of a run that succeeded."""
    release(dag_run)


@hookimpl
def on_dag_run_failed(dag_run: DagRun, msg: str) -> None:
    """Give back the leases of a run that failed or timed out."""
    release(dag_run)


def release(dag_run: DagRun) -> None:
    """Give back all leases of a run. A failure here must not hurt the scheduler."""
    from medallion.compute.pool import DriverPool
    from medallion.errors import MedallionError
    from medallion.settings import Settings

    try:
        DriverPool(Settings.load()).release_run(f"{dag_run.dag_id}/{dag_run.run_id}/")
    except (MedallionError, OSError):
        log.exception("The leases of run %s of %s could not be given back", dag_run.run_id, dag_run.dag_id)

"""A component of `medallion up` that starts ends the records of those before it. A listener; runs in the components.

Airflow takes a killed scheduler for alive until its last sign of life is 30 s old, looks for what such a one left at its own
start and every 5 minutes, and gives a killed triggerer's triggers away after 30 s. `medallion up` runs one component of each
kind, and starts it again when it has ended all that the dead one left: so whoever is said to run is dead.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING

from airflow.listeners import hookimpl

from medallion.core.environment import OWNER

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

log = logging.getLogger(__name__)

KINDS = {"scheduler": "SchedulerJob", "triggerer": "TriggererJob", "dag-processor": "DagProcessorJob"}
"""Commands of Airflow and how its table of jobs names them."""


@hookimpl
def on_starting(component: object) -> None:
    """Called by Airflow when one of its long-running processes starts, before its own record is written.

    :param component: its record, which does not say yet what kind it is; the command line does.
    """
    kind = KINDS.get(sys.argv[1] if len(sys.argv) > 1 else "")
    # A task is a fork of the scheduler, and Airflow calls this there too, with something that is no record.
    # Components that others started, such as containers, may be several of a kind.
    if type(component).__name__ != "Job" or kind is None or OWNER not in os.environ:
        return
    from airflow.utils.retries import run_with_db_retries
    from airflow.utils.session import create_session

    try:
        for attempt in run_with_db_retries():
            with attempt, create_session() as session:
                ended = end_records(session, kind)
    except Exception:
        # Airflow's own patience remains.
        log.exception("The records of earlier components could not be ended")
    else:
        if ended:
            log.warning("%d %s had not ended in good order; its work is taken over", ended, kind)


def end_records(session: Session, kind: str) -> int:
    """End the records of a kind that are said to run; gives how many there were."""
    from datetime import UTC, datetime

    from airflow.jobs.job import Job, JobState
    from sqlalchemy import update

    dead = update(Job).where(Job.job_type == kind, Job.state == JobState.RUNNING)
    values = {"state": JobState.FAILED, "end_date": datetime.now(UTC)}
    done = session.execute(dead.values(values).execution_options(synchronize_session=False))
    return int(getattr(done, "rowcount", 0))

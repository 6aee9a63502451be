"""Cancels the runs that tasks have asked to cancel: children whose run-job task took too long. Runs in the jobs service.

A task has no say over other runs, so it leaves a request (`runs.requests`). Outside the scheduler the process that drives
the run obeys it.
"""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

from medallion.errors import RunError
from medallion.runs.cancel import Canceller
from medallion.runs.requests import requests_of

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.orm import Session

    from medallion.runs.changes import RunChange
    from medallion.settings import Settings

log = logging.getLogger(__name__)

CHILD = "run_job__"
"""How the ids of runs begin that run-job tasks started."""


def obey(session: Session, home: Path) -> list[str]:
    """Cancel what was asked for; gives Airflow's ids of the runs."""
    from airflow.models.dagrun import DagRun
    from sqlalchemy import select

    active = DagRun.state.in_(("queued", "running"))
    ended = []
    for run in session.scalars(select(DagRun).where(active, DagRun.run_id.startswith(CHILD, autoescape=True))).all():
        for place, request in requests_of(home, run.dag_id, run.run_id):
            canceller = Canceller(session, home, request.who)
            with contextlib.suppress(RunError):  # it has ended by itself
                canceller.task(run, request.task_key) if request.task_key else canceller.run(run)
                ended.append(run.run_id)
            session.commit()
            place.unlink(missing_ok=True)
    return ended


class RequestKeeper:
    """`obey` as a follower of the jobs service; changes of runs mean nothing to it."""

    name = "requests"

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def consume(self, change: RunChange) -> None:
        """Nothing: the look of the next second sees what it needs."""

    def tick(self, now: float) -> None:
        """One look, in a transaction of its own. A busy database is tried again a second later."""
        from airflow.utils.session import create_session
        from sqlalchemy.exc import OperationalError

        try:
            with create_session() as session:
                ended = obey(session, self.settings.home)
        except OperationalError as error:
            log.info("The database is busy: %s", error)
            return
        if ended:
            log.info("cancelled: %s", ", ".join(ended))

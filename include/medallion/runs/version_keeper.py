"""Looks after the versions of jobs that runs have: about once a second. A consumer of the jobs service.

The scheduler pins a run when it starts. Here those are pinned that still wait, so that a run which was queued before an
edit is told by the job of then; a changed `timeout_seconds` is carried to the runs that go on; and versions that nobody
needs are deleted.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from medallion.project.versions import current_version
from medallion.runs.definitions import Definitions
from medallion.runs.job_versions import latest_versions, pin, store_of, versions_in_file, versions_in_use
from medallion.runs.time_limits import carry_limit, limit_of
from medallion.spec.cache import JobCache

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from sqlalchemy.orm import Session

    from medallion.runs.changes import RunChange
    from medallion.settings import Settings

log = logging.getLogger(__name__)

SWEEP_SECONDS = 3600.0


class VersionKeeper:
    """Changes of runs mean nothing to it; it looks at all that go on."""

    name = "versions"

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.definitions = Definitions(settings)
        self.limits: dict[tuple[str, str, int], float] = {}
        self.swept = time.monotonic()
        self.sweeps = True

    def consume(self, change: RunChange) -> None:
        """Nothing: the look of the next second sees what it needs."""

    def tick(self, now: float) -> None:
        """One look, in a transaction of its own. A busy database is tried again a second later."""
        from airflow.utils.session import create_session
        from sqlalchemy.exc import OperationalError

        try:
            with create_session() as session:
                self.look(session)
                if self.sweeps and time.monotonic() - self.swept > SWEEP_SECONDS:
                    self.swept = time.monotonic()
                    self.sweep(session)
        except OperationalError as error:
            log.info("The database is busy: %s", error)

    def look(self, session: Session) -> None:
        """See to the runs that go on."""
        from airflow.models.dagrun import DagRun
        from sqlalchemy import select

        active = select(DagRun).where(DagRun.state.in_(("queued", "running")))
        runs = list(session.scalars(active))
        for run in runs:
            self.see_to(session, run)
        keys = {self.key(run) for run in runs}
        self.limits = {key: limit for key, limit in self.limits.items() if key in keys}

    def see_to(self, session: Session, run: DagRun) -> None:
        """Pin a run that is not, and carry its job's limit to it."""
        store = store_of(self.settings.home)
        then = store.get(run.bundle_version) or pin(session, run, self.settings.home)
        if then is None:
            return
        now = self.definitions.of(run.dag_id)
        key = self.key(run)
        if key not in self.limits:
            self.limits[key] = limit_of(run, then.definition, self.settings.home)
        wanted = float(now.job.timeout_seconds or 0) if now is not None else self.limits[key]
        if wanted != self.limits[key] and now is not None:
            carry_limit(session, run, now, self.settings.home)
            self.limits[key] = wanted
            log.info("run %s of %s has a time limit of %.0f s now", run.run_id, run.dag_id, wanted)

    @staticmethod
    def key(run: DagRun) -> tuple[str, str, int]:
        """A run, or its latest repair."""
        return run.dag_id, run.run_id, run.clear_number or 0

    def sweep(self, session: Session) -> None:
        """Delete the versions that no run has and no job is."""
        from medallion.components.places import places_of

        found, whole = self.definitions.all()
        cache = JobCache(self.settings)
        keep = versions_in_use(session, self.settings.home)
        keep |= versions_in_file(places_of(self.settings).airflow_home / "aside.db")
        keep |= {current_version(dag_id, item, cache).name for dag_id, item in found.items()}
        if not whole:  # a definition that cannot be read now is still that of a job
            keep |= latest_versions(session, found)
        if gone := store_of(self.settings.home).forget(keep):
            log.info("versions without a run are deleted: %d", len(gone))


class LocalVersionKeeper(VersionKeeper):
    """The same beside a run of its own process, whose database may not know all runs: it deletes nothing."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.sweeps = False

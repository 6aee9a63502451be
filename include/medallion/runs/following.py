"""Follows Airflow's runs and queues what happened to them. Runs in the jobs service and beside a run of its own process.

A look costs one query when nothing goes on. It asks for runs that have not ended or changed since the look before; the
first look, and one every few minutes, goes through all runs: that is the reconciling pass after a crash, and it finds
what `airflow dags test` ran.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from medallion.project.projects import is_named, project_of
from medallion.runs.job_versions import job_version_of
from medallion.runs.lookup import report_of_snapshot
from medallion.runs.metadata import snapshot_of_run
from medallion.runs.progress import Progress, Seen, run_name
from medallion.runs.stored import to_body, to_look
from medallion.runs.transitions import ENDED, Told, changes_of

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.orm import Session

    from medallion.runs.report import RunReport

log = logging.getLogger(__name__)

OVERLAP = timedelta(seconds=60)
"""A transaction shows up when it is committed, with the time of an earlier moment."""
RECONCILE_SECONDS = 600.0
SETTLE_SECONDS = 5.0
"""How long a run that ended may have tasks that have not: a person ended it, and its processes are being ended."""


def load_airflow() -> None:
    """Import Airflow's models. Before threads start: two that import them at once wait for each other for ever."""
    from airflow import models
    from airflow.utils.session import create_session  # noqa: F401  likewise
    from sqlalchemy.orm import configure_mappers

    import_all: Callable[[], None] = models.import_all_models
    import_all()
    configure_mappers()


class Follower:
    """Looks at the runs of one Airflow database.

    :param project: whose runs are followed.
    :param since: consumers by name, each with the time (seconds since the epoch) from which on it is told of runs.
    :param alive: called at each run: the first look at a long history takes minutes.
    """

    def __init__(
        self,
        home: Path,
        project: Path,
        progress: Progress,
        since: dict[str, float],
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        self.home = home
        self.project = project
        self.progress = progress
        self.since = since
        self.alive = alive
        self.done = progress.marks()
        self.prints: dict[str, int] = {}
        self.ended_at: dict[str, float] = {}
        self.changed_after: datetime | None = None
        self.reconciled = 0.0

    def look(self) -> int:
        """One look; gives how many changes were queued."""
        from airflow.utils.session import create_session

        now = time.monotonic()
        if now - self.reconciled > RECONCILE_SECONDS:
            self.changed_after, self.reconciled = None, now
        with create_session() as session:
            rows = self.candidates(session)
            prints = self.fingerprints(session, [row for row in rows if row.state not in ENDED])
            count = 0
            for row in rows:
                count += self.visit(session, row, prints.get((row.dag_id, row.run_id), 0))
        return count

    def candidates(self, session: Session) -> list[Any]:
        """Runs that may have something to tell: plain columns."""
        from airflow.models.dagrun import DagRun
        from sqlalchemy import or_, select

        columns = (DagRun.id, DagRun.dag_id, DagRun.run_id, DagRun._state.label("state"))
        query: Any = select(*columns, DagRun.clear_number, DagRun.end_date, DagRun.updated_at)
        if self.changed_after is not None:
            query = query.where(
                or_(DagRun._state.in_(("queued", "running")), DagRun.updated_at >= self.changed_after - OVERLAP)
            )
        rows = [row for row in session.execute(query.order_by(DagRun.id)) if self.is_followed(row.dag_id)]
        newest = max((row.updated_at for row in rows if row.updated_at), default=None)
        self.changed_after = max(newest or self.oldest(), self.changed_after or self.oldest())
        return [row for row in rows if self.done.get(run_name(row.dag_id, row.run_id)) != mark_of(row)]

    def is_followed(self, dag_id: str) -> bool:
        """Whether a DAG is not one of another project in this Airflow, which has a service of its own."""
        return is_named() or project_of(dag_id) in {None, self.project}

    @staticmethod
    def oldest() -> datetime:
        """Before all runs."""
        return datetime(2000, 1, 1, tzinfo=UTC)

    def fingerprints(self, session: Session, rows: Iterable[Any]) -> dict[tuple[str, str], int]:
        """What tells whether the tasks of runs that go on have changed, by DAG and run."""
        from airflow.models.taskinstance import TaskInstance as Item
        from sqlalchemy import select

        by_dag: dict[str, list[str]] = defaultdict(list)
        for row in rows:
            by_dag[row.dag_id].append(row.run_id)
        found: dict[tuple[str, str], int] = defaultdict(int)
        for dag_id, run_ids in by_dag.items():
            for start in range(0, len(run_ids), 200):
                columns = (Item.run_id, Item.task_id, Item.map_index, Item.state, Item.try_number)
                query = select(*columns, Item.start_date, Item.end_date).where(
                    Item.dag_id == dag_id, Item.run_id.in_(run_ids[start : start + 200])
                )
                for row in session.execute(query):
                    # The order of rows is not fixed, so their digests are added.
                    found[dag_id, row.run_id] += hash(tuple(row))
        return found

    def visit(self, session: Session, row: Any, tasks: int) -> int:
        """One run that may have changed; gives how many changes were queued."""
        self.alive()
        name, mark = run_name(row.dag_id, row.run_id), mark_of(row)
        fingerprint = hash((mark, tasks))
        if row.state not in ENDED and self.prints.get(name) == fingerprint:
            return 0
        from airflow.models.dagrun import DagRun

        dag_run = session.get(DagRun, row.id)
        if dag_run is None:
            return 0
        snapshot = snapshot_of_run(session, dag_run, self.home)
        version = job_version_of(session, dag_run, self.home)
        definition = version.definition if version is not None else None
        told = report_of_snapshot(session, dag_run, snapshot, self.home)
        if snapshot.state in ENDED and self.unsettled(name, told):
            return 0
        before = self.progress.seen(name)
        repair = max(snapshot.repairs, row.clear_number or 0)
        changes, after = changes_of(definition, snapshot, told, before.told if before else Told(), repair)
        moment = snapshot.end if snapshot.state in ENDED and snapshot.end is not None else time.time()
        consumers = [consumer for consumer, since in self.since.items() if moment >= since]
        # One with a task that still goes on is looked at again.
        done = snapshot.state in ENDED and all(task.state.ended for task in told.tasks)
        seen = Seen(name, mark, done, after)
        look = to_look(snapshot, told, version.name if version is not None else None)
        self.progress.advance(seen, look, [to_body(change) for change in changes], consumers)
        self.remember(name, mark, fingerprint, done=done)
        return len(changes) if consumers else 0

    def remember(self, name: str, mark: str, fingerprint: int, *, done: bool) -> None:
        """Note in memory how a run was seen."""
        if done:
            self.done[name] = mark
            self.prints.pop(name, None)
            self.ended_at.pop(name, None)
        else:
            self.done.pop(name, None)
            self.prints[name] = fingerprint

    def unsettled(self, name: str, told: RunReport) -> bool:
        """Whether a run that ended still has tasks that go on, and may be waited for."""
        if all(task.state.ended for task in told.tasks):
            return False
        first = self.ended_at.setdefault(name, time.monotonic())
        return time.monotonic() - first < SETTLE_SECONDS


def mark_of(row: Any) -> str:
    """What tells that a run changed: state, number of clears, end."""
    return f"{row.state}/{row.clear_number}/{row.end_date.timestamp() if row.end_date else ''}"

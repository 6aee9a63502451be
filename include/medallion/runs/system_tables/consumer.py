"""Writes what happened to runs into the catalog `system`. A consumer of the jobs service."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from medallion.runs.changes import Kind
from medallion.runs.definitions import Definitions
from medallion.runs.job_versions import definition_of_run
from medallion.runs.lookup import report_of_snapshot
from medallion.runs.metadata import runs_of, snapshot_of_run
from medallion.runs.notes import read_notes
from medallion.runs.records import run_folder
from medallion.runs.system_tables.audit import actions_in_log, run_events
from medallion.runs.system_tables.defined import Defined, newest
from medallion.runs.system_tables.facts import facts_of, parameters_of
from medallion.runs.system_tables.pipeline_rows import pipeline_rows, update_rows, updates_of
from medallion.runs.system_tables.rows import Whole, run_rows, task_rows
from medallion.runs.system_tables.store import Store
from medallion.runs.system_tables.written import commits_by_run, write_rows

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from sqlalchemy.orm import Session

    from medallion.runs.changes import RunChange
    from medallion.runs.system_tables.rows import Row
    from medallion.settings import Settings

log = logging.getLogger(__name__)

HOUR_SECONDS = 3600
LOG_SECONDS = 3.0


class SystemTables:
    """Takes changes by the batch: runs that end in one second are one commit a table."""

    name = "system-tables"
    history = True

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = Store(settings)
        self.definitions = Definitions(settings)
        self.defined = Defined(settings, self.store, self.definitions)
        self.hour = 0
        self.log_row = 0
        self.log_next = 0.0

    def consume(self, change: RunChange) -> None:
        """One change."""
        self.consume_all([change])

    def consume_all(self, changes: Sequence[RunChange]) -> None:
        """Write the rows that follow from the changes; those that are there stay."""
        from airflow.utils.session import create_session

        # A repair overwrites what Airflow knows of the run before it, so each part of a run is told by itself.
        told = [item for item in changes if item.kind is not Kind.ATTEMPT_STARTED]
        latest = {(item.snapshot.dag_id, item.snapshot.run_id, item.repair): item for item in told}
        with create_session() as session:
            runs = [
                Whole(
                    change.definition,
                    change.snapshot,
                    change.report,
                    facts_of(session, self.settings.home, change.snapshot.dag_id, change.snapshot.run_id),
                )
                for change in latest.values()
            ]
        self.write(runs)

    def write(self, runs: Sequence[Whole], now: float | None = None) -> None:
        """Add the rows of runs.

        :param now: seconds since the epoch; then the past periods of what goes on are written too.
        """
        self.store.ensure()
        for run in runs:
            self.defined.know(run.snapshot.dag_id, run.definition)
        runs = [run for run in runs if self.is_ours(run)]
        rows = self.rows_of(runs, now)
        for name, found in rows.items():
            self.store.add(name, found)
        self.write_pipelines(runs)

    def write_pipelines(self, runs: Iterable[Whole]) -> None:
        """Pipelines and their updates, from what the tasks of these runs left."""
        home, user = self.settings.home, self.settings.user
        updates = [(run, record, task_run) for run in runs for record, task_run in updates_of(home, run)]
        if not updates:
            return
        records = {
            str(record["pipeline_id"]): record for _, record, _ in sorted(updates, key=lambda item: item[1]["start"])
        }
        latest = newest(self.store.rows("pipelines"), lambda row: str(row["pipeline_id"]))
        self.store.add("pipelines", pipeline_rows(records, latest, user))
        rows = [row for run, record, task_run in updates for row in update_rows(run, record, task_run, user)]
        self.store.add("pipeline_update_timeline", rows)

    def is_ours(self, run: Whole) -> bool:
        """Whether a run is that of a job: Airflow may have DAGs of other kinds. The runs of deleted jobs are."""
        if run.definition is not None or run.job_id in self.defined.files:
            return True
        return run_folder(self.settings.home, run.snapshot.dag_id, run.snapshot.run_id).is_dir()

    def rows_of(self, runs: Iterable[Whole], now: float | None = None) -> dict[str, list[Row]]:
        """The rows of runs by table. What a run wrote comes first: who sees the run's row sees all of it."""
        listed = list(runs)
        home = self.settings.home
        ended = {run.report.run_id: ended_attempts(run) for run in listed}
        made = commits_by_run(self.settings.lake, [run for run in listed if ended[run.report.run_id]])
        rows: dict[str, list[Row]] = {name: [] for name in ORDER}
        for run in listed:
            number = run.report.run_id
            # Attempts that go on still write.
            found = [commit for commit in made.get(number, ()) if commit.task_run_id in ended[number]]
            rows["job_task_writes"] += write_rows(run, found)
            rows["job_task_run_timeline"] += task_rows(run, parameters_of(home, run), now)
            rows["audit"] += run_events(run, read_notes(home, run.snapshot.dag_id, run.snapshot.run_id))
            rows["job_run_timeline"] += run_rows(run, now)
        return rows

    def tick(self, now: float) -> None:
        """Look at definitions, at what people did, and cut long runs when an hour of the clock is over."""
        self.store.ensure()
        self.defined.tick()
        if time.monotonic() >= self.log_next:
            self.log_next = time.monotonic() + LOG_SECONDS
            self.read_log()
        if (hour := int(now // HOUR_SECONDS)) != self.hour:
            self.cut_long_runs(now)
            self.hour = hour

    def read_log(self) -> None:
        """What people did in Airflow since the last look."""
        from airflow.utils.session import create_session

        with create_session() as session:
            rows, last = actions_in_log(session, self.log_row)
        self.store.add("audit", rows)
        self.log_row = last

    def cut_long_runs(self, now: float) -> None:
        """The periods that are over of runs that go on."""
        from airflow.utils.session import create_session

        with create_session() as session:
            runs = [self.whole(session, run) for run in runs_of(session, active=True) if run.start_date is not None]
        self.write(runs, now)

    def whole(self, session: Session, dag_run: DagRun) -> Whole:
        """A run of Airflow's database as it is now."""
        snapshot = snapshot_of_run(session, dag_run, self.settings.home)
        definition = definition_of_run(session, dag_run, self.settings.home)
        facts = facts_of(session, self.settings.home, dag_run.dag_id, dag_run.run_id)
        told = report_of_snapshot(session, dag_run, snapshot, self.settings.home)
        return Whole(definition, snapshot, told, facts)


ORDER = ("job_task_writes", "job_task_run_timeline", "audit", "job_run_timeline")
"""The order in which the tables of runs are written."""


def ended_attempts(run: Whole) -> frozenset[int]:
    """The ids of the attempts of tasks and iterations that have ended."""
    units = [unit for task in run.report.tasks for unit in (task, *(task.iterations or ()))]
    return frozenset(attempt.run_id for unit in units for attempt in unit.history if attempt.state.ended)

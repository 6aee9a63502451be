"""Continuous jobs as a timetable: always one run. Loaded by the dag processor, the scheduler and the API server.

The next run is due as soon as the last one has ended: Airflow holds its creation back while a run is active, because the
DAG may have one. When a run fails, `plan_next` moves the next run to a later moment; the plugin's listener calls it where
the run ends, in the scheduler's own transaction, so no other process is needed and the gap stays far below a second.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction
from pendulum import DateTime, instance

from medallion.runs.rules import at_once
from medallion.triggers import timetables
from medallion.triggers.timetables import LakeflowTimetable

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.models.dag import DagModel
    from airflow.models.dagrun import DagRun
    from airflow.utils.types import DagRunType
    from sqlalchemy.orm import Session

FIRST_DELAY = timedelta(seconds=2)
LONGEST_DELAY = timedelta(minutes=10)
"""The wait after a failure doubles from the first to the longest. Databricks page "Run jobs continuously": the retry
period grows with each failure in a row up to a maximum that the service sets, and there is no limit of retries."""
HEALTHY = timedelta(minutes=10)
"""A run that went well for so long before it failed starts a new row (same page: "a threshold without failure")."""
LOOK_BACK = 16
"""Runs that are looked at for the length of a row; the longest delay is reached before."""


class ContinuousTimetable(LakeflowTimetable):
    """`continuous`: one run after another."""

    periodic = False
    active_runs_limit = 1

    @property
    def words(self) -> str:
        """What the list of DAGs shows."""
        return "Continuous"

    @property
    def description(self) -> str:
        """The longer text in the UI."""
        text = "Always one run: the next starts when one ends, later after each failure in a row"
        return f"Paused: {text}" if self.paused else text

    @description.setter
    def description(self, value: str) -> None:
        """Airflow's base class sets it; the words are fixed."""

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """At once. An edited or resumed job does not wait for the end of a delay."""
        return None if self.paused else run_info(timetables.now())

    def next_run_info_from_dag_model(self, *, dag_model: DagModel) -> DagRunInfo | None:
        """The run that is created now: its logical date is this moment, not the one when it was planned.

        :raises PausedTriggerError: the job is paused by now.
        """
        self.refuse_when_paused(dag_model)
        return None if self.paused else run_info(timetables.now())

    def generate_run_id(
        self, *, run_type: DagRunType, run_after: DateTime, data_interval: DataInterval | None, **extra: Any
    ) -> str:
        """Named by its logical date; `run_after` is the same for all runs of a second."""
        return run_type.generate_run_id(suffix=(data_interval.start if data_interval else run_after).isoformat())

    def serialize(self) -> dict[str, Any]:
        """What the serialised DAG keeps."""
        return {"paused": self.paused}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> ContinuousTimetable:
        """The timetable that `serialize` wrote."""
        return cls(paused=data["paused"])


def run_info(moment: datetime) -> DagRunInfo:
    """A run of a moment, which may start at once."""
    return DagRunInfo(run_after=instance(at_once(moment)), data_interval=DataInterval.exact(instance(moment)))


TYPE_NAME = f"{ContinuousTimetable.__module__}.{ContinuousTimetable.__qualname__}"
"""What Airflow's table of DAGs says of a continuous job (`timetable_type`)."""


def delay(failures: int) -> timedelta:
    """How long to wait after so many failures in a row."""
    if failures <= 0:
        return timedelta()
    return LONGEST_DELAY if failures > LOOK_BACK else min(FIRST_DELAY * 2 ** (failures - 1), LONGEST_DELAY)


def goes_on(session: Session, dag_id: str) -> bool:
    """Whether a DAG is an unpaused continuous job: Airflow plans a next run of it."""
    from airflow.models.dag import DagModel
    from sqlalchemy import exists, select

    planned = (DagModel.timetable_type == TYPE_NAME, DagModel.next_dagrun_create_after.is_not(None))
    return bool(session.scalar(select(exists().where(DagModel.dag_id == dag_id, *planned))))


def plan_next(session: Session, ended: DagRun, home: Path, *, by_hand: bool) -> datetime:
    """Say when the run after one that has just ended is due, and that it may be created.

    :param session: the one that the end of the run is written with.
    :param by_hand: a person ended it: the next run starts at once.
    """
    from airflow.models.dag import DagModel
    from sqlalchemy import update

    wait = timedelta() if by_hand else delay(failures_in_a_row(session, ended, home))
    due = timetables.now() + wait
    session.execute(
        update(DagModel)
        .where(DagModel.dag_id == ended.dag_id)
        .values(
            next_dagrun=due,
            next_dagrun_data_interval_start=due,
            next_dagrun_data_interval_end=due,
            next_dagrun_create_after=due if wait else at_once(due),
            exceeds_max_non_backfill=has_others(session, ended),
        )
        .execution_options(synchronize_session=False)
    )
    return due


def has_others(session: Session, ended: DagRun) -> bool:
    """Whether the job has another active run."""
    from airflow.models.dagrun import DagRun
    from sqlalchemy import func, select

    query = select(func.count()).where(
        DagRun.dag_id == ended.dag_id, DagRun.run_id != ended.run_id, DagRun.state.in_(("queued", "running"))
    )
    return bool(session.scalar(query))


def failures_in_a_row(session: Session, ended: DagRun, home: Path) -> int:
    """How many runs failed since the last good one, `ended` included. Cancelled and skipped runs do not count."""
    from airflow.models.dagrun import DagRun
    from sqlalchemy import select

    from medallion.runs.notes import read_notes
    from medallion.runs.skipping import termination_of

    columns = (DagRun.run_id, DagRun.state, DagRun.start_date, DagRun.end_date)
    query = select(*columns).where(DagRun.dag_id == ended.dag_id, DagRun.run_id != ended.run_id)
    query = query.where(DagRun.state.in_(("success", "failed"))).order_by(DagRun.end_date.desc()).limit(LOOK_BACK)
    rows = [(ended.run_id, str(ended.state), ended.start_date, ended.end_date), *session.execute(query)]
    count = 0
    for run_id, state, start, end in rows:
        notes = read_notes(home, ended.dag_id, run_id) if state == "failed" else {}
        if notes.get("canceled") or termination_of(notes):
            continue
        if state != "failed":
            break
        count += 1
        if start and end and end - start >= HEALTHY:
            break
    return count

"""Schedules as Airflow timetables. Loaded by the dag processor, the scheduler and the API server through the plugin.

A run's logical date is its fire time. Missed fires are not made up for (Databricks page "Run jobs on a schedule"): not
at a parse, and not by a scheduler that was down or by a DAG that was paused when they were due.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.exceptions import AirflowTimetableInvalid
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable
from pendulum import DateTime, instance

from medallion.errors import MedallionError

if TYPE_CHECKING:
    from airflow.models.dag import DagModel

log = logging.getLogger(__name__)

UNITS = {
    "MINUTES": timedelta(minutes=1),
    "HOURS": timedelta(hours=1),
    "DAYS": timedelta(days=1),
    "WEEKS": timedelta(weeks=1),
}
GRACE = timedelta(seconds=1)
"""A fire that is this much in the past is still made: the scheduler's look is never exactly on time."""
LATE = timedelta(seconds=5)
"""A scheduler that looks this much late has still not missed the fire."""
MISSED = timedelta(minutes=1)
"""A fire that is this much in the past is missed; above `LATE` it is when the following one is due as well."""


class NoStartError(MedallionError):
    """A run that Airflow planned does not start. Its scheduler goes on with other DAGs."""


class MissedFireError(NoStartError):
    """A fire was missed and is not made up for; the next one is planned."""


class PausedTriggerError(NoStartError):
    """The trigger was paused after the run had been planned."""


def now() -> datetime:
    """The present; tests put a clock of their own here."""
    return datetime.now(UTC)


class LakeflowTimetable(Timetable):
    """What the timetables share: manual runs, and the time to count from.

    :param paused: the trigger's `pause_status`. A paused trigger fires nothing, and a run by hand is possible all the
        same and does not resume it, so the DAG itself is not paused.
    """

    def __init__(self, *, paused: bool = False) -> None:
        self.paused = paused

    @property
    def can_be_scheduled(self) -> bool:  # type: ignore[override]  # a class attribute in Airflow
        """Whether the scheduler makes runs."""
        return not self.paused

    def infer_manual_data_interval(self, *, run_after: DateTime) -> DataInterval:
        """A run by hand covers the moment it starts."""
        return DataInterval.exact(run_after)

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """The next run after the last one, never one that was missed.

        Only a backfill of Airflow asks with `catchup`: for every fire of a range, whether the trigger is paused or not.
        """
        if restriction.catchup and restriction.earliest is not None:
            after: datetime = restriction.earliest - timedelta(microseconds=1)
        elif self.paused:
            return None
        else:
            after = now() - GRACE
        if last_automated_data_interval is not None:
            after = max(after, last_automated_data_interval.end)
        found = self.next_fire(after)
        if found is None or (restriction.latest is not None and found > restriction.latest):
            return None
        return DagRunInfo.exact(instance(found))

    def next_run_info_from_dag_model(self, *, dag_model: DagModel) -> DagRunInfo | None:
        """What the scheduler is about to create.

        Airflow plans a fire when it creates the one before. After a pause or a restart that fire can be hours ago.

        :raises MissedFireError: it was missed; the next one is planned instead.
        :raises PausedTriggerError: the trigger is paused by now.
        """
        self.refuse_when_paused(dag_model)
        info = super().next_run_info_from_dag_model(dag_model=dag_model)
        if info is None or not self.is_missed(info.run_after):
            return info
        following = self.next_dagrun_info(
            last_automated_data_interval=None, restriction=TimeRestriction(None, None, catchup=False)
        )
        plan(dag_model, following)
        missed = MissedFireError(
            f"{dag_model.dag_id}: the start of {info.run_after.isoformat()} was missed and is not made up for",
            hint=f"the next one is at {following.run_after.isoformat()}" if following else None,
        )
        log.info("%s", missed)
        raise missed

    def refuse_when_paused(self, dag_model: DagModel) -> None:
        """Start nothing that was planned before a pause.

        The scheduler plans a run with the definition that it has in hand, and can write that plan just after the dag
        processor has written the pause.

        :raises PausedTriggerError: a run is planned and the trigger is paused; nothing is planned any more.
        """
        if self.paused and dag_model.next_dagrun_create_after is not None:
            plan(dag_model, None)
            paused = PausedTriggerError(f"{dag_model.dag_id}: the trigger is paused, the planned run does not start")
            log.info("%s", paused)
            raise paused

    def is_missed(self, fire: datetime) -> bool:
        """Whether a fire is too long ago to be made."""
        late = now() - fire
        if late <= LATE:
            return False
        following = self.next_fire(fire)
        return late > MISSED or (following is not None and following <= now())

    def next_fire(self, after: datetime) -> datetime | None:
        """The first fire strictly after `after`."""
        raise AirflowTimetableInvalid(f"{type(self).__name__} has no fire times")

    @property
    def words(self) -> str:
        """The schedule as a person reads it."""
        return ""

    @property
    def summary(self) -> str:
        """What the list of DAGs shows."""
        return f"Paused: {self.words}" if self.paused else self.words

    @property
    def description(self) -> str:
        """The longer text in the UI."""
        return self.summary

    @description.setter
    def description(self, value: str) -> None:
        """Airflow's base class sets it; the words are derived."""


def plan(dag_model: DagModel, info: DagRunInfo | None) -> None:
    """Write when the next run of a job is due; None: never."""
    dag_model.next_dagrun = info and info.logical_date
    dag_model.next_dagrun_data_interval = info and info.data_interval
    dag_model.next_dagrun_create_after = info and info.run_after


class QuartzTimetable(LakeflowTimetable):
    """`schedule`: a Quartz expression in a Java time zone."""

    def __init__(self, expression: str, timezone: str = "UTC", *, paused: bool = False) -> None:
        super().__init__(paused=paused)
        self.expression = expression
        self.timezone = timezone

    @property
    def words(self) -> str:
        """The expression with its zone."""
        return f"{self.expression} ({self.timezone})"

    @property
    def description(self) -> str:
        """The longer text in the UI: the expression in plain English."""
        from medallion.spec.quartz import Quartz, QuartzError

        try:
            said = f"{Quartz.parse(self.expression).describe()} ({self.timezone})"
        except QuartzError:  # `validate` tells of it
            return self.summary
        return f"Paused: {said}" if self.paused else said

    @description.setter
    def description(self, value: str) -> None:
        """Airflow's base class sets it; the words are derived."""

    def validate(self) -> None:
        """Refuse what Quartz refuses, so that it shows as an import error."""
        from medallion.spec.quartz import Quartz, QuartzError, clock_of

        try:
            Quartz.parse(self.expression)
            clock_of(self.timezone)
        except QuartzError as error:
            raise AirflowTimetableInvalid(str(error)) from None

    def next_fire(self, after: datetime) -> datetime | None:
        """As Quartz itself answers."""
        from medallion.spec.quartz import Quartz

        return Quartz.parse(self.expression).next_after(after, self.timezone)

    def serialize(self) -> dict[str, Any]:
        """What the serialised DAG keeps."""
        return {"expression": self.expression, "timezone": self.timezone, "paused": self.paused}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> QuartzTimetable:
        """The timetable that `serialize` wrote."""
        return cls(data["expression"], data["timezone"], paused=data["paused"])


class PeriodicTimetable(LakeflowTimetable):
    """`trigger.periodic`: every so many minutes, hours, days or weeks, counted from the epoch.

    The service picks the phase (Databricks page "Run jobs on a schedule"); here it is the epoch's, so that it does not
    move when the job is edited or the scheduler restarts.
    """

    def __init__(self, interval: int, unit: str, *, paused: bool = False) -> None:
        super().__init__(paused=paused)
        self.interval = interval
        self.unit = unit

    @property
    def words(self) -> str:
        """`Every 2 hours`."""
        unit = self.unit.lower()
        return f"Every {unit.removesuffix('s')}" if self.interval == 1 else f"Every {self.interval} {unit}"

    def next_fire(self, after: datetime) -> datetime | None:
        """The next multiple of the period."""
        period = round((UNITS[self.unit] * self.interval).total_seconds())
        return datetime.fromtimestamp((after.timestamp() // period + 1) * period, tz=UTC)

    def serialize(self) -> dict[str, Any]:
        """What the serialised DAG keeps."""
        return {"interval": self.interval, "unit": self.unit, "paused": self.paused}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> PeriodicTimetable:
        """The timetable that `serialize` wrote."""
        return cls(data["interval"], data["unit"], paused=data["paused"])


class UnfiredTimetable(LakeflowTimetable):
    """A trigger that starts nothing by itself here: paused, or of a kind that is not watched. Says which in the UI."""

    def __init__(self, text: str) -> None:
        super().__init__(paused=True)
        self.text = text

    @property
    def summary(self) -> str:
        """The text as given."""
        return self.text

    def serialize(self) -> dict[str, Any]:
        """What the serialised DAG keeps."""
        return {"text": self.text}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> UnfiredTimetable:
        """The timetable that `serialize` wrote."""
        return cls(data["text"])

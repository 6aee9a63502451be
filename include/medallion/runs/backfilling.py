"""Backfills: one ordinary run for each date of a range. Dates are pure; starting runs happens in the API server.

The runs obey the job's limit and wait for their turn (Databricks page "Backfill jobs"). They have no logical date of
Airflow, because a scheduled run may have had that date before; `{{backfill.…}}` reads theirs from the run's conf.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from medallion.errors import RunError
from medallion.runs.queueing import BACKFILL, HELD_UNTIL, backfill_prefix
from medallion.runs.start import Started, StartRequest, start
from medallion.spec.problems import did_you_mean

if TYPE_CHECKING:
    from medallion.settings import Settings
    from medallion.spec.job import Job

MAX_RUNS = 100
"""Runs of one backfill (Databricks page "Backfill jobs")."""
BACKFILL_TIME = "backfill_time"
"""Key of a run's conf: the date that `{{backfill.…}}` tells."""
UNITS = {
    "MINUTES": timedelta(minutes=1),
    "HOURS": timedelta(hours=1),
    "DAYS": timedelta(days=1),
    "WEEKS": timedelta(weeks=1),
}
_EVERY = re.compile(r"\s*([0-9]+)\s*([A-Za-z]+)\s*")


@dataclass(frozen=True, slots=True)
class BackfillRequest:
    """A backfill.

    :param first: first date, included.
    :param last: last date, included.
    :param every: between dates; None: the fires of the job's schedule.
    :param max_concurrent: runs of this backfill at once; None: as many as the job may have.
    """

    dag_id: str
    first: datetime
    last: datetime
    every: timedelta | None = None
    job_parameters: Mapping[str, str] = field(default_factory=dict)
    max_concurrent: int | None = None
    user: str | None = None

    @property
    def name(self) -> str:
        """Names the backfill in the ids of its runs: a new one each time."""
        text = f"{self.dag_id} {self.first} {self.last} {datetime.now(UTC).isoformat()}"
        return hashlib.sha256(text.encode()).hexdigest()[:8]


def read_every(text: str) -> timedelta:
    """`1 DAYS`, `12 hours`, `1 week` as a time.

    :raises RunError: it is none.
    """
    match = _EVERY.fullmatch(text)
    unit = match[2].upper().removesuffix("S") + "S" if match else ""
    if match is None or unit not in UNITS or int(match[1]) < 1:
        hint = did_you_mean(unit, UNITS) or f"a number and one of {', '.join(UNITS)}, as in: 1 DAYS"
        raise RunError(f"{text!r} is no interval", hint=hint)
    return UNITS[unit] * int(match[1])


def read_moment(text: str) -> datetime:
    """An ISO date or time; UTC where it names no zone.

    :raises RunError: it is none.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise RunError(f"{text!r} is no date", hint="as in: 2026-01-31 or 2026-01-31T06:00:00+01:00") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def dates(job: Job, request: BackfillRequest) -> list[datetime]:
    """The dates of a backfill, oldest first.

    :raises RunError: there is none, there are too many, or the job has no schedule to take them from.
    """
    if request.first > request.last:
        raise RunError(f"the range ends at {request.last.isoformat()} and begins later, at {request.first.isoformat()}")
    if request.every is not None and request.every <= timedelta():
        raise RunError("the interval of a backfill is a positive time")
    found = stepped(request.first, request.every) if request.every else fires(job, request)
    chosen = list(islice(until(found, request.last), MAX_RUNS + 1))
    if not chosen:
        raise RunError("no date of the schedule lies in that range", hint="--every 1 DAYS takes dates of its own")
    if len(chosen) > MAX_RUNS:
        raise RunError(f"the range has more than {MAX_RUNS} dates", hint="split it into several backfills")
    return chosen


def until(moments: Iterator[datetime], last: datetime) -> Iterator[datetime]:
    """Moments up to one."""
    for moment in moments:
        if moment > last:
            return
        yield moment


def stepped(first: datetime, every: timedelta) -> Iterator[datetime]:
    """A moment and those after it, equally far apart."""
    moment = first
    while True:
        yield moment
        moment += every


def fires(job: Job, request: BackfillRequest) -> Iterator[datetime]:
    """The fires of a job's schedule from the first date on, whether it is paused or not.

    :raises RunError: the job has no schedule by time.
    """
    from medallion.triggers.schedule import schedule_of
    from medallion.triggers.timetables import PeriodicTimetable, QuartzTimetable
    from medallion.triggers.watched import EarliestTimetable

    timetable = schedule_of(job, request.dag_id)
    if not isinstance(timetable, (QuartzTimetable, PeriodicTimetable, EarliestTimetable)):
        raise RunError("the job has no schedule to take dates from", hint="name an interval, as in: --every 1 DAYS")
    moment = timetable.next_fire(request.first - timedelta(microseconds=1))
    while moment is not None:
        yield moment
        moment = timetable.next_fire(moment)


def start_backfill(settings: Settings, job: Job, request: BackfillRequest) -> list[Started]:
    """Start a run for each date; those over `max_concurrent` wait until others of the backfill have ended.

    :raises RunError: as `dates` and `start.start` do.
    """
    return [start(settings, item) for item in requests(dates(job, request), request)]


def requests(moments: list[datetime], request: BackfillRequest) -> Iterator[StartRequest]:
    """What to start. The runs wait for each other though the job has its queue off: one would skip the others."""
    name = request.name
    for number, moment in enumerate(moments):
        held = request.max_concurrent is not None and number >= request.max_concurrent
        mark: dict[str, Any] = {"id": name, "max_concurrent": request.max_concurrent}
        yield StartRequest(
            dag_id=request.dag_id,
            job_parameters=request.job_parameters,
            queue=True,
            extra={BACKFILL_TIME: moment.isoformat(), BACKFILL: mark},
            airflow_run_id=backfill_prefix(name) + moment.isoformat(),
            run_after=HELD_UNTIL if held else None,
            user=request.user,
        )

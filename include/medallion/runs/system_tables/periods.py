"""Cuts the time of a run into rows. Pure; runs in the jobs service.

Databricks page "Jobs system table reference": a run that passes an hour of the clock has a row for each hour, and only
the last one has the result. A run that never ran has one row that starts when it ends.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

HOUR = timedelta(hours=1)
Period = tuple[datetime, datetime]


def moment(seconds: float) -> datetime:
    """A time from seconds since the epoch, to the millisecond: so the Jobs API tells it."""
    return datetime.fromtimestamp(round(seconds * 1000) / 1000, UTC)


def next_hour(at: datetime) -> datetime:
    """The first full hour of the clock (UTC) after a time."""
    return at.replace(minute=0, second=0, microsecond=0) + HOUR


def periods(start: datetime, end: datetime) -> list[Period]:
    """The periods from start to end; at least one. An end before the start counts as the start."""
    found: list[Period] = []
    while (border := next_hour(start)) < end:
        found.append((start, border))
        start = border
    return [*found, (start, max(start, end))]


def past_periods(start: datetime, now: datetime) -> list[Period]:
    """The periods of what still goes on that are over."""
    return periods(start, now)[:-1]

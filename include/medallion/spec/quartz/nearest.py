"""The iterator over fire times of one `W` with one time of day, which Quartz searches in a way of its own.

Runs everywhere; pure. Quartz looks for the first time of day, then on that day of the month for the day that is named, and
moves. So `15W` on a Sunday, asked on Sunday after the time or on Monday before it, is answered with the next month: the
15th is past. And it does not look at the time of day again after the move: a time that the clock skips on that day fires
when the gap is over.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING

from medallion.spec.quartz.clock import DAY, Clock
from medallion.spec.quartz.days import EPOCH, Shape, month_length
from medallion.spec.quartz.fields import Item, Kind
from medallion.spec.quartz.walk import END, HOUR, MINUTE, step, wall_after

if TYPE_CHECKING:
    from medallion.spec.quartz.expression import Quartz


def instants(quartz: Quartz, item: Item, clock: Clock, after: int) -> Iterator[int]:
    """Fire times strictly after `after`, epoch seconds, until the years run out."""
    found: int | None = after
    while found is not None and found < END and (found := next_fire(quartz, item, clock, found)) is not None:
        yield found


def next_fire(quartz: Quartz, item: Item, clock: Clock, after: int) -> int | None:
    """The first one."""
    wall = first_time(quartz, clock, wall_after(clock, after))
    today = date.fromordinal(wall // DAY + EPOCH)
    for year in quartz.years[bisect_left(quartz.years, today.year) :]:
        for month in quartz.months:
            if (year, month) < (today.year, today.month):
                continue
            first = date(year, month, 1).toordinal() - EPOCH
            if (year, month) > (today.year, today.month):
                wall = first_time(quartz, clock, clock.settle(first * DAY))
            found = fire_of_month(quartz, item, clock, first, month_length(year, month), wall)
            if found is not None and found > after:
                return found
    return None


def fire_of_month(quartz: Quartz, item: Item, clock: Clock, first: int, length: int, wall: int) -> int | None:
    """The fire time of a month, unless the day that is named is past.

    :param first: day 1 of the month, days since 1970; `length` the number of its days.
    :param wall: the first time of day in the month from which Quartz looks on.
    """
    today = wall // DAY - first + 1
    named = item.start if item.kind is Kind.NEAREST_WEEKDAY else length - item.start
    if not today <= named <= length:
        return None
    moved = Shape((first + EPOCH) % 7, length).nearest_weekday(named)
    return clock.instant(wall if moved == today else (first + moved - 1) * DAY + time_of_day(quartz))


def time_of_day(quartz: Quartz) -> int:
    """The one time, seconds."""
    return quartz.hours[0] * HOUR + quartz.minutes[0] * MINUTE + quartz.seconds[0]


def first_time(quartz: Quartz, clock: Clock, wall: int) -> int:
    """The first wall time from `wall` on that has the time of day."""
    time = time_of_day(quartz)
    day = wall // DAY + (wall % DAY > time)
    if clock.shift(day) is not None and clock.shift(wall // DAY) is not None:
        return day * DAY + time
    wall = clock.settle(wall)
    while (stepped := step(quartz, clock, wall)) != wall:
        wall = stepped
    return wall

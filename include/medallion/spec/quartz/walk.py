"""The iterator over fire times: years, months and days by tables, times of day by nested lists.

Runs everywhere; pure. On a day when the clocks change it takes the steps that Quartz's own search takes, because those
steps decide what becomes of times that are skipped or come twice. On every other day plain arithmetic gives the same.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Generator, Iterator
from datetime import date
from typing import TYPE_CHECKING

from medallion.spec.quartz.clock import DAY, Clock
from medallion.spec.quartz.days import EPOCH, month_length
from medallion.spec.quartz.fields import LAST_YEAR

if TYPE_CHECKING:
    from medallion.spec.quartz.expression import Quartz

HOUR = 3_600
MINUTE = 60
END = (date(LAST_YEAR + 1, 1, 1).toordinal() - EPOCH) * DAY
"""First wall second that is never looked at."""


def instants(quartz: Quartz, clock: Clock, after: int) -> Iterator[int]:
    """Fire times strictly after `after`, epoch seconds, until the years run out."""
    if after >= END:
        return
    wall = wall_after(clock, after)
    going = True
    while going:
        going = False
        for day in days_from(quartz, wall // DAY):
            start = max(wall, day * DAY)
            shift = clock.shift(day)
            if shift is None:
                wall = yield from changing_day(quartz, clock, start)
                going = True
                break
            base = day * DAY - shift
            for second in times_from(quartz, start % DAY):
                yield base + second


def wall_after(clock: Clock, after: int) -> int:
    """The wall time a second after an instant; Quartz's calendar starts in 1970."""
    return max(clock.wall(max(after, -DAY * 2) + 1), 0)


def days_from(quartz: Quartz, day: int) -> Iterator[int]:
    """The days from `day` on (days since 1970) whose year, month and day fit."""
    if day * DAY >= END:
        return
    today = date.fromordinal(day + EPOCH)
    for year in quartz.years[bisect_left(quartz.years, today.year) :]:
        months = quartz.months
        if year == today.year:
            months = months[bisect_left(months, today.month) :]
        for month in months:
            first = date(year, month, 1).toordinal()
            days = quartz.days.days(first % 7, month_length(year, month))
            if year == today.year and month == today.month:
                days = days[bisect_left(days, today.day) :]
            before = first - EPOCH - 1
            for number in days:
                yield before + number


def times_from(quartz: Quartz, start: int) -> Iterator[int]:
    """Seconds of the day, from `start` on, that fit."""
    hour, rest = divmod(start, HOUR)
    minute, second = divmod(rest, MINUTE)
    seconds = quartz.seconds
    for at_hour in quartz.hours[bisect_left(quartz.hours, hour) :] if hour else quartz.hours:
        same_hour = at_hour == hour
        for at_minute in quartz.minutes[bisect_left(quartz.minutes, minute) :] if same_hour else quartz.minutes:
            base = at_hour * HOUR + at_minute * MINUTE
            if same_hour and at_minute == minute and second:
                for at_second in seconds[bisect_left(seconds, second) :]:
                    yield base + at_second
            else:
                for at_second in seconds:
                    yield base + at_second


def changing_day(quartz: Quartz, clock: Clock, wall: int) -> Generator[int, None, int]:
    """Fire times of a day on which the clock changes. Gives back the wall time on a later day to go on from."""
    day = wall // DAY
    wall = clock.settle(wall)
    while wall // DAY == day:
        stepped = step(quartz, clock, wall)
        if stepped == wall:
            instant = clock.instant(wall)
            yield instant
            stepped = clock.wall(instant + 1)
        wall = stepped
    return wall


def step(quartz: Quartz, clock: Clock, wall: int) -> int:
    """One step of Quartz's search: mend the smallest part that does not fit; the same wall time when all fit."""
    day, rest = divmod(wall, DAY)
    hour, rest = divmod(rest, HOUR)
    minute, second = divmod(rest, MINUTE)
    fitting, carry = following(quartz.seconds, second)
    if fitting != second or carry:
        return clock.settle(day * DAY + hour * HOUR + (minute + carry) * MINUTE + fitting)
    fitting, carry = following(quartz.minutes, minute)
    if fitting != minute or carry:
        return set_hour(clock, day * DAY + fitting * MINUTE, hour + carry)
    fitting, carry = following(quartz.hours, hour)
    if fitting != hour or carry:
        return set_hour(clock, (day + carry) * DAY, fitting)
    return wall


def following(values: tuple[int, ...], value: int) -> tuple[int, int]:
    """The first of the values from `value` on, and 0; or the first of all, and 1."""
    index = bisect_left(values, value)
    return (values[index], 0) if index < len(values) else (values[0], 1)


def set_hour(clock: Clock, wall: int, hour: int) -> int:
    """The wall time at an hour; when the clock skips that hour, one hour on from what it settles at.

    Quartz asks the calendar for the hour it has set, and sets the next one when another hour comes back.
    """
    settled = clock.settle(wall + hour * HOUR)
    day, rest = divmod(settled, DAY)
    if rest // HOUR != hour and hour != 24:
        settled = clock.settle(day * DAY + (hour + 1) * HOUR + rest % HOUR)
    return settled

"""Which days of a month an expression names. Runs everywhere; pure.

A month has one of 28 shapes: the weekday of its first day and its length. A rule keeps one table of days a shape, so
a search that crosses years costs a look-up a month.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date

from medallion.spec.quartz.fields import Item, Kind, Values

EPOCH = date(1970, 1, 1).toordinal()
"""Proleptic Gregorian ordinal of the day that is day 0 here."""


class Shape:
    """A month as the rules see it.

    :param first: weekday of day 1, 0 is Sunday.
    :param length: number of days.
    """

    __slots__ = ("first", "length")

    def __init__(self, first: int, length: int) -> None:
        self.first = first
        self.length = length

    def weekday(self, day: int) -> int:
        """Quartz's number of a day's weekday: 1 is Sunday."""
        return (self.first + day - 1) % 7 + 1

    def nearest_weekday(self, day: int) -> int:
        """Monday to Friday next to the day, never in another month."""
        weekday = self.weekday(day)
        if weekday == 7:
            return day - 1 if day > 1 else day + 2
        if weekday == 1:
            return day + 1 if day < self.length else day - 2
        return day


def last_day(shape: Shape, item: Item) -> int:
    """`L` and `L-n`; zero or less when the month is too short."""
    return shape.length - item.start


def last_weekday(shape: Shape, item: Item) -> int:
    """`LW` and `L-nW`."""
    day = shape.length - item.start
    return shape.nearest_weekday(day) if day > 0 else 0


def nearest_weekday(shape: Shape, item: Item) -> int:
    """`nW`; nothing in a month without a day n."""
    return shape.nearest_weekday(item.start) if item.start <= shape.length else 0


def last_of_kind(shape: Shape, item: Item) -> int:
    """`nL`: the last such weekday."""
    return shape.length - (shape.weekday(shape.length) - item.start) % 7


def nth_of_kind(shape: Shape, item: Item) -> int:
    """`n#m`: the m-th such weekday, or nothing."""
    day = 1 + (item.start - shape.weekday(1)) % 7 + (item.end - 1) * 7
    return day if day <= shape.length else 0


MOVING: Mapping[Kind, Callable[[Shape, Item], int]] = {
    Kind.LAST_DAY: last_day,
    Kind.LAST_WEEKDAY: last_weekday,
    Kind.NEAREST_WEEKDAY: nearest_weekday,
    Kind.LAST_OF_KIND: last_of_kind,
    Kind.NTH_OF_KIND: nth_of_kind,
}


class DayRule:
    """The two day fields together.

    :param of_month: None stands for `?`; the same with `of_week`. Quartz has exactly one of them.
    :param either: a day of either field fires (Unix cron with both fields given), not only a day of both.
    """

    __slots__ = ("_tables", "either", "lone_weekday", "of_month", "of_week")

    def __init__(self, of_month: Values | None, of_week: Values | None, *, either: bool = False) -> None:
        self.of_month = of_month
        self.of_week = of_week
        self.either = either
        items = of_month.items if of_month else ()
        nearest = len(items) == 1 and items[0].kind in {Kind.NEAREST_WEEKDAY, Kind.LAST_WEEKDAY}
        self.lone_weekday = items[0] if nearest else None
        self._tables: dict[tuple[int, int], tuple[int, ...]] = {}

    def days(self, first: int, length: int) -> tuple[int, ...]:
        """The days of a month, in order.

        :param first: weekday of day 1, 0 is Sunday; `length` the number of days.
        """
        found = self._tables.get((first, length))
        if found is None:
            found = self._tables[first, length] = tuple(sorted(self._match(Shape(first, length))))
        return found

    def _match(self, shape: Shape) -> set[int]:
        named = [
            {day for day in found if 1 <= day <= shape.length}
            for found in (month_days(shape, self.of_month), week_days(shape, self.of_week))
            if found is not None
        ]
        return set.union(*named) if self.either else set.intersection(*named)


def month_days(shape: Shape, values: Values | None) -> set[int] | None:
    """Days that the day-of-month field names."""
    return None if values is None else {*values.numbers, *moving_days(shape, values)}


def week_days(shape: Shape, values: Values | None) -> set[int] | None:
    """Days that the day-of-week field names."""
    if values is None:
        return None
    plain = {day for day in range(1, shape.length + 1) if shape.weekday(day) in values.numbers}
    return {*plain, *moving_days(shape, values)}


def moving_days(shape: Shape, values: Values) -> Iterator[int]:
    """Days that depend on the month."""
    return (MOVING[item.kind](shape, item) for item in values.items if item.kind in MOVING)


def month_length(year: int, month: int) -> int:
    """Number of days of a month of the Gregorian calendar."""
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in {4, 6, 9, 11} else 31

"""A Quartz cron expression: read once, then asked for its fire times. Runs everywhere; pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from typing import overload

from medallion.spec.quartz import nearest, walk
from medallion.spec.quartz.clock import Clock, clock_of
from medallion.spec.quartz.days import DayRule
from medallion.spec.quartz.fields import (
    DAY_OF_MONTH,
    DAY_OF_WEEK,
    FIELDS,
    QuartzError,
    Values,
    read_field,
    steps_a_name,
)


class Quartz:
    """One expression. Immutable; `Quartz.parse` makes it and keeps the latest ones.

    :param text: the expression as given.
    :param fields: seconds, minutes, hours, day of month, month, day of week, year.
    :param days: the two day fields together.
    """

    __slots__ = ("days", "fields", "hours", "lone_weekday", "minutes", "months", "seconds", "text", "years")

    def __init__(self, text: str, fields: tuple[Values, ...], days: DayRule) -> None:
        self.text = text
        self.fields = fields
        self.days = days
        self.seconds, self.minutes, self.hours = (values.numbers for values in fields[:3])
        self.months = fields[4].numbers
        self.years = fields[6].numbers
        once = len(self.seconds) == len(self.minutes) == len(self.hours) == 1
        self.lone_weekday = days.lone_weekday if once else None

    def __repr__(self) -> str:
        return f"Quartz({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quartz) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[object, ...]:
        return (*(values.text for values in self.fields), self.days.either)

    @staticmethod
    def parse(text: str) -> Quartz:
        """Read an expression of 6 or 7 fields, names in any case.

        :raises QuartzError: with the field, its value and what is allowed.
        """
        return read_expression(text)

    @overload
    def next_after(self, after: int, timezone: str = ...) -> int | None: ...
    @overload
    def next_after(self, after: datetime, timezone: str = ...) -> datetime | None: ...
    def next_after(self, after: int | datetime, timezone: str = "UTC") -> int | datetime | None:
        """The first fire time strictly after an instant; None when the years run out (see `LAST_OPEN_YEAR`).

        :param after: epoch seconds, or a datetime (one without zone counts as UTC). The answer is of the same type; a
            datetime has the zone of the argument.
        :param timezone: Java time-zone id of the schedule.
        :raises QuartzError: the time zone does not exist.
        """
        if isinstance(after, datetime):
            return next(self.fires(after, timezone), None)
        return next(self.fires(after, timezone), None)

    @overload
    def fires(self, after: int, timezone: str = ...) -> Iterator[int]: ...
    @overload
    def fires(self, after: datetime, timezone: str = ...) -> Iterator[datetime]: ...
    def fires(self, after: int | datetime, timezone: str = "UTC") -> Iterator[int] | Iterator[datetime]:
        """All fire times strictly after an instant, in order; arguments as for `next_after`."""
        clock = clock_of(timezone)
        if not isinstance(after, datetime):
            return self._instants(clock, after)
        given = after if after.tzinfo else after.replace(tzinfo=UTC)
        start = (given - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() // 1
        return (datetime.fromtimestamp(at, given.tzinfo) for at in self._instants(clock, int(start)))

    def next_times(self, after: int, timezone: str, count: int) -> list[int]:
        """Up to `count` fire times in epoch seconds."""
        return list(islice(self._instants(clock_of(timezone), after), max(count, 0)))

    def _instants(self, clock: Clock, after: int) -> Iterator[int]:
        if self.lone_weekday is not None:
            return nearest.instants(self, self.lone_weekday, clock, after)
        return walk.instants(self, clock, after)

    @property
    def note(self) -> str | None:
        """What a reader may not expect of this expression, one sentence without a full stop."""
        ignored = [word for values in self.fields for word in values.text.split(",") if steps_a_name(word)]
        return (
            f"Quartz ignores a step behind a name: {ignored[0]} is {ignored[0].partition('/')[0]}" if ignored else None
        )

    def describe(self) -> str:
        """The schedule in plain English, without the time zone."""
        from medallion.spec.quartz.explain import explain  # a circle at import time

        return explain(self)


@lru_cache(maxsize=4096)
def read_expression(text: str) -> Quartz:
    """The expression of a text; see `Quartz.parse`. Spaces and tabs part the fields, no other white space does."""
    words = [word for word in text.strip().upper().replace("\t", " ").split(" ") if word]
    if not 6 <= len(words) <= 7:
        allowed = "6 or 7 fields: seconds minutes hours day-of-month month day-of-week [year]"
        raise QuartzError("expression", text, allowed, hint=with_seconds(words) if len(words) == 5 else None)
    if len(words) == 6:
        words.append("*")
    fields = tuple(read_field(bounds, word) for bounds, word in zip(FIELDS, words, strict=True))
    return Quartz(text, fields, day_rule(words[3], words[5]))


def with_seconds(words: list[str]) -> str | None:
    """A hint for five fields that lack the seconds, and perhaps the `?`; None when more is wrong than that."""
    for position in (None, 4, 2):
        draft = ["0", *("?" if index == position and word == "*" else word for index, word in enumerate(words))]
        try:
            return f"Quartz starts with seconds: {read_expression(' '.join(draft)).text}"
        except QuartzError:
            continue
    return None


@lru_cache(maxsize=4096)
def day_rule(month_word: str, week_word: str) -> DayRule:
    """The rule of the two day fields, of which exactly one is `?`; raises QuartzError. Cached with its tables."""
    of_month, of_week = read_field(DAY_OF_MONTH, month_word), read_field(DAY_OF_WEEK, week_word)
    if of_month.unspecified and of_week.unspecified:
        raise QuartzError(DAY_OF_WEEK.name, "?", "days, because day of month is ? already")
    if not of_month.unspecified and not of_week.unspecified:
        allowed = f"? in one of the two, such as {month_word} ? or ? {week_word}"
        raise QuartzError(f"{DAY_OF_MONTH.name} and {DAY_OF_WEEK.name}", f"{month_word} … {week_word}", allowed)
    return DayRule(None if of_month.unspecified else of_month, None if of_week.unspecified else of_week)

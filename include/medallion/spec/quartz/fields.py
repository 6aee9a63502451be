"""The fields of a Quartz expression and how one field's text is read. Runs everywhere; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache

from medallion.errors import MedallionError
from medallion.spec.problems import did_you_mean

FIRST_YEAR = 1970
LAST_YEAR = 2299
"""The last year that an expression may name."""

LAST_OPEN_YEAR = 2126
"""Where `*` and `n/s` end in the year. Quartz looks a hundred years ahead of the current one; a constant keeps the
answers of `tests/data/quartz` true in other years."""

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


class QuartzError(MedallionError):
    """A cron expression or time zone is wrong: which field, what it says and what is allowed there."""

    exit_code = 2

    def __init__(self, field_name: str, value: str, allowed: str, *, hint: str | None = None) -> None:
        super().__init__(f"{field_name}: {value!r} is not allowed; allowed: {allowed}", hint=hint)
        self.field = field_name
        self.value = value
        self.allowed = allowed


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """What one position of an expression may hold. Compared by identity, so that it is cheap as a cache's key.

    :param low: smallest value; `high` is the largest, both included.
    :param max_step: largest step after `*/` or `n/`. Quartz does not limit the step of a range, nor of years.
    :param long_names: English names in the order of the values from `low` on.
    :param allowed: the rule as an error states it.
    :param wraps: a range may end before it starts.
    :param open_end: where `*` and `n/s` end when that is before `high`.
    """

    name: str
    low: int
    high: int
    max_step: int
    allowed: str
    long_names: tuple[str, ...] = ()
    wraps: bool = True
    open_end: int | None = None

    @property
    def last(self) -> int:
        """Where `*` and `n/s` end."""
        return self.high if self.open_end is None else self.open_end

    def number(self, word: str) -> int | None:
        """The value of a number or a name of at least three letters, or None when it is out of place."""
        if word.isdigit():
            value = int(word)
            return value if self.low <= value <= self.high else None
        if len(word) < 3:
            return None
        names = (index for index, name in enumerate(self.long_names) if name.upper().startswith(word))
        found = next(names, None)
        return None if found is None else self.low + found

    def fault(self, value: str) -> QuartzError:
        """The error for a value that does not fit."""
        word = re.sub(r"[^A-Z]", "", value)
        hint = did_you_mean(word, [name[:3].upper() for name in self.long_names]) if len(word) > 1 else None
        return QuartzError(self.name, value, self.allowed, hint=hint)


SECONDS = Field("seconds", 0, 59, 59, "0-59, lists, ranges, steps up to 59 and *")
MINUTES = Field("minutes", 0, 59, 59, "0-59, lists, ranges, steps up to 59 and *")
HOURS = Field("hours", 0, 23, 23, "0-23, lists, ranges, steps up to 23 and *")
DAY_OF_MONTH = Field("day of month", 1, 31, 31, "1-31, lists, ranges, steps up to 31, *, ?, L, L-n, LW and nW")
MONTH = Field("month", 1, 12, 12, "1-12 or JAN-DEC, lists, ranges, steps up to 12 and *", MONTHS)
DAY_OF_WEEK = Field(
    "day of week",
    1,
    7,
    7,
    "1-7 (1 is Sunday) or SUN-SAT, lists, ranges, steps up to 7, *, ?, L, nL and n#1 to n#5",
    WEEKDAYS,
)
YEAR = Field(
    "year",
    FIRST_YEAR,
    LAST_YEAR,
    9999,
    f"{FIRST_YEAR}-{LAST_YEAR}, lists, rising ranges, steps and *",
    wraps=False,
    open_end=LAST_OPEN_YEAR,
)
FIELDS = (SECONDS, MINUTES, HOURS, DAY_OF_MONTH, MONTH, DAY_OF_WEEK, YEAR)


class Kind(Enum):
    """What an item of a field says."""

    ALL = "*"
    VALUE = "n"
    RANGE = "a-b"
    OPEN = "n/"
    NONE = "?"
    LAST_DAY = "L"
    LAST_WEEKDAY = "LW"
    NEAREST_WEEKDAY = "nW"
    LAST_OF_KIND = "nL"
    NTH_OF_KIND = "n#m"


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of a list.

    :param start: first value, or the day that a day item is about; for `L-n` and `L-nW` the distance n.
    :param end: last value of a range, or the m of `n#m`.
    """

    kind: Kind
    start: int = 0
    end: int = 0
    step: int = 1

    def values(self, bounds: Field) -> Iterator[int]:
        """The plain numbers that the item stands for; a range whose end is smaller goes round."""
        size = bounds.high - bounds.low + 1
        end = self.end + size if self.end < self.start else self.end
        for value in range(self.start, end + 1, self.step):
            yield (value - bounds.low) % size + bounds.low


@dataclass(frozen=True, slots=True)
class Values:
    """One field as read: its text, its items, and the numbers of the plain ones in order."""

    text: str
    items: tuple[Item, ...]
    numbers: tuple[int, ...] = field(default=())

    @property
    def unspecified(self) -> bool:
        """True for `?`."""
        return self.items[0].kind is Kind.NONE

    @property
    def every(self) -> bool:
        """True for `*`, and for whatever else takes every value one by one from the start."""
        return self.items[0].kind is Kind.ALL and self.items[0].step == 1


PLAIN = re.compile(r"(?:\*|(?P<start>[A-Z]+|[0-9]{1,4})(?:-(?P<end>[A-Z]+|[0-9]{1,4}))?)?(?:/(?P<step>[0-9]{1,4}))?")
MONTH_END = re.compile(r"L(?:-(?P<distance>[0-9]{1,2}))?(?P<weekday>W)?")
NEAREST = re.compile(r"(?P<day>[0-9]{1,2})W")
WEEK_OF_MONTH = re.compile(r"(?P<day>[1-7]|[A-Z]{3,}?)(?:(?P<last>L)|#(?P<nth>[1-5]))")
PLAIN_KINDS = frozenset({Kind.ALL, Kind.VALUE, Kind.RANGE, Kind.OPEN})


@lru_cache(maxsize=8192)
def read_field(bounds: Field, text: str) -> Values:
    """One field of an expression, in capitals. Cached: most expressions share most of their fields.

    :raises QuartzError: the text does not fit the field.
    """
    items = tuple(read_item(bounds, word, text) for word in text.split(","))
    check_alone(bounds, items, text)
    numbers = sorted({number for item in items if item.kind in PLAIN_KINDS for number in item.values(bounds)})
    return Values(text, items, tuple(numbers))


def read_item(bounds: Field, word: str, text: str) -> Item:
    """One entry of a field's list."""
    item = read_day_item(bounds, word) or read_plain_item(bounds, word)
    if item is None:
        raise bounds.fault(word or text)
    return without_step(item) if steps_a_name(word) else item


def steps_a_name(word: str) -> bool:
    """Whether an entry, in capitals, has a step behind a name, which Quartz reads and ignores."""
    return "/" in word and re.search("[A-Z]", word) is not None


def without_step(item: Item) -> Item:
    """The range, or the one value, that is left of an entry."""
    return (
        Item(Kind.RANGE, item.start, item.end) if item.kind is Kind.RANGE else Item(Kind.VALUE, item.start, item.start)
    )


def read_plain_item(bounds: Field, word: str) -> Item | None:
    """`*`, `n`, `a-b`, `n/s`, `a-b/s`, `*/s` or `/s`; None when it is none of them or out of bounds."""
    match = PLAIN.fullmatch(word)
    if not word or match is None:
        return None
    step = int(match["step"] or 1)
    if step == 0 or (match["end"] is None and step > bounds.max_step):
        return None
    if match["start"] is None:
        return Item(Kind.ALL, bounds.low, bounds.last, step)
    start = bounds.number(match["start"])
    end = bounds.number(match["end"]) if match["end"] else start
    if start is None or end is None or (end < start and not bounds.wraps):
        return None
    if match["end"]:
        return Item(Kind.RANGE, start, end, step)
    return Item(Kind.OPEN, start, max(start, bounds.last), step) if match["step"] else Item(Kind.VALUE, start, start)


def read_day_item(bounds: Field, word: str) -> Item | None:
    """What only the two day fields have: `?`, and days that depend on the month; None for anything else."""
    if bounds is DAY_OF_MONTH:
        return Item(Kind.NONE) if word == "?" else read_month_day(word)
    if bounds is DAY_OF_WEEK:
        return Item(Kind.NONE) if word == "?" else read_week_day(word)
    return None


def read_month_day(word: str) -> Item | None:
    """`L`, `L-n`, `LW`, `L-nW` or `nW`."""
    if match := MONTH_END.fullmatch(word):
        distance = int(match["distance"] or 0)
        return Item(Kind.LAST_WEEKDAY if match["weekday"] else Kind.LAST_DAY, distance) if distance <= 30 else None
    match = NEAREST.fullmatch(word)
    if match is None or not 1 <= int(match["day"]) <= 31:
        return None
    return Item(Kind.NEAREST_WEEKDAY, int(match["day"]))


def read_week_day(word: str) -> Item | None:
    """`L` (Saturday, as Quartz reads it), `nL` or `n#m`."""
    if word == "L":
        return Item(Kind.VALUE, 7, 7)
    match = WEEK_OF_MONTH.fullmatch(word)
    day = DAY_OF_WEEK.number(match["day"]) if match else None
    if match is None or day is None:
        return None
    return Item(Kind.LAST_OF_KIND, day) if match["last"] else Item(Kind.NTH_OF_KIND, day, int(match["nth"]))


def check_alone(bounds: Field, items: tuple[Item, ...], text: str) -> None:
    """`?` stands alone; so do `L` and `#` in the day of week, because Quartz has one slot for each."""
    if len(items) == 1:
        return
    alone = any(item.kind in {Kind.NONE, Kind.LAST_OF_KIND, Kind.NTH_OF_KIND} for item in items)
    if alone or (bounds is DAY_OF_WEEK and "L" in text.split(",")):
        raise QuartzError(bounds.name, text, "?, L, nL and n#m only by themselves, not in a list")

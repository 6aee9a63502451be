"""Unix cron where a person types one: five fields, or a name such as `@daily`. Runs everywhere; pure.

The rules are those of crontab(5): when both day fields are given a day of either fires, unless one of them starts with
`*`; then a day must fit both. Sunday is 0 or 7.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from medallion.spec.quartz.days import DayRule
from medallion.spec.quartz.expression import Quartz
from medallion.spec.quartz.fields import (
    DAY_OF_WEEK,
    MONTHS,
    SECONDS,
    WEEKDAYS,
    YEAR,
    Field,
    Item,
    Kind,
    QuartzError,
    Values,
    read_field,
    read_plain_item,
)

NICKNAMES: Mapping[str, str] = {
    "@YEARLY": "0 0 1 1 *",
    "@ANNUALLY": "0 0 1 1 *",
    "@MONTHLY": "0 0 1 * *",
    "@WEEKLY": "0 0 * * 0",
    "@DAILY": "0 0 * * *",
    "@MIDNIGHT": "0 0 * * *",
    "@HOURLY": "0 * * * *",
}

RULES = "lists, ranges, steps and *"
FIELDS = (
    Field("minute", 0, 59, 59, f"0-59, {RULES}", wraps=False),
    Field("hour", 0, 23, 23, f"0-23, {RULES}", wraps=False),
    Field("day of month", 1, 31, 31, f"1-31, {RULES}", wraps=False),
    Field("month", 1, 12, 12, f"1-12 or JAN-DEC, {RULES}", MONTHS, wraps=False),
    Field("day of week", 0, 7, 7, f"0-7 (0 and 7 are Sunday) or SUN-SAT, {RULES}", WEEKDAYS),
)
QUARTZ_ONLY = frozenset("?L#W")


@dataclass(frozen=True, slots=True)
class Schedule:
    """An expression as a person typed it.

    :param note: how it was read, when it was not Quartz or not as it looks; one sentence without a full stop.
    """

    quartz: Quartz
    note: str | None = None


def parse_schedule(text: str) -> Schedule:
    """A Quartz expression, or Unix cron with a note.

    :raises QuartzError: it is neither.
    """
    words = text.upper().split()
    if len(words) == 1 and words[0] in NICKNAMES:
        words = NICKNAMES[words[0]].split()
    if len(words) != len(FIELDS) or any(QUARTZ_ONLY & set(word) for word in words[2:5:2] if not word.isalpha()):
        quartz = Quartz.parse(text)
        return Schedule(quartz, quartz.note)
    quartz = from_unix(words)
    rule = quartz.days
    if rule.of_month and rule.of_week:
        how = "a day of either day field fires" if rule.either else "a day must fit both day fields"
        return Schedule(quartz, f"read as Unix cron, where {how}; Quartz has no expression for it")
    return Schedule(quartz, f"read as Unix cron; in Quartz it is {quartz.text!r}")


def from_unix(words: list[str]) -> Quartz:
    """The schedule of five words in capitals; `text` is the nearest Quartz expression."""
    minute, hour, month_day, month, week_day = map(read_unix_field, FIELDS, words)
    week_day = in_quartz_days(week_day)
    if "/" in month.text:  # Quartz would ignore a step behind a name
        month = Values(",".join(map(item_text, month.items)), month.items, month.numbers)
    star_month, star_week = words[2].startswith("*"), words[4].startswith("*")
    of_week = None if week_day.every else week_day
    of_month = None if month_day.every and of_week else month_day
    unspecified = read_field(DAY_OF_WEEK, "?")
    fields = (
        read_field(SECONDS, "0"),
        minute,
        hour,
        of_month or unspecified,
        month,
        of_week or unspecified,
        read_field(YEAR, "*"),
    )
    text = " ".join(values.text for values in fields[:6])
    return Quartz(text, fields, DayRule(of_month, of_week, either=not (star_month or star_week)))


def read_unix_field(bounds: Field, text: str) -> Values:
    """One field; raises QuartzError. Cron has no `n/s` without a range."""
    items = []
    for word in text.split(","):
        item = read_plain_item(bounds, word)
        if item is None or item.kind is Kind.OPEN or word.startswith("/"):
            raise QuartzError(f"{bounds.name} (Unix cron)", word or text, bounds.allowed)
        items.append(item)
    numbers = sorted({number for item in items for number in item.values(bounds)})
    return Values(text, tuple(items), tuple(numbers))


def in_quartz_days(values: Values) -> Values:
    """Days of the week from cron's numbers (0 is Sunday) to Quartz's (1 is Sunday)."""
    items = tuple(map(in_quartz_item, values.items))
    numbers = sorted({number for item in items for number in item.values(DAY_OF_WEEK)})
    return Values(",".join(map(item_text, items)), items, tuple(numbers))


def in_quartz_item(item: Item) -> Item:
    """One entry of the days of the week; Sunday as 7 goes round."""
    if item.kind is Kind.ALL or (item.kind is Kind.RANGE and item.end - item.start >= 6):
        return Item(Kind.ALL, 1, 7, item.step)
    return Item(item.kind, item.start % 7 + 1, item.end % 7 + 1, item.step)


def item_text(item: Item) -> str:
    """An entry as Quartz writes it."""
    base = {Kind.ALL: "*", Kind.VALUE: str(item.start), Kind.RANGE: f"{item.start}-{item.end}"}[item.kind]
    return base if item.step == 1 else f"{base}/{item.step}"

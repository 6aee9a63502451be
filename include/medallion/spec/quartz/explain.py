"""A cron expression in plain English. Runs everywhere; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING

from medallion.spec.quartz.fields import LAST_OPEN_YEAR, MONTHS, WEEKDAYS, Item, Kind, Values

if TYPE_CHECKING:
    from medallion.spec.quartz.expression import Quartz

MOST_TIMES = 6
"""Up to this many times of day are listed one by one."""

ORDINALS = ("", "first", "second", "third", "fourth", "fifth")


def explain(quartz: Quartz) -> str:
    """One sentence without a full stop, such as `At 09:30, Monday to Friday, in January`."""
    parts = [time_phrase(quartz), days_phrase(quartz), months_phrase(quartz.fields[4]), years_phrase(quartz.fields[6])]
    text = ", ".join(part for part in parts if part)
    return text[0].upper() + text[1:]


def time_phrase(quartz: Quartz) -> str:
    """The times of day."""
    seconds, minutes, hours = quartz.fields[:3]
    listed = all(item.kind is Kind.VALUE for values in quartz.fields[:3] for item in values.items)
    if listed and len(quartz.hours) * len(quartz.minutes) * len(quartz.seconds) <= MOST_TIMES:
        times = product(quartz.hours, quartz.minutes, quartz.seconds)
        return "at " + join([clock_text(*time) for time in times])
    if len(quartz.minutes) == 1 and len(quartz.seconds) == 1:
        return hourly_phrase(hours, quartz.minutes[0], quartz.seconds[0])
    parts = [] if quartz.seconds == (0,) else [unit_phrase(seconds, "second")]
    if not (minutes.every and parts and parts[0].startswith("every")):
        parts.append(unit_phrase(minutes, "minute"))
    return ", ".join([*parts, *hours_window(hours)])


def clock_text(hour: int, minute: int, second: int = 0) -> str:
    """`09:30`, or `09:30:15` where seconds matter."""
    return f"{hour:02}:{minute:02}" + (f":{second:02}" if second else "")


def hourly_phrase(hours: Values, minute: int, second: int) -> str:
    """One time an hour, in hours that are a rule and not a short list."""
    item = hours.items[0]
    if len(hours.items) > 1 or item.kind is Kind.VALUE:
        return "at " + join([clock_text(hour, minute, second) for hour in hours.numbers])
    text = every(item.step, "hour")
    if item.kind is Kind.RANGE:
        return f"{text} from {clock_text(item.start, minute, second)} to {clock_text(item.end, minute, second)}"
    if item.kind is Kind.OPEN:
        return f"{text} from {clock_text(item.start, minute, second)}"
    if second:
        return f"{text} at minute {minute} and second {second}"
    return f"{text} at minute {minute}" if minute else text


def hours_window(hours: Values) -> list[str]:
    """The hours in which smaller units fire; nothing when that is all of them."""
    if hours.every:
        return []
    return [join([window(item) for item in hours.items])]


def window(item: Item) -> str:
    """One entry of the hours as a stretch of the day."""
    if item.kind in {Kind.VALUE, Kind.RANGE} and item.step == 1:
        return f"between {item.start:02}:00 and {item.end:02}:59"
    stretch = f" from {item.start:02}:00" if item.kind is not Kind.ALL else ""
    end = f" to {item.end:02}:59" if item.kind is Kind.RANGE else ""
    return f"during {every(item.step, 'hour')}{stretch}{end}"


def every(step: int, unit: str) -> str:
    """`every minute`, `every 5 minutes`."""
    return f"every {unit}" if step == 1 else f"every {step} {unit}s"


def unit_phrase(values: Values, unit: str) -> str:
    """Seconds or minutes."""
    if all(item.kind is Kind.VALUE for item in values.items):
        return f"at {unit}{'s' if len(values.numbers) > 1 else ''} {join(list(map(str, values.numbers)))}"
    return join([unit_item(item, unit) for item in values.items])


def unit_item(item: Item, unit: str) -> str:
    """One entry of seconds or minutes."""
    if item.kind is Kind.VALUE:
        return f"at {unit} {item.start}"
    text = every(item.step, unit)
    if item.kind is Kind.RANGE:
        return f"{text} from {unit} {item.start} to {item.end}"
    return f"{text} from {unit} {item.start}" if item.kind is Kind.OPEN and item.start else text


def days_phrase(quartz: Quartz) -> str:
    """Both day fields."""
    rule = quartz.days
    month = None if rule.of_month is None else month_days_phrase(rule.of_month)
    week = None if rule.of_week is None else week_days_phrase(rule.of_week)
    if month and week:
        return f"{month} {'or' if rule.either else 'and only'} {week}"
    return month or week or "every day"


def month_days_phrase(values: Values) -> str:
    """The day-of-month field; empty when it takes every day."""
    if values.every:
        return ""
    numbers = [item for item in values.items if item.kind in {Kind.VALUE, Kind.RANGE} and item.step == 1]
    parts = [MONTH_DAYS[item.kind](item) for item in values.items if item not in numbers]
    if numbers:
        plural = "s" if len(numbers) > 1 or numbers[0].kind is Kind.RANGE else ""
        parts.insert(0, f"on day{plural} {join([span(item, str) for item in numbers])}")
    return f"{join(parts)} of the month"


def stepped_days(item: Item) -> str:
    """Days of the month with a step."""
    end = f" to {item.end}" if item.kind is Kind.RANGE else ""
    return f"{every(item.step, 'day')} from day {item.start}{end}"


MONTH_DAYS: Mapping[Kind, Callable[[Item], str]] = {
    Kind.ALL: stepped_days,
    Kind.OPEN: stepped_days,
    Kind.RANGE: stepped_days,
    Kind.LAST_DAY: lambda item: f"{before(item)} the last day",
    Kind.LAST_WEEKDAY: lambda item: (
        f"on the weekday nearest to {item.start} days before the last day"
        if item.start
        else "on the last weekday (Monday to Friday)"
    ),
    Kind.NEAREST_WEEKDAY: lambda item: f"on the weekday (Monday to Friday) nearest to day {item.start}",
}


def before(item: Item) -> str:
    """`on`, or how long before."""
    return "on" if not item.start else f"{item.start} day{'s' if item.start > 1 else ''} before"


def week_days_phrase(values: Values) -> str:
    """The day-of-week field; empty when it takes every day."""
    item = values.items[0]
    if item.kind is Kind.LAST_OF_KIND:
        return f"on the last {WEEKDAYS[item.start - 1]} of the month"
    if item.kind is Kind.NTH_OF_KIND:
        return f"on the {ORDINALS[item.end]} {WEEKDAYS[item.start - 1]} of the month"
    if len(values.numbers) == len(WEEKDAYS):
        return ""
    return preposition(values, "on ", "") + names(values, WEEKDAYS)


def months_phrase(values: Values) -> str:
    """The months; empty when it is all of them."""
    return "" if len(values.numbers) == len(MONTHS) else preposition(values, "in ", "from ") + names(values, MONTHS)


def preposition(values: Values, listed: str, ranged: str) -> str:
    """The word in front of names: one for a list, one for a single range."""
    item = values.items[0]
    return ranged if len(values.items) == 1 and item.kind is Kind.RANGE and item.step == 1 else listed


def names(values: Values, words: Sequence[str]) -> str:
    """Numbers from 1 on by their names: ranges as ranges, all else one by one."""
    if all(item.kind in {Kind.VALUE, Kind.RANGE} and item.step == 1 for item in values.items):
        return join(list(dict.fromkeys(span(item, lambda number: words[number - 1]) for item in values.items)))
    return join([words[number - 1] for number in values.numbers])


def years_phrase(values: Values) -> str:
    """The years; empty when it is all of them."""
    if values.every:
        return ""
    return join([year_item(item) for item in values.items])


def year_item(item: Item) -> str:
    """One entry of the years."""
    if item.step == 1 and item.kind is not Kind.OPEN:
        return ("from " if item.kind is Kind.RANGE else "in ") + span(item, str)
    end = "" if item.end == LAST_OPEN_YEAR else f" to {item.end}"
    return f"{every(item.step, 'year')} from {item.start}{end}"


def span(item: Item, word: Callable[[int], str]) -> str:
    """`3` or `3 to 7`."""
    return word(item.start) if item.start == item.end else f"{word(item.start)} to {word(item.end)}"


def join(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"

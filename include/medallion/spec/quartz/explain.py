"""A cron expression in plain English. Runs everywhere; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING

from medallion.spec.quartz.fields import (
    DAY_OF_MONTH,
    DAY_OF_WEEK,
    HOURS,
    LAST_OPEN_YEAR,
    MINUTES,
    MONTH,
    SECONDS,
    WEEKDAYS,
    Field,
    Item,
    Kind,
    Values,
)

if TYPE_CHECKING:
    from medallion.spec.quartz.expression import Quartz

MOST_TIMES = 6
"""Up to this many times are listed one by one."""

ORDINALS = ("", "first", "second", "third", "fourth", "fifth")


def explain(quartz: Quartz) -> str:
    """One sentence without a full stop, such as `At 09:30, Monday to Friday, in January`."""
    parts = [time_phrase(quartz), days_phrase(quartz), months_phrase(quartz.fields[4]), years_phrase(quartz.fields[6])]
    text = ", ".join(part for part in parts if part)
    never = "" if next(quartz.fires(0), None) else ", which never comes"
    return text[0].upper() + text[1:] + never


def tidy(bounds: Field, values: Values) -> Values:
    """The same numbers in the shape in which they are said best."""
    if len(values.numbers) == bounds.high - bounds.low + 1:
        return Values(values.text, (Item(Kind.ALL, bounds.low, bounds.high),), values.numbers)
    return Values(values.text, tuple(part for item in values.items for part in tidy_item(bounds, item)), values.numbers)


def tidy_item(bounds: Field, item: Item) -> tuple[Item, ...]:
    """One entry: steps that do not go round evenly, as 7 in 60, become their numbers or a range with a true end."""
    if item.step == 1 and item.kind is not Kind.OPEN:
        return (item,)
    numbers = tuple(item.values(bounds))
    if item.kind is not Kind.RANGE and len(numbers) * item.step == bounds.high - bounds.low + 1:
        return (Item(Kind.OPEN if numbers[0] > bounds.low else Kind.ALL, numbers[0], numbers[-1], item.step),)
    if len(numbers) == 1 or (len(numbers) <= MOST_TIMES and item.kind is not Kind.RANGE):
        return tuple(Item(Kind.VALUE, number, number) for number in numbers)
    if bounds is DAY_OF_MONTH:
        return (item,)
    return (Item(Kind.RANGE, numbers[0], numbers[-1], item.step),)


def time_phrase(quartz: Quartz) -> str:
    """The times of day."""
    bounds = (SECONDS, MINUTES, HOURS)
    seconds, minutes, hours = fields = tuple(map(tidy, bounds, quartz.fields[:3]))
    listed = all(map(is_list, fields))
    if listed and len(quartz.hours) * len(quartz.minutes) * len(quartz.seconds) <= MOST_TIMES:
        times = product(quartz.hours, quartz.minutes, quartz.seconds)
        return "at " + join([clock_text(*time) for time in times])
    if len(quartz.minutes) == 1 and len(quartz.seconds) == 1:
        return hourly_phrase(hours, quartz.minutes[0], quartz.seconds[0])
    return ", ".join([*small_units(seconds, minutes, every_hour=hours.every), *hours_window(hours)])


def small_units(seconds: Values, minutes: Values, *, every_hour: bool) -> list[str]:
    """Seconds, unless they are zero, and minutes."""
    if seconds.numbers == (0,):
        text = unit_phrase(minutes, "minute")
        return [f"{text} of every hour" if every_hour and text.startswith("at ") else text]
    text = unit_phrase(seconds, "second")
    if minutes.every:
        return [text] if text.startswith("every") else [text, "every minute"]
    groups = [minutes.items] if is_list(minutes) else [(item,) for item in minutes.items]
    return [text, join(list(map(in_minutes, groups)))]


def is_list(values: Values) -> bool:
    """Whether a field is single values and nothing else."""
    return all(item.kind is Kind.VALUE for item in values.items)


def in_minutes(items: Sequence[Item]) -> str:
    """The minutes in which smaller units fire: `in minutes 5 and 10`, `in minutes 0 to 5`, `in every 5th minute`."""
    item = items[0]
    if item.kind is Kind.VALUE or (item.kind is Kind.RANGE and item.step == 1):
        plural = "s" if len(items) > 1 or item.end != item.start else ""
        return f"in minute{plural} {join([span(one, str) for one in items])}"
    start = f" from minute {item.start}" if item.kind is not Kind.ALL else ""
    end = f" to {item.end}" if item.kind is Kind.RANGE else ""
    return f"in every {nth(item.step)} minute{start}{end}"


def nth(number: int) -> str:
    """`2nd`, `3rd`, `11th`."""
    ending = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


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
    return f"in every {nth(item.step)} hour{stretch}{end}"


def every(step: int, unit: str) -> str:
    """`every minute`, `every 5 minutes`."""
    return f"every {unit}" if step == 1 else f"every {step} {unit}s"


def unit_phrase(values: Values, unit: str) -> str:
    """Seconds or minutes."""
    if is_list(values):
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
    month = None if rule.of_month is None else month_days_phrase(tidy(DAY_OF_MONTH, rule.of_month))
    week = None if rule.of_week is None else week_days_phrase(rule.of_week)
    if month and week:
        return f"{month} {'or' if rule.either else 'but only'} {week}"
    return month or week or "every day"


def month_days_phrase(values: Values) -> str:
    """The day-of-month field; empty when it takes every day."""
    if values.every:
        return ""
    numbers = [item for item in values.items if item.kind in {Kind.VALUE, Kind.RANGE} and item.step == 1]
    parts = [MONTH_DAYS[item.kind](item) for item in values.items if item not in numbers]
    numbers = [part for item in numbers for part in unwrapped(item, DAY_OF_MONTH)]
    if numbers:
        plural = "s" if len(numbers) > 1 or numbers[0].kind is Kind.RANGE else ""
        parts.insert(0, f"on day{plural} {join([span(item, str) for item in numbers])}")
    return f"{join(parts)} of the month"


def unwrapped(item: Item, bounds: Field) -> tuple[Item, ...]:
    """A range that goes round as two that do not."""
    if item.end >= item.start:
        return (item,)
    return Item(Kind.RANGE, item.start, bounds.high), Item(Kind.RANGE, bounds.low, item.end)


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
    return names(values, DAY_OF_WEEK, "on ", "")


def months_phrase(values: Values) -> str:
    """The months; empty when it is all of them."""
    return "" if len(values.numbers) == MONTH.high else names(values, MONTH, "in ", "from ")


def names(values: Values, bounds: Field, single: str, ranged: str) -> str:
    """Weekdays or months by their names: ranges of three and more as ranges, all else one by one.

    :param single: the word in front of single names; `ranged` the one in front of a range.
    """

    def name(number: int) -> str:
        return bounds.long_names[number - bounds.low]

    members = {item: tuple(item.values(bounds)) for item in values.items}
    ranges = [item for item, numbers in members.items() if item.step == 1 and len(numbers) > 2]
    covered = {number for item in ranges for number in members[item]}
    singles = dict.fromkeys(number for numbers in members.values() for number in numbers if number not in covered)
    parts = [ranged + span(item, name) for item in ranges]
    return join([*parts, single + join(list(map(name, singles)))] if singles else parts)


def years_phrase(values: Values) -> str:
    """The years; empty when it is all of them."""
    if values.every:
        return ""
    single = [item for item in values.items if item.kind is Kind.VALUE]
    parts = [year_item(item) for item in values.items if item not in single]
    return join([f"in {join([str(item.start) for item in single])}", *parts] if single else parts)


def year_item(item: Item) -> str:
    """One entry of the years."""
    if item.step == 1 and item.kind is Kind.RANGE:
        return f"from {span(item, str)}"
    end = "" if item.end == LAST_OPEN_YEAR else f" to {item.end}"
    return f"{every(item.step, 'year')} from {item.start}{end}"


def span(item: Item, word: Callable[[int], str]) -> str:
    """`3` or `3 to 7`."""
    return word(item.start) if item.start == item.end else f"{word(item.start)} to {word(item.end)}"


def join(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"

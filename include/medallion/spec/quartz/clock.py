"""Clocks of time zones, with Java's names and Java's reading of hours that are missing or come twice.

Runs everywhere; pure apart from the time zone database that `zoneinfo` reads.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from difflib import get_close_matches
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from medallion.spec.quartz.fields import QuartzError

DAY = 86_400

SHORT_IDS: Mapping[str, str] = {
    "ACT": "Australia/Darwin",
    "AET": "Australia/Sydney",
    "AGT": "America/Argentina/Buenos_Aires",
    "ART": "Africa/Cairo",
    "AST": "America/Anchorage",
    "BET": "America/Sao_Paulo",
    "BST": "Asia/Dhaka",
    "CAT": "Africa/Harare",
    "CNT": "America/St_Johns",
    "CST": "America/Chicago",
    "CTT": "Asia/Shanghai",
    "EAT": "Africa/Addis_Ababa",
    "ECT": "Europe/Paris",
    "IET": "America/Indiana/Indianapolis",
    "IST": "Asia/Kolkata",
    "JST": "Asia/Tokyo",
    "MIT": "Pacific/Apia",
    "NET": "Asia/Yerevan",
    "NST": "Pacific/Auckland",
    "PLT": "Asia/Karachi",
    "PNT": "America/Phoenix",
    "PRT": "America/Puerto_Rico",
    "PST": "America/Los_Angeles",
    "SST": "Pacific/Guadalcanal",
    "VST": "Asia/Ho_Chi_Minh",
}
"""Java's three-letter ids (java.time.ZoneId.SHORT_IDS); the fixed ones are in FIXED."""

FIXED: Mapping[str, int] = {"EST": -5, "MST": -7, "HST": -10, "UTC": 0, "GMT": 0, "Z": 0}
"""Ids without daylight saving, hours from UTC. Java keeps EST, MST and HST at fixed offsets."""

OFFSET = re.compile(r"GMT(?P<sign>[+-])(?:(?P<hours>[0-9]{1,2})|(?P<long>[0-9]{1,2}):?(?P<minutes>[0-5][0-9]))")
"""java.util.TimeZone's custom ids: GMT+2, GMT+02, GMT+0230, GMT+2:30."""

NOT_ZONES = ("posix/", "right/", "localtime", "posixrules", "leapseconds", "Factory")
"""Files beside the zones in some copies of the time zone database."""


class Clock:
    """Wall clock of one zone. Wall times are seconds since 1970-01-01 00:00 on that clock."""

    __slots__ = ("_shifts", "zone")

    def __init__(self, zone: tzinfo) -> None:
        self.zone = zone
        self._shifts: dict[int, int | None] = {}

    def wall(self, instant: int) -> int:
        """What the clock shows at an instant (epoch seconds)."""
        return instant + seconds_of(datetime.fromtimestamp(instant, self.zone).utcoffset())

    def instant(self, wall: int) -> int:
        """The instant of a wall time as java.util.Calendar takes it.

        Of an hour that comes twice the second one; a time that is skipped moves on by the length of the gap. Both are
        the smaller of the two offsets that Python's `fold` gives.
        """
        return wall - min(self._offsets(wall))

    def settle(self, wall: int) -> int:
        """The wall time itself, or the one it moves to when the clock skips it."""
        return self.wall(self.instant(wall))

    def shift(self, day: int) -> int | None:
        """Offset from UTC in seconds that holds all through a day (days since 1970), None when the clock changes."""
        try:
            return self._shifts[day]
        except KeyError:
            offsets = {*self._offsets(day * DAY), *self._offsets(day * DAY + DAY - 1)}
            found = self._shifts[day] = offsets.pop() if len(offsets) == 1 else None
            return found

    def _offsets(self, wall: int) -> tuple[int, int]:
        shown = datetime.fromtimestamp(wall, UTC).replace(tzinfo=self.zone)
        return seconds_of(shown.utcoffset()), seconds_of(shown.replace(fold=1).utcoffset())


def seconds_of(offset: timedelta | None) -> int:
    """An offset in whole seconds."""
    return 0 if offset is None else offset.days * DAY + offset.seconds


@lru_cache(maxsize=256)
def clock_of(timezone_id: str) -> Clock:
    """The clock of a Java time-zone id.

    :param timezone_id: a region (`Europe/Warsaw`), a short id (`PST`), `UTC`, `GMT+2` or `GMT+02:30`.
    :raises QuartzError: there is no such id. Java falls back to GMT without a word; a job would run at a wrong hour.
    """
    return Clock(zone_of(timezone_id))


def zone_of(timezone_id: str) -> tzinfo:
    """The zone of a Java time-zone id; raises QuartzError."""
    if timezone_id in FIXED:
        return timezone(timedelta(hours=FIXED[timezone_id]))
    if match := OFFSET.fullmatch(timezone_id):
        hours, minutes = int(match["hours"] or match["long"]), int(match["minutes"] or 0)
        if hours <= 23:
            offset = timedelta(hours=hours, minutes=minutes)
            return timezone(-offset if match["sign"] == "-" else offset)
    try:
        if not timezone_id or timezone_id.startswith(NOT_ZONES):
            raise unknown_zone(timezone_id)
        return ZoneInfo(SHORT_IDS.get(timezone_id, timezone_id))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise unknown_zone(timezone_id) from None


def unknown_zone(timezone_id: str) -> QuartzError:
    """The error for an id that does not exist, with the nearest one."""
    known = {name.casefold(): name for name in {*available_timezones(), *SHORT_IDS, *FIXED}}
    word = timezone_id.strip().casefold()
    cities = {name.rsplit("/", 1)[-1].casefold(): name for name in sorted(known.values())}
    if re.fullmatch(r"(utc)?[+-][0-9:]+", word):
        near: str | None = "GMT" + word.removeprefix("utc")
    else:
        pool = known | {city: name for city, name in cities.items() if city not in known}
        close = get_close_matches(word.replace(" ", "_"), list(pool), n=1, cutoff=0.6)
        near = pool[close[0]] if close else None
    allowed = "a Java time-zone id such as Europe/Warsaw, UTC, PST or GMT+02:00"
    return QuartzError("time zone", timezone_id, allowed, hint=f"did you mean {near}?" if near else None)

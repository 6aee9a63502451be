"""Time-zone ids as Java has them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from medallion.spec.quartz import QuartzError, clock_of

SUMMER = int(datetime(2026, 7, 1, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("zone", "hours"),
    [
        ("UTC", 0),
        ("GMT", 0),
        ("Z", 0),
        ("Europe/Warsaw", 2),
        ("EST", -5),
        ("MST", -7),
        ("HST", -10),
        ("PST", -7),
        ("CST", -5),
        ("CET", 2),
        ("ECT", 2),
        ("IST", 5.5),
        ("JST", 9),
        ("ACT", 9.5),
        ("EST5EDT", -4),
        ("GMT+2", 2),
        ("GMT+02:30", 2.5),
        ("GMT-0330", -3.5),
        ("GMT+2:30", 2.5),
        ("Etc/GMT-3", 3),
        ("PRC", 8),
    ],
)
def test_a_java_id_has_its_offset(zone, hours):
    assert clock_of(zone).wall(SUMMER) - SUMMER == hours * 3600


@pytest.mark.parametrize(
    ("zone", "meant"),
    [
        ("Europe/Warszawa", "Europe/Warsaw"),
        ("warsaw", "Europe/Warsaw"),
        ("utc", "UTC"),
        ("UTC+2", "GMT+2"),
        ("+02:00", "GMT+02:00"),
        ("America/New York", "America/New_York"),
    ],
)
def test_an_unknown_id_is_an_error_with_the_nearest_one(zone, meant):
    with pytest.raises(QuartzError, match="time zone") as caught:
        clock_of(zone)
    assert caught.value.hint == f"did you mean {meant}?"

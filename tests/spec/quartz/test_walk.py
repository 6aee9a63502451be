"""Fire times: against a slow and simple search, and around changes of the clock."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from time import perf_counter
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medallion.spec.quartz import Quartz, QuartzError

START = datetime(2026, 2, 20, 13, 37, 5, tzinfo=UTC)


def local(expression: str, zone: str, after: str, count: int) -> list[str]:
    start = datetime.fromisoformat(after).replace(tzinfo=ZoneInfo(zone))
    return [f"{at:%m-%d %H:%M %z}" for at in islice(Quartz.parse(expression).fires(start, zone), count)]


def numbers(low: int, high: int) -> st.SearchStrategy[str]:
    value = st.integers(low, high)
    several = st.lists(value, min_size=1, max_size=4).map(lambda found: ",".join(map(str, found)))
    ranges = st.tuples(value, value).map(lambda pair: f"{min(pair)}-{max(pair)}")
    steps = st.integers(1, min(high, 20)).map(lambda step: f"*/{step}")
    return st.one_of(st.just("*"), several, ranges, steps)


def holds(text: str, low: int, high: int, value: int) -> bool:
    """Whether a field of `numbers` takes a value, worked out another way than the product does."""
    if text == "*":
        return True
    if text.startswith("*/"):
        return value in range(low, high + 1, int(text[2:]))
    if "-" in text:
        first, last = map(int, text.split("-"))
        return first <= value <= last
    return str(value) in text.split(",")


@given(numbers(0, 23), numbers(1, 31), numbers(1, 12), st.integers(0, 400))
def test_fire_times_are_those_of_a_search_hour_by_hour(hours, days, months, offset):
    start = (START + timedelta(days=offset)).replace(minute=0, second=0)
    wanted = []
    for step in range(1, 24 * 70):
        at = start + timedelta(hours=step)
        if holds(hours, 0, 23, at.hour) and holds(days, 1, 31, at.day) and holds(months, 1, 12, at.month):
            wanted.append(at)
    found = Quartz.parse(f"0 0 {hours} {days} {months} ?").fires(start)
    assert list(islice(found, len(wanted))) == wanted


@pytest.mark.parametrize(
    ("day", "wanted"),
    [
        pytest.param("L", [28, 31, 30, 31], id="last day"),
        pytest.param("L-2", [26, 29, 28, 29], id="two days before it"),
        pytest.param("LW", [27, 31, 30, 29], id="last weekday"),
        pytest.param("1W", [2, 2, 1, 1], id="weekday next to the first, never in another month"),
        pytest.param("15W", [16, 16, 15, 15], id="a Sunday moves to Monday"),
        pytest.param("28W", [27, 27, 28, 28], id="a Saturday moves to Friday"),
        pytest.param("1,L", [1, 28, 1, 31], id="a list"),
    ],
)
def test_days_that_depend_on_the_month(day, wanted):
    start = datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert [at.day for at in islice(Quartz.parse(f"0 0 9 {day} * ?").fires(start), 4)] == wanted


@pytest.mark.parametrize(
    ("day", "wanted"),
    [
        pytest.param("6L", [27, 27, 24], id="last Friday"),
        pytest.param("MON#1", [2, 2, 6], id="first Monday"),
        pytest.param("SUN#5", [29, 31, 30], id="only months with a fifth Sunday"),
    ],
)
def test_weekdays_that_depend_on_the_month(day, wanted):
    start = datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert [at.day for at in islice(Quartz.parse(f"0 0 9 ? * {day}").fires(start), 3)] == wanted


def test_a_w_with_several_times_a_day_keeps_the_early_ones():
    fires = Quartz.parse("0 0 9,17 15W * ?").fires(datetime(2026, 2, 1, tzinfo=UTC))
    assert [(at.day, at.hour) for at in islice(fires, 4)] == [(16, 9), (16, 17), (16, 9), (16, 17)]


def test_a_time_that_the_clock_skips_does_not_fire():
    assert local("0 30 2 * * ?", "America/New_York", "2026-03-07T12:00", 2) == [
        "03-09 02:30 -0400",
        "03-10 02:30 -0400",
    ]


def test_every_hour_goes_on_after_the_clock_skips_one():
    wanted = ["03-08 01:00 -0500", "03-08 03:00 -0400", "03-08 04:00 -0400"]
    assert local("0 0 * * * ?", "America/New_York", "2026-03-08T00:30", 3) == wanted


def test_an_hour_that_comes_twice_fires_once_the_second_time():
    wanted = ["11-01 00:30 -0400", "11-01 01:30 -0500", "11-01 02:30 -0500"]
    assert local("0 30 * * * ?", "America/New_York", "2026-11-01T00:10", 3) == wanted


def test_a_gap_of_half_an_hour_skips_what_falls_into_it():
    assert local("0 15 2 * * ?", "Australia/Lord_Howe", "2026-10-03T12:00", 1) == ["10-05 02:15 +1100"]


def test_a_day_of_w_whose_hour_is_skipped_fires_when_the_gap_is_over():
    assert local("0 30 0 LW * ?", "Africa/Cairo", "2027-04-02T12:00", 1) == ["04-30 01:30 +0300"]
    assert local("0 0 9 LW * ?", "Pacific/Apia", "2011-12-03T12:00", 1) == ["12-31 09:00 +1400"]


def test_every_w_of_a_list_fires():
    assert local("0 0 12 21W,25W * ?", "UTC", "2026-02-01T00:00", 3) == [
        "02-20 12:00 +0000",
        "02-25 12:00 +0000",
        "03-20 12:00 +0000",
    ]


@pytest.mark.parametrize("zone", ["Pacific/Apia", "America/Havana", "Asia/Beirut", "Africa/Casablanca", "America/Nuuk"])
def test_fire_times_rise_through_every_change_of_the_clock(zone):
    start = int(datetime(2011, 12, 20, tzinfo=UTC).timestamp())
    times = Quartz.parse("0 */30 * * * ?").next_times(start, zone, 40_000)
    assert all(one < two for one, two in pairwise(times))


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        pytest.param("0 0 0 29 2 ? 2096", [datetime(2096, 2, 29, tzinfo=UTC)], id="a far leap year"),
        pytest.param("0 0 0 29 2 ? 2297-2299", [], id="no leap year in the range"),
        pytest.param("0 0 0 30 2 ?", [], id="30 February"),
        pytest.param("0 0 0 1 1 ? 2020", [], id="a year that is past"),
        pytest.param("0 0 0 31W 2,4,6 ?", [], id="a weekday next to a day that is not there"),
    ],
)
def test_sparse_expressions_end_without_a_scan(expression, wanted):
    begun = perf_counter()
    assert list(Quartz.parse(expression).fires(START)) == wanted
    assert perf_counter() - begun < 0.2


def test_asking_with_a_datetime_answers_in_its_zone():
    warsaw = ZoneInfo("Europe/Warsaw")
    found = Quartz.parse("0 0 12 * * ?").next_after(datetime(2026, 7, 1, 1, tzinfo=warsaw), "UTC")
    assert found is not None
    assert (found.hour, found.tzinfo) == (14, warsaw)


def test_a_datetime_between_two_seconds_does_not_skip_the_next():
    found = Quartz.parse("* * * * * ?").next_after(datetime(2026, 7, 1, 0, 0, 0, 500_000, tzinfo=UTC))
    assert found == datetime(2026, 7, 1, 0, 0, 1, tzinfo=UTC)


def test_a_datetime_without_zone_counts_as_utc():
    naive = Quartz.parse("0 0 12 * * ?").next_after(datetime(2026, 7, 1))
    assert naive == datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("after", [-(10**18), -1, 10**18])
def test_instants_out_of_the_years_give_no_error(after):
    found = Quartz.parse("0 0 0 1 1 ?").next_after(after, "Asia/Tokyo")
    assert found is None or found >= -86400


@pytest.mark.parametrize("zone", ["Nowhere/City", "", "right/UTC", "../../etc/passwd", "GMT+24", "UTC+2"])
def test_an_unknown_zone_is_an_error(zone):
    with pytest.raises(QuartzError) as caught:
        Quartz.parse("* * * * * ?").next_after(0, zone)
    assert caught.value.field == "time zone"


def test_leap_days_of_february_are_right_for_four_centuries():
    years = {datetime.fromtimestamp(at, UTC).year for at in Quartz.parse("0 0 0 29 2 ? 1970-2299").fires(0)}
    assert years == {year for year in range(1970, 2300) if monthrange(year, 2)[1] == 29}

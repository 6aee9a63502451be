"""Runs are cut at the hours of the clock; what never ran is one row."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medallion.runs.system_tables.periods import past_periods, periods


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-03-01T{text}+00:00")


@pytest.mark.parametrize(
    ("start", "end", "borders"),
    [
        pytest.param("10:05", "10:20", ["10:05", "10:20"], id="within an hour"),
        pytest.param("10:05", "12:20", ["10:05", "11:00", "12:00", "12:20"], id="over two hours"),
        pytest.param("10:00", "11:00", ["10:00", "11:00"], id="an hour exactly is not cut"),
        pytest.param("10:59:59.999", "11:00:00.001", ["10:59:59.999", "11:00", "11:00:00.001"], id="a moment over it"),
        pytest.param("10:05", "10:05", ["10:05", "10:05"], id="never ran"),
        pytest.param("10:05", "10:04", ["10:05", "10:05"], id="an end before the start"),
    ],
)
def test_a_run_is_cut_at_the_hours_of_the_clock(start: str, end: str, borders: list[str]) -> None:
    times = [at(item) for item in borders]
    assert periods(at(start), at(end)) == list(itertools.pairwise(times))


def test_of_what_goes_on_only_hours_that_are_over_count() -> None:
    assert past_periods(at("10:05"), at("10:59")) == []
    assert past_periods(at("10:05"), at("11:01")) == [(at("10:05"), at("11:00"))]


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),
    st.timedeltas(timedelta(0), timedelta(days=3)),
)
def test_periods_lie_end_to_end_and_hold_the_whole(start: datetime, length: timedelta) -> None:
    begin = start.replace(tzinfo=UTC)
    found = periods(begin, begin + length)
    assert found[0][0] == begin
    assert found[-1][1] == begin + length
    assert all(before[1] == after[0] for before, after in itertools.pairwise(found))
    assert all(end - first <= timedelta(hours=1) for first, end in found)
    assert all((end.minute, end.second, end.microsecond) == (0, 0, 0) for _, end in found[:-1])

"""Schedules as timetables: when they fire, what a pause means, what Airflow keeps of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

pytestmark = pytest.mark.airflow


@pytest.fixture
def restriction() -> Any:
    from airflow.timetables.base import TimeRestriction

    return TimeRestriction(earliest=None, latest=None, catchup=False)


def next_time(timetable: Any, restriction: Any, last: datetime | None = None) -> datetime | None:
    """The next run's logical date, after a last run at `last`."""
    from airflow.timetables.base import DataInterval
    from pendulum import instance

    interval = DataInterval.exact(instance(last)) if last else None
    info = timetable.next_dagrun_info(last_automated_data_interval=interval, restriction=restriction)
    return info.logical_date if info else None


def test_a_quartz_schedule_fires_in_its_time_zone_and_never_in_the_past(restriction: Any) -> None:
    from medallion.triggers.timetables import QuartzTimetable

    timetable = QuartzTimetable("0 0 2 * * ?", "Europe/Warsaw")
    found = next_time(timetable, restriction, datetime(2020, 1, 1, tzinfo=UTC))
    assert found is not None
    assert found > datetime.now(UTC) - timedelta(seconds=2)
    assert found.in_timezone("Europe/Warsaw").format("HH:mm:ss") == "02:00:00"


def test_the_run_after_a_run_is_the_following_fire(restriction: Any) -> None:
    from medallion.triggers.timetables import QuartzTimetable

    timetable = QuartzTimetable("0 */15 * * * ?", "UTC")
    first = next_time(timetable, restriction)
    assert first is not None
    assert next_time(timetable, restriction, first) == first + timedelta(minutes=15)


@pytest.mark.parametrize(
    ("interval", "unit", "period", "words"),
    [
        (10, "MINUTES", timedelta(minutes=10), "Every 10 minutes"),
        (1, "HOURS", timedelta(hours=1), "Every hour"),
        (2, "DAYS", timedelta(days=2), "Every 2 days"),
        (1, "WEEKS", timedelta(weeks=1), "Every week"),
    ],
    ids=["minutes", "hours", "days", "weeks"],
)
def test_a_periodic_trigger(interval: int, unit: str, period: timedelta, words: str, restriction: Any) -> None:
    from medallion.triggers.timetables import PeriodicTimetable

    timetable = PeriodicTimetable(interval, unit)
    first = next_time(timetable, restriction)
    assert first is not None
    assert timedelta(seconds=-2) < first - datetime.now(UTC) <= period
    assert next_time(timetable, restriction, first) == first + period
    assert timetable.summary == words


def test_a_paused_trigger_fires_nothing_and_says_so(restriction: Any) -> None:
    from medallion.triggers.timetables import PeriodicTimetable, QuartzTimetable, UnfiredTimetable

    for timetable in (
        QuartzTimetable("0 0 2 * * ?", "UTC", paused=True),
        PeriodicTimetable(1, "DAYS", paused=True),
        UnfiredTimetable("Paused: continuous"),
    ):
        assert next_time(timetable, restriction) is None
        assert timetable.can_be_scheduled is False
        assert timetable.summary.startswith("Paused: ")


def test_the_ui_says_a_cron_expression_in_plain_english() -> None:
    from medallion.triggers.timetables import QuartzTimetable

    text = "At 02:30, Monday to Friday (Europe/Warsaw)"
    assert QuartzTimetable("0 30 2 ? * MON-FRI", "Europe/Warsaw").description == text
    assert QuartzTimetable("0 30 2 ? * MON-FRI", "Europe/Warsaw", paused=True).description == f"Paused: {text}"
    assert QuartzTimetable("0 0 25 * * ?").description == "0 0 25 * * ? (UTC)"


def test_what_airflow_keeps_gives_the_same_timetable_back() -> None:
    from medallion.triggers.timetables import PeriodicTimetable, QuartzTimetable, UnfiredTimetable

    for timetable in (
        QuartzTimetable("0 0 9 ? * MON-FRI", "Europe/Warsaw", paused=True),
        PeriodicTimetable(3, "HOURS"),
        UnfiredTimetable("File arrival: not watched on this machine"),
    ):
        again = type(timetable).deserialize(timetable.serialize())
        assert again.summary == timetable.summary
        assert again.serialize() == timetable.serialize()


@pytest.mark.parametrize(
    ("expression", "timezone", "words"),
    [("0 0 25 * * ?", "UTC", "hour"), ("0 0 2 * * ?", "Europe/Warsav", "Europe/Warsaw")],
    ids=["hour", "time zone"],
)
def test_a_wrong_schedule_is_refused_in_words(expression: str, timezone: str, words: str) -> None:
    from airflow.exceptions import AirflowTimetableInvalid

    from medallion.triggers.timetables import QuartzTimetable

    with pytest.raises(AirflowTimetableInvalid, match=words):
        QuartzTimetable(expression, timezone).validate()


def test_a_run_by_hand_covers_its_moment() -> None:
    from pendulum import datetime as moment

    from medallion.triggers.timetables import PeriodicTimetable

    now = moment(2026, 11, 22, 12)
    assert PeriodicTimetable(1, "DAYS").infer_manual_data_interval(run_after=now).end == now

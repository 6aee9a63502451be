"""Unix cron where a person types one."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

import pytest

from medallion.spec.quartz import QuartzError, parse_schedule

START = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "quartz"),
    [
        ("*/5 * * * *", "0 */5 * * * ?"),
        ("0 9 * * 1-5", "0 0 9 ? * 2-6"),
        ("0 0 * * 5-7", "0 0 0 ? * 6-1"),
        ("0 0 * * sun", "0 0 0 ? * 1"),
        ("0 0 * * 0-7", "0 0 0 * * ?"),
        ("30 2 1,15 jan *", "0 30 2 1,15 JAN ?"),
        ("0 0 1 jan-jun/2 *", "0 0 0 1 1-6/2 ?"),
        ("0 0 * * mon-fri/2", "0 0 0 ? * 2-6/2"),
        ("@daily", "0 0 0 * * ?"),
        ("@weekly", "0 0 0 ? * 1"),
    ],
)
def test_five_fields_are_read_with_a_note(typed, quartz):
    schedule = parse_schedule(typed)
    assert schedule.note == f"read as Unix cron; in Quartz it is {quartz!r}"
    same = parse_schedule(quartz)
    assert same.note is None
    assert list(islice(schedule.quartz.fires(START), 30)) == list(islice(same.quartz.fires(START), 30))


def test_a_day_of_either_field_fires_when_both_are_given():
    fires = islice(parse_schedule("0 0 13 * 5").quartz.fires(START), 5)
    assert [at.day for at in fires] == [8, 13, 15, 22, 29]


def test_a_day_must_fit_both_fields_when_one_starts_with_a_star():
    fires = islice(parse_schedule("0 0 */2 * 1").quartz.fires(START), 2)
    assert [at.day for at in fires] == [11, 25]


@pytest.mark.parametrize("typed", ["60 * * * *", "5/2 * * * *", "10-5 * * * *", "0 0 * * 8", "0 0 L * *", "0 0 ? * 3"])
def test_what_neither_reads_is_refused(typed):
    with pytest.raises(QuartzError):
        parse_schedule(typed)

"""What each field takes and how it refuses."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medallion.spec.quartz import Quartz, QuartzError


@pytest.mark.parametrize(
    ("expression", "field", "value"),
    [
        pytest.param("61 0 0 * * ?", "seconds", "61", id="second out of bounds"),
        pytest.param("0 60 0 * * ?", "minutes", "60", id="minute out of bounds"),
        pytest.param("0 0 24 * * ?", "hours", "24", id="hour out of bounds"),
        pytest.param("0 0 0 0 * ?", "day of month", "0", id="day zero"),
        pytest.param("0 0 0 99 * ?", "day of month", "99", id="99, which Quartz reads as a star"),
        pytest.param("0 0 0 * 13 ?", "month", "13", id="month out of bounds"),
        pytest.param("0 0 0 ? * 8", "day of week", "8", id="weekday out of bounds"),
        pytest.param("0 0 0 ? * 0", "day of week", "0", id="weekday zero"),
        pytest.param("0 0 0 * * ? 1969", "year", "1969", id="before 1970"),
        pytest.param("0 0 0 * * ? 2030-2026", "year", "2030-2026", id="years do not wrap"),
        pytest.param("0 */0 0 * * ?", "minutes", "*/0", id="step zero"),
        pytest.param("0 0/60 0 * * ?", "minutes", "0/60", id="step too large"),
        pytest.param("0 0 0 1,,2 * ?", "day of month", "1,,2", id="empty list item"),
        pytest.param("0 0 0 *W * ?", "day of month", "*W", id="star W"),
        pytest.param("0 0 0 32W * ?", "day of month", "32W", id="W out of bounds"),
        pytest.param("0 0 0 0W * ?", "day of month", "0W", id="W zero"),
        pytest.param("0 0 0 L-31 * ?", "day of month", "L-31", id="L too far"),
        pytest.param("0 0 0 L- * ?", "day of month", "L-", id="L without a distance"),
        pytest.param("0 0 0 ? L ?", "month", "L", id="L in months"),
        pytest.param("0 0 L * * ?", "hours", "L", id="L in hours"),
        pytest.param("0 0 0 ? * MON#6", "day of week", "MON#6", id="sixth Monday"),
        pytest.param("0 0 0 ? * 2,6L", "day of week", "2,6L", id="L in a list of weekdays"),
        pytest.param("0 0 0 ? * 2#1,6#2", "day of week", "2#1,6#2", id="two nth weekdays"),
        pytest.param("0 0 0 ?,1 * ?", "day of month", "?,1", id="question mark in a list"),
        pytest.param("0 ? 0 * * ?", "minutes", "?", id="question mark in minutes"),
        pytest.param("0 0 0 ? * ?", "day of week", "?", id="question mark twice"),
        pytest.param("0 0 0 ? * MOX", "day of week", "MOX", id="unknown name"),
        pytest.param("0 0 0 * * * *", "day of month and day of week", "* … *", id="no question mark"),
        pytest.param("0 0 0 * *", "expression", "0 0 0 * *", id="five fields"),
        pytest.param("0 0 0 * * ? 2030 1", "expression", "0 0 0 * * ? 2030 1", id="eight fields"),
        pytest.param("", "expression", "", id="nothing"),
        pytest.param("0\n0 0 * * ? *", "seconds", "0\n0", id="a line feed parts no fields"),
        pytest.param("0\u00a00 0 * * ? *", "seconds", "0\u00a00", id="nor does a space that does not break"),
    ],
)
def test_a_refusal_names_the_field_and_the_value(expression, field, value):
    with pytest.raises(QuartzError) as caught:
        Quartz.parse(expression)
    assert (caught.value.field, caught.value.value) == (field, value)
    assert caught.value.allowed in str(caught.value)


@pytest.mark.parametrize(
    ("expression", "hint"),
    [
        pytest.param("0 0 0 ? * MONN", "MON", id="weekday"),
        pytest.param("0 0 0 1 AUGG ?", "AUG", id="month"),
        pytest.param("0 12 * * *", "0 0 12 * * ?", id="five fields"),
    ],
)
def test_a_refusal_says_what_was_meant(expression, hint):
    with pytest.raises(QuartzError) as caught:
        Quartz.parse(expression)
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("0 0 0 ? * mon-fri", "0 0 0 ? * MON-FRI", id="any case"),
        pytest.param("0 0 0 ? * MON-FRI", "0 0 0 ? * 2-6", id="names are numbers"),
        pytest.param("0 0 0 ? * MON-6", "0 0 0 ? * 2-FRI", id="a range may mix both"),
        pytest.param("0 0 0 ? * MONDAY", "0 0 0 ? * MON", id="a longer name"),
        pytest.param("0 0 0 ? * L", "0 0 0 ? * SAT", id="L alone is Saturday"),
        pytest.param("0 0 0 1 1,2,11,12 ?", "0 0 0 1 NOV-FEB ?", id="a range wraps"),
        pytest.param("0 50,55,0,5 * * * ?", "0 50-5/5 * * * ?", id="a range with a step wraps"),
        pytest.param("0 0 0 ? JAN-JUN/3 MON", "0 0 0 ? JAN-JUN MON", id="a step behind a range of names is ignored"),
        pytest.param("0 0 0 ? * mon/2", "0 0 0 ? * MON", id="a step behind a name is ignored"),
        pytest.param("0 /15 * * * ?", "0 0,15,30,45 * * * ?", id="a step alone"),
        pytest.param("0  0\t0 * * ? ", "0 0 0 * * ? *", id="white space"),
        pytest.param("\n0 0 0 * * ?\r\n", "0 0 0 * * ?", id="lines around it"),
        pytest.param("0 5-10/60 * * * ?", "0 5 * * * ?", id="a step longer than its range"),
    ],
)
def test_two_spellings_fire_alike(one, other):
    assert Quartz.parse(one).next_times(1774672630, "UTC", 40) == Quartz.parse(other).next_times(1774672630, "UTC", 40)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(QuartzError):
        Quartz.parse(text)


@given(st.lists(st.text("0123456789LW#,-*/?MONFRISAT", max_size=8), min_size=6, max_size=7))
def test_any_fields_are_read_or_refused(words):
    try:
        quartz = Quartz.parse(" ".join(words))
    except QuartzError:
        return
    assert quartz.describe()
    assert all(later > 1774672630 for later in quartz.next_times(1774672630, "Europe/Warsaw", 2))


@pytest.mark.parametrize(
    ("expression", "note"),
    [
        ("0 0 0 ? * 2,Mon-Fri/2", "MON-FRI/2 is MON-FRI"),
        ("0 0 0 1 JAN/3 ?", "JAN/3 is JAN"),
        ("0 0/5 0 ? * MON-FRI", None),
        ("0 0 0 ? * 2-6/2", None),
    ],
)
def test_a_step_that_quartz_ignores_is_noted(expression, note):
    found = Quartz.parse(expression).note
    assert (found is None) if note is None else (note in found)


def test_equal_expressions_are_equal():
    assert Quartz.parse("0 0 0 ? * mon") == Quartz.parse("0  0 0 ? * MON *")
    assert len({Quartz.parse("0 0 0 ? * mon"), Quartz.parse("0 0 0 ? * MON")}) == 1

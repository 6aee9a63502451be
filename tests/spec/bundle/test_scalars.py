from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medallion.spec.bundle.scalars import ScalarError, resolve_tag, scalar_value

CASES = [
    ("no", "no"),
    ("yes", "yes"),
    ("on", "on"),
    ("off", "off"),
    ("y", "y"),
    ("True", True),
    ("FALSE", False),
    ("tRue", "tRue"),
    ("~", None),
    ("", None),
    ("Null", None),
    ("nULL", "nULL"),
    ("12:30", "12:30"),
    ("1:30:59", "1:30:59"),
    ("010", 10),
    ("-010", -10),
    ("0", 0),
    ("00", 0),
    ("0x10", 16),
    ("0X1f", 31),
    ("-0x10", -16),
    ("0o17", 15),
    ("0b101", 5),
    ("1_000", 1000),
    ("+12", 12),
    ("09", 9.0),
    ("1e3", 1000.0),
    ("1.50", 1.5),
    (".5", 0.5),
    ("5.", 5.0),
    ("-.5e-1", -0.05),
    ("1e400", "1e400"),
    (".inf", math.inf),
    ("-.Inf", -math.inf),
    ("+.INF", math.inf),
    ("inf", "inf"),
    ("Infinity", "Infinity"),
    ("nan", "nan"),
    ("2026-11-22", "2026-11-22"),
    ("2026-1-2", "2026-1-2"),
    ("2026-02-30", "2026-02-30"),
    ("2026-11-22T10:20:30Z", "2026-11-22T10:20:30Z"),
    ("2026-11-22 10:20:30.5", "2026-11-22 10:20:30.5"),
    ("9223372036854775807", 2**63 - 1),
    ("99999999999999999999", 1e20),
    ("0.1.2", "0.1.2"),
    ("15.4.x-scala2.12", "15.4.x-scala2.12"),
    ("1 2", "1 2"),
    ("-", "-"),
    ("+", "+"),
    (".", "."),
]


@pytest.mark.parametrize(("text", "value"), [pytest.param(*case, id=repr(case[0])) for case in CASES])
def test_plain_scalars_read_as_the_cli_reads_them(text: str, value: object) -> None:
    found = scalar_value(text, resolve_tag(text))
    assert found == value
    assert isinstance(found, str) if isinstance(value, str) else type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("2026-11-22", "timestamp"),
        ("2026-13-01", "str"),
        ("2026-11-22T25:00:00Z", "str"),
        ("2026-11-22T10:00:00", "str"),
        ("18446744073709551615", "int"),
        (".nan", "float"),
    ],
)
def test_tags(text: str, tag: str) -> None:
    assert resolve_tag(text) == tag


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("18446744073709551615", "int"),
        ("1__0", "int"),
        ("yes", "bool"),
        ("abc", "float"),
        ("today", "timestamp"),
        ("AA==", "binary"),
        ("x", "!own"),
    ],
)
def test_a_text_that_does_not_fit_its_tag_is_refused(text: str, tag: str) -> None:
    with pytest.raises(ScalarError):
        scalar_value(text, tag)


@given(st.text(alphabet="0123456789+-._eExXoObBaAfF:TtZ ", max_size=40))
def test_any_text_of_digits_and_signs_has_a_value_or_is_refused(text: str) -> None:
    try:
        scalar_value(text, resolve_tag(text))
    except ScalarError:
        assert resolve_tag(text) in {"int", "float"}

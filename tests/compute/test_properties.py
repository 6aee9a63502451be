"""Settings as a properties file read as they were, by Java's own rules."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medallion.compute.properties import properties_text

ESCAPE = re.compile(r"(?:\\u[0-9a-f]{4})+")


def read(text: str) -> dict[str, str]:
    """The text as `java.util.Properties` reads it, where it holds no other escapes."""

    def units(found: re.Match[str]) -> str:
        return bytes.fromhex(found[0].replace("\\u", "")).decode("utf-16-be", "surrogatepass")

    pairs = (line.split("=", 1) for line in text.splitlines())
    return {ESCAPE.sub(units, name): ESCAPE.sub(units, value) for name, value in pairs}


@pytest.mark.parametrize(
    "value",
    [
        "plain",
        "a=b:c",
        " at both ends ",
        "C:\\x",
        "two\nlines",
        "Zażółć 🎉",
        "#!",
        "",
        "-Da=1 '-Db=2 3'",
        "^(/\\.\\.)+$",
    ],
)
def test_a_value_is_read_as_it_was(value: str) -> None:
    text = properties_text({"spark.a.b": value, "spark.of(it)=x": "1"})
    assert text.isascii()
    assert read(text) == {"spark.a.b": value, "spark.of(it)=x": "1"}


@given(st.dictionaries(st.text(min_size=1), st.text()))
def test_any_settings_are_read_as_they_were(conf: dict[str, str]) -> None:
    assert read(properties_text(conf)) == conf

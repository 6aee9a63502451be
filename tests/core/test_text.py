"""Text that no store, page or terminal holds becomes text that all of them do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medallion.core.text import for_terminal, storable, storable_json

ANY = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Zażółć 🎉\t\r\n", "Zażółć 🎉\t\r\n", id="any language stays"),
        pytest.param("caf\udce9.csv", "caf\\udce9.csv", id="a file name in another encoding"),
        pytest.param("\ud83d\ude00"[:1], "\\ud83d", id="half an emoji"),
        pytest.param("a\0b", "a\\x00b", id="NUL"),
        pytest.param("\x1b[31m", "\x1b[31m", id="colours stay in files"),
    ],
)
def test_what_no_store_holds_is_escaped(text: str, expected: str) -> None:
    assert storable(text) == expected


@given(ANY)
def test_any_text_can_be_stored_and_is_stored_once(text: str) -> None:
    found = storable(text)
    assert found.encode("utf-8").decode("utf-8") == found
    assert "\0" not in found
    assert storable(found) == found


@given(st.recursive(ANY, lambda inner: st.lists(inner) | st.dictionaries(ANY, inner), max_leaves=5))
def test_any_value_can_be_stored(value: Any) -> None:
    json.dumps(storable_json(value), ensure_ascii=False).encode("utf-8")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("two\n\tlines", "two\n\tlines", id="newlines and tabs stay"),
        pytest.param("\x1b]0;title\x07\x1b[2J", "\\x1b]0;title\\x07\\x1b[2J", id="escape sequences"),
        pytest.param("\x1b[1;31mred\x1b[0m", "red", id="colours go"),
        pytest.param("good\rbad", "good\\x0dbad", id="carriage return"),
        pytest.param("a\x9bb\x7f", "a\\x9bb\\x7f", id="8-bit controls"),
        pytest.param("a\u202eb", "a\\u202eb", id="the other direction"),
        pytest.param("\udcff", "\\udcff", id="no UTF-8"),
    ],
)
def test_a_terminal_gets_nothing_to_obey(text: str, expected: str) -> None:
    assert for_terminal(text) == expected

"""Values pass a JSON column that changes what it can."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medallion.core.stored import pack, unpack

TEXTS = st.text(st.characters(exclude_categories=()))
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=10,
)


@given(VALUES)
def test_what_was_packed_is_text_that_any_column_keeps_and_comes_back(value: Any) -> None:
    stored = pack(value)
    texts = [stored] if isinstance(stored, str) else [*stored, *stored.values()]
    assert all("\0" not in text and text.encode("utf-8") for text in texts if text)
    assert json.dumps(unpack(json.loads(json.dumps(stored)))) == json.dumps(value)


@pytest.mark.parametrize("value", [12, 1.5, "text", None, True, [1], {"a": 1}, {"lakeflow_json": 5}, {}], ids=repr)
def test_what_an_earlier_version_stored_is_read_as_it_is(value: object) -> None:
    assert unpack(value) == value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [-float("inf")]], ids=repr)
def test_what_json_lacks_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="JSON"):
        pack(value)

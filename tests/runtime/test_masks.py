"""Secrets leave no text and no JSON document in clear, and break none."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from medallion.runtime.masks import REDACTED, Masks


@pytest.mark.parametrize("secret", ["hunter2", "a/b c&d", "with 'both' \"quotes\"", "pässword", "back\\slash"])
@pytest.mark.parametrize("spell", [str, repr, json.dumps, quote], ids=["plain", "python", "json", "url"])
def test_a_secret_is_masked_in_every_spelling(secret: str, spell: Any) -> None:
    text = f"x {spell(secret)} y"
    masked = Masks([secret]).apply(text)
    assert REDACTED in masked
    assert secret not in masked
    assert spell(secret).strip("'\"") not in masked


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        pytest.param({"a": ["x 5432"]}, {"a": [f"x {REDACTED}"]}, id="text"),
        pytest.param({"5432": 1}, {REDACTED: 1}, id="name"),
        pytest.param([5432, 15432, 0.5432, True, None], [REDACTED, 15432, 0.5432, True, None], id="numbers"),
        pytest.param({"image/png": "aa5432"}, {"image/png": "aa5432"}, id="image"),
        pytest.param({"image/svg+xml": "a 5432"}, {"image/svg+xml": f"a {REDACTED}"}, id="drawing"),
        pytest.param({"success": "5432"}, {"success": REDACTED}, id="word of the format"),
    ],
)
def test_a_document_stays_one(value: Any, masked: Any) -> None:
    assert Masks(["5432", "success"]).document(value) == masked


def test_a_secret_like_a_number_does_not_break_a_record() -> None:
    text = json.dumps({"seconds": {"start": 0.5432}, "exit_value": "at 5432"})
    assert json.loads(Masks(["5432"]).in_json(text)) == {"seconds": {"start": 0.5432}, "exit_value": f"at {REDACTED}"}

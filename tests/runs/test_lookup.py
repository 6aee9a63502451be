"""Texts that no run can have as its id, and limits that are none: refused before any database is asked."""

from __future__ import annotations

from typing import Any

import pytest

from medallion.runs.lookup import RunIdError, find_run

NO_SESSION: Any = None


@pytest.mark.parametrize(
    "run", ["²", "٣", "9" * 5000, "x" * 251, ""], ids=["superscript", "digit", "digits", "long", "empty"]
)
def test_a_text_that_is_no_runs_id_is_refused(run: str) -> None:
    with pytest.raises(RunIdError, match="is no run's id") as raised:
        find_run(NO_SESSION, run)
    assert len(str(raised.value)) < 120


@pytest.mark.airflow
@pytest.mark.parametrize("limit", [-1, 0])
def test_the_interface_answers_400(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    from fastapi import HTTPException

    from medallion.web import control

    monkeypatch.setattr(control, "readable", lambda _user: {"d"})
    with pytest.raises(HTTPException) as raised:
        control.listed(NO_SESSION, NO_SESSION, limit=limit)
    assert raised.value.status_code == 400
    with pytest.raises(HTTPException) as raised:
        control.find("²", NO_SESSION, NO_SESSION)
    assert raised.value.status_code == 400


@pytest.mark.airflow
def test_only_airflows_own_pages_may_hold_ours() -> None:
    from medallion.web.page import POLICY

    words = POLICY["Content-Security-Policy"].split("; ")
    assert {"form-action 'self'", "frame-ancestors 'self'", "default-src 'none'"} <= set(words)

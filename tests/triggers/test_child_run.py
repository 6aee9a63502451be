"""The wait for a child run ends when its time is over, by a clock that nobody sets."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from medallion.core import moments
from medallion.core.moments import Moment
from medallion.runs.requests import CancelRequest, requests_of
from medallion.triggers import child_run
from medallion.triggers.child_run import TIMED_OUT, ChildRunTrigger


async def first(trigger: ChildRunTrigger) -> dict[str, Any]:
    async for event in trigger.run():
        return dict(event.payload)
    raise AssertionError("it ended without an event")


@pytest.mark.parametrize("step", [-3600.0, 3600.0])
def test_a_step_of_the_clock_ends_no_wait_early_and_keeps_none_for_ever(
    monkeypatch: pytest.MonkeyPatch, step: float
) -> None:
    offset, looks = [0.0], []
    real = time.time
    monkeypatch.setattr(moments.time, "time", lambda: real() + offset[0])
    monkeypatch.setattr(child_run, "POLL_SECONDS", 0.01)

    def state(*_: str) -> str:
        looks.append(1)
        offset[0] = step
        return "running"

    monkeypatch.setattr(child_run, "child_state", state)
    trigger = ChildRunTrigger("d", "r", limit=0.5, begun=Moment.now().to_json())
    begun = time.monotonic()
    assert asyncio.run(asyncio.wait_for(first(trigger), 30))["state"] == TIMED_OUT
    assert time.monotonic() - begun >= 0.4
    assert len(looks) > 1


def test_the_wait_is_kept_as_it_is_and_that_of_an_older_version_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = Moment.now().to_json()
    _, facts = ChildRunTrigger("d", "r", limit=60, begun=begun).serialize()
    kept = {"dag_id": "d", "run_id": "r", "limit": 60, "begun": begun, "home": None, "who": ""}
    assert ChildRunTrigger(**facts).serialize()[1] == kept
    monkeypatch.setattr(child_run, "child_state", lambda *_: "running")
    older = ChildRunTrigger(dag_id="d", run_id="r", until=time.time() - 1)
    assert asyncio.run(asyncio.wait_for(first(older), 30))["state"] == TIMED_OUT
    monkeypatch.setattr(child_run, "child_state", lambda *_: "success")
    assert asyncio.run(first(ChildRunTrigger("d", "r")))["state"] == "success"


def test_the_end_of_a_child_whose_time_is_over_is_asked_for_without_the_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_run, "child_state", lambda *_: "running")
    begun = Moment.now().to_json()
    trigger = ChildRunTrigger("d", "r", limit=0, begun=begun, home=str(tmp_path), who="task calls")
    assert asyncio.run(asyncio.wait_for(first(trigger), 30))["state"] == TIMED_OUT
    assert [request for _, request in requests_of(tmp_path, "d", "r")] == [CancelRequest("task calls")]
    (tmp_path / "file").write_text("no folder")
    trigger = ChildRunTrigger("d", "r", limit=0, begun=begun, home=str(tmp_path / "file"), who="task calls")
    assert asyncio.run(asyncio.wait_for(first(trigger), 30))["state"] == TIMED_OUT


def test_a_child_that_ends_in_time_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_run, "child_state", lambda *_: "success")
    trigger = ChildRunTrigger("d", "r", limit=60, begun=Moment.now().to_json(), home=str(tmp_path), who="task calls")
    assert asyncio.run(asyncio.wait_for(first(trigger), 30))["state"] == "success"
    assert list(requests_of(tmp_path, "d", "r")) == []

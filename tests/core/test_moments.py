"""Time that has passed, whatever the wall clock says meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from medallion.core import moments
from medallion.core.moments import Moment


class Clocks:
    """The two clocks, set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall, self.up = 1_800_000_000.0, 5_000.0
        monkeypatch.setattr(moments.time, "time", lambda: self.wall)
        monkeypatch.setattr(moments, "uptime", lambda: self.up)
        monkeypatch.setattr(moments, "boot", lambda: "this start")

    def wait(self, seconds: float, *, step: float = 0.0) -> None:
        self.up += seconds
        self.wall += seconds + step


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    return Clocks(monkeypatch)


@pytest.mark.parametrize("step", [-3600.0, -3.0, 0.0, 3.0, 3600.0])
def test_a_step_of_the_clock_makes_nothing_older_or_younger(clocks: Clocks, step: float) -> None:
    moment = Moment.now()
    clocks.wait(10, step=step)
    assert moment.age() == 10
    told = Moment.read(moment.to_json())
    assert told is not None
    assert told.age() == 10


def test_another_machines_moment_is_told_by_the_wall_clock(clocks: Clocks) -> None:
    moment = replace(Moment.now(), boot="another start", up=9.0)
    clocks.wait(10)
    assert moment.age() == 10
    clocks.wait(0, step=-60)
    assert moment.age() == 0


@pytest.mark.parametrize("value", [None, True, "x", [1]])
def test_what_is_no_moment_is_none(value: object) -> None:
    assert Moment.read(value) is None


def test_older_versions_wrote_seconds(clocks: Clocks) -> None:
    moment = Moment.read(clocks.wall - 7)
    assert moment is not None
    assert moment.age() == 7

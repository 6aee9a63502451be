"""When the scheduler looks again: at once when something was written, in time for what is planned, else seldom."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path

import pytest

from medallion.components import airflow_component, idle_pause
from medallion.components.idle_pause import GLANCE_SECONDS, LONGEST_SECONDS, IdlePause, seconds_until_due

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
AIRFLOWS = 0.1
"""How long Airflow itself would sleep."""


class World:
    """A clock that only sleeping moves, and a database that is written at given times."""

    def __init__(self, folder: Path, writes: list[float], due: float = inf) -> None:
        self.database = folder / "airflow.db"
        self.now, self.writes, self.due = NOW.timestamp(), writes, due
        self.write(self.database, self.now - 100)
        self.pause = IdlePause(self.database, lambda: self.due, sleep=self.sleep, clock=lambda: self.now)

    def write(self, file: Path, when: float) -> None:
        """A write that leaves the file's size as it was."""
        file.write_bytes(b"page")
        os.utime(file, (when, when))

    def sleep(self, seconds: float) -> None:
        """Time goes on, and others write."""
        self.now += seconds
        while self.writes and self.writes[0] <= self.now - NOW.timestamp():
            self.write(self.database.with_name("airflow.db-wal"), NOW.timestamp() + self.writes.pop(0))

    def pauses(self, count: int) -> list[float]:
        """How long each of the next pauses is; a look takes no time."""
        found = []
        for _ in range(count):
            before = self.now
            self.pause(AIRFLOWS)
            found.append(self.now - before)
        return found


def test_nothing_happens(tmp_path: Path) -> None:
    first, *others = World(tmp_path, []).pauses(4)
    assert first == pytest.approx(AIRFLOWS), "what was written before the first look is not known"
    assert others == pytest.approx([LONGEST_SECONDS] * 3)


def test_a_write_ends_the_pause(tmp_path: Path) -> None:
    found = World(tmp_path, [0.5]).pauses(4)
    assert found[0] + found[1] == pytest.approx(0.5, abs=GLANCE_SECONDS)
    assert found[2] == pytest.approx(AIRFLOWS), "a second write may have left the same time of change"
    assert found[3] == pytest.approx(LONGEST_SECONDS)


def test_a_write_during_a_look_is_followed_by_another_look(tmp_path: Path) -> None:
    world = World(tmp_path, [])
    world.pauses(2)
    world.write(world.database, world.now + 0.01)  # the scheduler itself, or somebody after the look
    world.now += 0.05
    assert world.pauses(2) == pytest.approx([AIRFLOWS, LONGEST_SECONDS])


@pytest.mark.parametrize(
    ("due", "pause"),
    [
        pytest.param(0.0, AIRFLOWS, id="a run goes on or is due"),
        pytest.param(0.05, AIRFLOWS, id="due within Airflow's own pause"),
        pytest.param(0.7, 0.7, id="due soon"),
        pytest.param(3600.0, LONGEST_SECONDS, id="due later"),
    ],
)
def test_the_pause_ends_in_time_for_what_is_due(tmp_path: Path, due: float, pause: float) -> None:
    assert World(tmp_path, [], due).pauses(2)[1] == pytest.approx(pause)


def test_a_clock_that_is_set_back_holds_nobody_up(tmp_path: Path) -> None:
    world = World(tmp_path, [])
    world.pauses(2)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        world.now -= 3600 if len(slept) == 1 else -seconds

    world.pause.pause = sleep
    world.pause(AIRFLOWS)
    assert sum(slept) <= LONGEST_SECONDS + 2 * GLANCE_SECONDS


@pytest.mark.airflow
@pytest.mark.parametrize(
    ("runs", "dags", "seconds"),
    [
        pytest.param([], [], inf, id="nothing"),
        pytest.param(["success", "failed"], [(60, {})], 60.0, id="the next"),
        pytest.param(["running"], [(60, {})], 0.0, id="a run goes on"),
        pytest.param(["queued"], [(60, {})], 0.0, id="a run waits"),
        pytest.param([], [(-5, {}), (60, {})], 0.0, id="late"),
        pytest.param([], [(90, {}), (30, {}), (None, {})], 30.0, id="the first of several"),
        pytest.param(
            [],
            [(5, {"is_paused": True}), (6, {"is_stale": True}), (7, {"has_import_errors": True}), (40, {})],
            40.0,
            id="what Airflow does not start",
        ),
    ],
)
def test_what_is_due(runs: list[str], dags: list[tuple[int | None, dict[str, bool]]], seconds: float) -> None:
    from airflow.models.dag import DagModel
    from airflow.models.dagrun import DagRun
    from sqlalchemy import create_engine, insert
    from sqlalchemy.orm import Session

    engine = create_engine("sqlite://")
    for table in (DagModel.__table__, DagRun.__table__):
        table.create(engine)
    needed = {
        "bundle_name": "jobs",
        "max_active_tasks": 1,
        "max_consecutive_failed_dag_runs": 0,
        "has_task_concurrency_limits": False,
    }
    state = {"is_paused": False, "is_stale": False, "has_import_errors": False}
    with Session(engine) as session:
        for number, run in enumerate(runs):
            known = {"run_id": f"r{number}", "run_type": "manual", "run_after": NOW, "log_template_id": None}
            session.execute(insert(DagRun.__table__), [{"dag_id": "d", "state": run, **known}])
        for number, (after, given) in enumerate(dags):
            planned = None if after is None else NOW + timedelta(seconds=after)
            values = {"dag_id": f"d{number}", "next_dagrun_create_after": planned, **needed, **state, **given}
            session.execute(insert(DagModel.__table__), [values])
        assert seconds_until_due(session, NOW) == seconds


@pytest.mark.airflow
def test_airflows_loop_sleeps_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow has no hook there: its module's only use of `time` is the pause between looks."""
    from airflow.jobs import scheduler_job_runner as loop

    source = Path(loop.__file__).read_text(encoding="utf-8")
    assert source.count("time.sleep(") == 1
    monkeypatch.setattr(loop, "time", loop.time)
    idle_pause.install()
    assert isinstance(loop.time.sleep, IdlePause)


@pytest.mark.airflow
@pytest.mark.parametrize(
    ("component", "steps"), [("scheduler", ["installed", "started"]), ("triggerer", ["started"])], ids=str
)
def test_the_scheduler_gets_it_before_it_starts(
    monkeypatch: pytest.MonkeyPatch, component: str, steps: list[str]
) -> None:
    from airflow import __main__ as airflow
    from airflow.utils import serve_logs

    done: list[str] = []
    monkeypatch.setattr(serve_logs, "serve_logs", serve_logs.serve_logs)
    monkeypatch.setattr(idle_pause, "install", lambda: done.append("installed"))
    monkeypatch.setattr(airflow, "main", lambda: done.append("started"))
    monkeypatch.setattr(sys, "argv", ["component", component])
    airflow_component.main()
    assert done == steps

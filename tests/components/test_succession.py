"""Whose records end when a component of `medallion up` starts."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import pytest

from medallion.components import succession
from medallion.core.environment import OWNER

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.airflow
def test_what_is_said_to_run_ends_and_all_else_stays() -> None:
    from airflow.jobs.job import Job
    from sqlalchemy import create_engine, insert, select
    from sqlalchemy.orm import Session

    engine = create_engine("sqlite://")
    Job.__table__.create(engine)
    kinds = ["SchedulerJob", "SchedulerJob", "SchedulerJob", "TriggererJob"]
    states = ["running", "success", "running", "running"]
    with Session(engine) as session:
        records = [
            {"id": number, "job_type": kind, "state": state, "latest_heartbeat": NOW}
            for number, (kind, state) in enumerate(zip(kinds, states, strict=True))
        ]
        session.execute(insert(Job), records)
        assert succession.end_records(session, "SchedulerJob") == 2
        found = session.execute(select(Job.state, Job.end_date).order_by(Job.id)).all()
    assert [row.state for row in found] == ["failed", "success", "failed", "running"]
    assert [row.end_date is not None for row in found] == [True, False, True, False]


class Job:
    """Stands for Airflow's record of a component."""


class TaskRunnerMarker:
    """What Airflow names when a task starts, in a fork of the scheduler."""


@pytest.mark.parametrize(
    ("command", "owner", "component"),
    [
        pytest.param("scheduler", None, Job(), id="started by others"),
        pytest.param("api-server", "/home", Job(), id="has no record"),
        pytest.param("scheduler", "/home", TaskRunnerMarker(), id="a task"),
    ],
)
def test_other_starts_and_other_processes_end_nothing(
    monkeypatch: pytest.MonkeyPatch, command: str, owner: str | None, component: object
) -> None:
    asked: list[str] = []

    def end(_session: object, kind: str) -> int:
        asked.append(kind)
        return 1

    monkeypatch.setattr(succession, "end_records", end)
    monkeypatch.setattr(sys, "argv", ["airflow", command])
    monkeypatch.delenv(OWNER, raising=False)
    if owner is not None:
        monkeypatch.setenv(OWNER, owner)
    succession.on_starting(component)
    assert asked == []

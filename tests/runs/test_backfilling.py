"""Which dates a backfill has, and what it starts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from desk import Desk

from medallion.errors import RunError
from medallion.runs.backfilling import BackfillRequest, dates, read_every, read_moment
from medallion.spec.job import Job

WEEKDAYS = {"schedule": {"quartz_cron_expression": "0 0 6 ? * MON-FRI", "timezone_id": "Europe/Berlin"}}


def moments(job: dict[str, Any], first: str, last: str, every: str | None = None) -> list[str]:
    step = read_every(every) if every else None
    request = BackfillRequest("job", read_moment(first), read_moment(last), step)
    return [f"{moment:%m-%dT%H:%M}" for moment in dates(Job.model_validate(job), request)]


@pytest.mark.parametrize(
    ("job", "first", "last", "every", "expected"),
    [
        pytest.param(
            {}, "2026-01-01", "2026-01-03", "1 DAYS", ["01-01T00:00", "01-02T00:00", "01-03T00:00"], id="days"
        ),
        pytest.param({}, "2026-01-01", "2026-01-01T23:00", "12 hour", ["01-01T00:00", "01-01T12:00"], id="hours"),
        pytest.param({}, "2026-01-01", "2026-01-01", "1 WEEKS", ["01-01T00:00"], id="one date"),
        pytest.param({}, "2026-01-01T01:00+01:00", "2026-01-01", "1 DAYS", ["01-01T00:00"], id="a zone"),
        pytest.param(WEEKDAYS, "2026-03-27", "2026-03-30T05:00", None, ["03-27T05:00", "03-30T04:00"], id="schedule"),
        pytest.param(
            {"schedule": {**WEEKDAYS["schedule"], "pause_status": "PAUSED"}},
            "2026-03-30",
            "2026-03-30T04:00",
            None,
            ["03-30T04:00"],
            id="a paused schedule, its last fire included",
        ),
        pytest.param(
            {"trigger": {"periodic": {"interval": 6, "unit": "HOURS"}}},
            "2026-01-01T00:00",
            "2026-01-01T13:00",
            None,
            ["01-01T00:00", "01-01T06:00", "01-01T12:00"],
            id="periodic",
        ),
    ],
)
def test_the_dates(job: dict[str, Any], first: str, last: str, every: str | None, expected: list[str]) -> None:
    assert moments(job, first, last, every) == expected


@pytest.mark.parametrize(
    ("job", "first", "last", "every", "words"),
    [
        pytest.param({}, "2026-01-02", "2026-01-01", "1 DAYS", "begins later", id="the wrong way round"),
        pytest.param({}, "2026-01-01", "2026-01-02", None, "no schedule", id="no schedule"),
        pytest.param({"continuous": {}}, "2026-01-01", "2026-01-02", None, "no schedule", id="continuous"),
        pytest.param({}, "2026-01-01", "2026-12-31", "1 DAYS", "more than 100", id="too many"),
        pytest.param(WEEKDAYS, "2026-03-28", "2026-03-29", None, "no date of the schedule", id="none"),
        pytest.param({}, "yesterday", "2026-01-01", "1 DAYS", "'yesterday' is no date", id="no date"),
        pytest.param({}, "2026-01-01", "2026-01-01", "1 DAYZ", "DAYS", id="a slip"),
        pytest.param({}, "2026-01-01", "2026-01-01", "0 DAYS", "no interval", id="no time between"),
    ],
)
def test_what_is_no_range(job: dict[str, Any], first: str, last: str, every: str | None, words: str) -> None:
    with pytest.raises(RunError, match=words):
        moments(job, first, last, every)


@pytest.mark.airflow
def test_runs_over_the_backfill_s_own_limit_are_let_go_as_others_end(
    airflow_database: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from airflow.utils.session import create_session

    from medallion.runs.backfilling import start_backfill
    from medallion.runs.queueing import keep_queue

    desk = Desk(tmp_path_factory.mktemp("desk"))
    dag_id = desk.put("filled_two_at_a_time", max_concurrent_runs=10, queue={"enabled": False})
    first = datetime(2026, 1, 1, tzinfo=UTC)
    request = BackfillRequest(dag_id, first, first + timedelta(days=4), timedelta(days=1), {"x": "1"}, 2, "somebody")
    runs = start_backfill(desk.settings, Job.model_validate({}), request)
    assert [run.conf["backfill_time"] for run in desk.runs(dag_id)] == [
        (first + timedelta(days=day)).isoformat() for day in range(5)
    ]
    for done in range(5):
        with create_session() as session:
            keep_queue(session, desk.settings, datetime.now(UTC))
        desk.start_waiting()
        states = desk.states(dag_id)
        assert states == ["success"] * done + ["running"] * min(2, 5 - done) + ["queued"] * max(3 - done, 0)
        desk.end(dag_id, runs[done].airflow_run_id)

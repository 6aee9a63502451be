"""Continuous jobs: always one run, later after failures. Airflow's database and scheduler in this process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from desk import Desk

from medallion.runs.rules import at_once

pytestmark = pytest.mark.airflow


@pytest.fixture(scope="module")
def desk(airflow_database: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    desk = Desk(tmp_path_factory.mktemp("desk"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(desk.project)
        yield desk


@pytest.fixture(autouse=True)
def _project(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDALLION_PROJECT", str(desk.project))


def latest(desk: Desk, dag_id: str) -> Any:
    return desk.runs(dag_id)[-1]


def wait_of(desk: Desk, dag_id: str) -> float:
    """Seconds from the end of the last run to the next one."""
    due = desk.model(dag_id).next_dagrun_create_after
    return round((due - latest(desk, dag_id).end_date).total_seconds(), 1)


def next_run(desk: Desk, dag_id: str) -> Any:
    """Let the next run begin, however long it should wait."""
    desk.create_due(dag_id)
    desk.start_waiting()
    return latest(desk, dag_id)


def test_a_continuous_job_has_one_run_and_the_next_at_once(desk: Desk) -> None:
    dag_id = desk.put("stream", continuous={"pause_status": "UNPAUSED"}, max_concurrent_runs=7)
    model = desk.model(dag_id)
    assert model.max_active_runs == 1
    assert model.next_dagrun_create_after <= datetime.now(UTC)
    assert model.timetable_summary == "Continuous"
    first = next_run(desk, dag_id)
    assert desk.model(dag_id).exceeds_max_non_backfill
    next_run(desk, dag_id)
    assert desk.states(dag_id) == ["running"]
    desk.end(dag_id, first.run_id)
    assert not desk.model(dag_id).exceeds_max_non_backfill
    assert wait_of(desk, dag_id) <= 0.2
    second = next_run(desk, dag_id)
    assert desk.states(dag_id) == ["success", "running"]
    assert abs(second.logical_date - datetime.now(UTC)) < timedelta(seconds=20)
    assert second.logical_date > first.logical_date
    desk.end(dag_id, second.run_id)


def test_failures_in_a_row_make_the_wait_longer_and_a_success_ends_the_row(desk: Desk) -> None:
    dag_id = desk.put("shaky", continuous={})
    waits = []
    for state in ("failed", "failed", "failed", "success", "failed"):
        run = next_run(desk, dag_id)
        desk.end(dag_id, run.run_id, state)
        waits.append(wait_of(desk, dag_id))
    assert waits == pytest.approx([2, 4, 8, 0, 2], abs=1.1)


def test_the_wait_doubles_up_to_ten_minutes() -> None:
    from medallion.triggers.continuous import delay

    told = [delay(number).total_seconds() for number in range(20)]
    assert told[:6] == [0, 2, 4, 8, 16, 32]
    assert told[9:11] == [512, 600]
    assert max(told) == told[-1] == 600


def test_a_cancelled_run_is_no_failure(desk: Desk) -> None:
    from medallion.runs.notes import note

    dag_id = desk.put("stopped", continuous={})
    for canceled in (False, True, False):
        run = next_run(desk, dag_id)
        if canceled:
            note(desk.settings.home, dag_id, run.run_id, canceled={"who": "somebody", "when": ""})
        desk.end(dag_id, run.run_id, "failed")
        wait = wait_of(desk, dag_id)
        assert wait <= 0.3 if canceled else wait >= 1.7
    assert wait == pytest.approx(4, abs=0.3)


def test_a_paused_job_starts_nothing_and_a_resumed_one_at_once(desk: Desk) -> None:
    dag_id = desk.put("pausing", continuous={"pause_status": "PAUSED"})
    model = desk.model(dag_id)
    assert model.next_dagrun_create_after is None
    assert model.timetable_summary == "Paused: Continuous"
    desk.put("pausing", continuous={"pause_status": "UNPAUSED"})
    assert desk.model(dag_id).next_dagrun_create_after <= datetime.now(UTC)
    run = next_run(desk, dag_id)
    desk.put("pausing", continuous={"pause_status": "PAUSED"})
    assert desk.states(dag_id) == ["running"]
    desk.end(dag_id, run.run_id)
    assert desk.model(dag_id).next_dagrun_create_after is None


@pytest.mark.parametrize(
    "trigger",
    [
        pytest.param({"continuous": {}}, id="continuous"),
        pytest.param({"schedule": {"quartz_cron_expression": "* * * * * ?", "timezone_id": "UTC"}}, id="schedule"),
    ],
)
def test_a_run_that_was_planned_before_the_pause_does_not_start(desk: Desk, trigger: dict[str, Any]) -> None:
    ((kind, block),) = trigger.items()
    dag_id = desk.put(f"late_pause_{kind}", **trigger)
    desk.plan(dag_id, datetime.now(UTC))
    desk.end(dag_id, next_run(desk, dag_id).run_id)
    planned = datetime.now(UTC)
    desk.put(dag_id, **{kind: {**block, "pause_status": "PAUSED"}})
    assert desk.model(dag_id).next_dagrun_create_after is None
    # The scheduler writes what it planned with the definition from before.
    desk.plan(dag_id, planned)
    desk.create_due(dag_id)
    assert desk.states(dag_id) == ["success"]
    assert desk.model(dag_id).next_dagrun_create_after is None


def test_trap_19_run_now_takes_the_place_of_the_active_run(desk: Desk) -> None:
    from medallion.runs.start import StartRequest, start

    dag_id = desk.put("replaced", continuous={}, parameters=[{"name": "x", "default": "1"}])
    first = next_run(desk, dag_id)
    started = start(desk.settings, StartRequest(dag_id, job_parameters={"x": "2"}, user="somebody"))
    desk.start_waiting()
    assert desk.states(dag_id) == ["failed", "running"]
    assert desk.notes(dag_id, first.run_id)["canceled"]["who"] == "somebody"
    assert latest(desk, dag_id).run_id == started.airflow_run_id
    assert latest(desk, dag_id).conf["trigger_type"] == "continuous_restart"
    next_run(desk, dag_id)
    assert len(desk.runs(dag_id)) == 2


def test_a_run_that_airflow_starts_takes_the_place_too(desk: Desk) -> None:
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    from medallion.runs.queueing import keep_queue
    from medallion.runs.start import dags

    dag_id = desk.put("pushed", continuous={})
    first = next_run(desk, dag_id)
    with create_session() as session:
        dag = dags().get_latest_version_of_dag(dag_id, session=session)
        assert dag is not None
        dag.create_dagrun(
            run_id="manual__by_hand",
            run_after=at_once(datetime.now(UTC)),
            run_type=DagRunType.MANUAL,
            triggered_by=DagRunTriggeredByType.UI,
            state=DagRunState.QUEUED,
            session=session,
        )
    with create_session() as session:
        assert keep_queue(session, desk.settings, datetime.now(UTC)).replaced == [first.run_id]
    desk.start_waiting()
    assert desk.states(dag_id) == ["failed", "running"]


def test_a_paused_continuous_job_runs_by_hand(desk: Desk) -> None:
    from medallion.runs.start import StartRequest, start

    dag_id = desk.put("kicked", continuous={"pause_status": "PAUSED"})
    started = start(desk.settings, StartRequest(dag_id))
    desk.start_waiting()
    assert desk.states(dag_id) == ["running"]
    desk.end(dag_id, started.airflow_run_id)
    assert desk.model(dag_id).next_dagrun_create_after is None


def test_the_timetable_survives_airflow_s_serialiser(desk: Desk) -> None:
    from medallion.triggers.continuous import TYPE_NAME, ContinuousTimetable

    for paused in (True, False):
        kept = json.loads(json.dumps(ContinuousTimetable(paused=paused).serialize()))
        assert ContinuousTimetable.deserialize(kept).paused is paused
    desk.put("serialised", continuous={})
    assert desk.model("serialised").timetable_type == TYPE_NAME

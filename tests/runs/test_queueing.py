"""What waits, what is skipped, and when: Airflow's database and scheduler in this process, the clock is an argument."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from desk import Desk

from medallion.runs.rules import at_once

pytestmark = pytest.mark.airflow

NO_QUEUE: dict[str, Any] = {"queue": {"enabled": False}}


@pytest.fixture(scope="module")
def desk(airflow_database: None, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("desk"))


@pytest.fixture
def keep(desk: Desk) -> Callable[..., Any]:
    """One look of the keeper, some time from now."""
    from airflow.utils.session import create_session

    from medallion.runs.queueing import keep_queue

    def look(later: timedelta = timedelta()) -> Any:
        with create_session() as session:
            return keep_queue(session, desk.settings, datetime.now(UTC) + later)

    return look


def by_airflow(desk: Desk, dag_id: str, **how: Any) -> str:
    """A run that Airflow itself makes: by its REST API, its UI, or for a run-job task."""
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    from medallion.runs.start import dags

    run_id = f"manual__{datetime.now(UTC).isoformat()}"
    with create_session() as session:
        dag = dags().get_latest_version_of_dag(dag_id, session=session)
        assert dag is not None
        dag.create_dagrun(
            run_id=run_id,
            run_after=at_once(datetime.now(UTC)),
            run_type=DagRunType.MANUAL,
            triggered_by=DagRunTriggeredByType.UI,
            state=DagRunState.QUEUED,
            session=session,
            **how,
        )
    return run_id


def test_without_a_queue_the_first_run_is_left_to_the_scheduler_and_the_others_are_skipped(
    desk: Desk, keep: Callable[..., Any]
) -> None:
    dag_id = desk.put("strict", **NO_QUEUE)
    runs = [by_airflow(desk, dag_id) for _ in range(3)]
    assert keep().skipped == runs[1:]
    assert desk.states(dag_id) == ["queued", "failed", "failed"]
    desk.start_waiting()
    late = by_airflow(desk, dag_id)
    assert keep().skipped == [late]
    assert desk.states(dag_id) == ["running", "failed", "failed", "failed"]
    assert desk.notes(dag_id, late)["termination"] == {
        "code": "MAX_CONCURRENT_RUNS_EXCEEDED",
        "message": "Skipped due to reaching maximum concurrent runs of 1.",
        "type": "CLIENT_ERROR",
    }
    desk.end(dag_id, runs[0])
    by_airflow(desk, dag_id)
    assert keep().skipped == []


def test_trap_12_with_a_queue_runs_wait_up_to_48_hours(desk: Desk, keep: Callable[..., Any]) -> None:
    dag_id = desk.put("patient")
    first, second = by_airflow(desk, dag_id), by_airflow(desk, dag_id)
    desk.start_waiting()
    assert keep(timedelta(hours=47, minutes=59)).skipped == []
    assert desk.states(dag_id) == ["running", "queued"]
    assert keep(timedelta(hours=48, minutes=1)).skipped == [second]
    assert desk.states(dag_id) == ["running", "failed"]
    assert desk.notes(dag_id, second)["termination"]["message"] == "Skipped after waiting 48 hours in the queue."
    desk.end(dag_id, first)


def test_runs_in_the_queue_start_one_after_another(desk: Desk, keep: Callable[..., Any]) -> None:
    dag_id = desk.put("pairs", max_concurrent_runs=2)
    runs = [by_airflow(desk, dag_id) for _ in range(5)]
    for number, run_id in enumerate(runs):
        assert keep().skipped == []
        desk.start_waiting()
        started = min(number + 2, 5)
        assert desk.states(dag_id)[number:] == ["running"] * (started - number) + ["queued"] * (5 - started)
        desk.end(dag_id, run_id)
    assert desk.states(dag_id) == ["success"] * 5


def test_nothing_runs_where_no_run_is_allowed(desk: Desk, keep: Callable[..., Any]) -> None:
    dag_id = desk.put("none", max_concurrent_runs=0)
    run_id = by_airflow(desk, dag_id)
    desk.start_waiting()
    assert desk.states(dag_id) == ["queued"]
    assert keep().skipped == [run_id]
    assert "max_concurrent_runs is 0" in desk.notes(dag_id, run_id)["termination"]["message"]


def test_a_run_that_was_started_meanwhile_is_not_skipped(desk: Desk) -> None:
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    from medallion.runs.skipping import over_limit, skip_waiting, termination_of

    dag_id = desk.put("quick", **NO_QUEUE)
    run_id = by_airflow(desk, dag_id)
    with create_session() as session:
        run = session.scalar(select(DagRun).where(DagRun.run_id == run_id))
        assert run is not None
        desk.start_waiting()
        assert not skip_waiting(session, desk.settings.home, run, over_limit(1), datetime.now(UTC))
    assert desk.states(dag_id) == ["running"]
    assert termination_of(desk.notes(dag_id, run_id)) is None
    desk.end(dag_id, run_id)


def test_a_busy_job_s_scheduled_runs_are_made_and_wait(desk: Desk, keep: Callable[..., Any]) -> None:
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session

    schedule = {"quartz_cron_expression": "0 * * * * ?", "timezone_id": "UTC"}
    dag_id = desk.put("each_minute", schedule=schedule)
    by_airflow(desk, dag_id)
    desk.start_waiting()
    fire = datetime.now(UTC).replace(second=0, microsecond=0)
    with create_session() as session:
        model = session.get(DagModel, dag_id)
        assert model is not None
        model.exceeds_max_non_backfill = True  # as the scheduler notes it while the job is busy
        model.next_dagrun = model.next_dagrun_create_after = fire
        model.next_dagrun_data_interval = (fire, fire)
    desk.create_due(dag_id)
    assert desk.states(dag_id) == ["running"]
    keep()
    desk.create_due(dag_id)
    assert desk.states(dag_id) == ["running", "queued"]
    assert desk.runs(dag_id)[1].logical_date == fire


def test_jobs_of_others_are_left_alone(desk: Desk, keep: Callable[..., Any]) -> None:
    dag_id = desk.put("gone", **NO_QUEUE)
    (desk.project / "jobs" / "gone.json").unlink()
    runs = [by_airflow(desk, dag_id) for _ in range(2)]
    kept = keep(timedelta(hours=50)).skipped
    assert not set(runs) & set(kept)


def test_the_keeper_is_a_follower_of_the_jobs_service(desk: Desk) -> None:
    from medallion.runs.changes import Consumer
    from medallion.runs.queueing import QueueKeeper
    from medallion.runs.service import CONSUMERS

    dag_id = desk.put("followed", **NO_QUEUE)
    runs = [by_airflow(desk, dag_id) for _ in range(2)]
    keeper: Consumer = QueueKeeper(desk.settings)
    keeper.tick(datetime.now(UTC).timestamp())
    assert desk.states(dag_id) == ["queued", "failed"]
    assert len(runs) == 2
    assert f"{QueueKeeper.__module__}.{QueueKeeper.__qualname__}" in CONSUMERS


def test_the_run_of_a_continuous_job_ends_when_a_task_is_tried_no_more(
    desk: Desk, keep: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import update

    monkeypatch.setenv("MEDALLION_PROJECT", str(desk.project))
    for mode, states in (("ON_FAILURE", ["failed"]), ("NEVER", ["running"])):
        tasks = [{"task_key": key, "notebook_task": {"notebook_path": "n.py"}} for key in ("a", "b")]
        dag_id = desk.put(f"tried_{mode}", continuous={"task_retry_mode": mode}, tasks=tasks)
        desk.create_due(dag_id)
        desk.start_waiting()
        with create_session() as session:
            for key, state in (("a", "failed"), ("b", "running")):
                of_task = (TaskInstance.dag_id == dag_id, TaskInstance.task_id == key)
                session.execute(update(TaskInstance).where(*of_task).values(state=state))
        given_up = keep().given_up
        assert desk.states(dag_id) == states
        assert given_up == ([desk.runs(dag_id)[0].run_id] if mode == "ON_FAILURE" else [])

"""Starting runs: limits, the queue, idempotency, parameters. Airflow's database in this process, no scheduler."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from desk import Desk

from medallion.errors import RunError
from medallion.runs.rules import StartRules, start_rules
from medallion.runs.start import StartRequest
from medallion.spec.job import Job

pytestmark = pytest.mark.airflow


@pytest.fixture(scope="module")
def desk(airflow_database: None, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("desk"))


def start(desk: Desk, dag_id: str, **request: Any) -> Any:
    from medallion.runs.start import start

    return start(desk.settings, StartRequest(dag_id, **request))


@pytest.mark.parametrize(
    ("settings", "rules"),
    [
        pytest.param({}, StartRules(1, queue=True), id="nothing said: one run, the others wait"),
        pytest.param({"max_concurrent_runs": 0}, StartRules(0), id="none at all"),
        pytest.param(
            {"max_concurrent_runs": 7, "queue": {"enabled": False}}, StartRules(7, queue=False), id="no queue"
        ),
        pytest.param({"continuous": {}, "max_concurrent_runs": 5}, StartRules(1, continuous=True), id="continuous"),
        pytest.param({"continuous": {"pause_status": "PAUSED"}}, StartRules(1), id="paused continuous"),
        pytest.param(
            {"triggers": [{"continuous": {"task_retry_mode": "ON_FAILURE"}}]},
            StartRules(1, continuous=True, retry_tasks=True),
            id="continuous among triggers",
        ),
    ],
)
def test_the_rules_of_a_job(settings: dict[str, Any], rules: StartRules) -> None:
    assert start_rules(Job.model_validate(settings)) == rules


def test_a_bundle_s_job_has_its_queue_on(tmp_path: Path) -> None:
    from medallion.spec.loading import load

    (tmp_path / "databricks.yml").write_text(
        "bundle: {name: b}\nresources:\n  jobs:\n    j: {name: j, tasks: [{task_key: t, condition_task: "
        "{op: EQUAL_TO, left: '1', right: '1'}}]}\n"
    )
    (definition,) = load(tmp_path / "databricks.yml").require()
    assert definition.job.queue is not None
    assert start_rules(definition.job).queue is True


def test_a_started_run_waits_for_the_scheduler_and_has_both_ids(desk: Desk) -> None:
    from medallion.runs import ids

    dag_id = desk.put("plain", parameters=[{"name": "x", "default": "1"}])
    started = start(desk, dag_id, job_parameters={"x": "2"}, only=("ask",), user="somebody")
    (run,) = desk.runs(dag_id)
    assert (started.state, started.skipped, started.new) == ("queued", "", True)
    assert started.run_id == ids.run_id(dag_id, run.run_id)
    assert run.conf == {"job_parameters": {"x": "2"}, "only": ["ask"]}
    assert run.triggering_user_name == "somebody"


def test_an_unknown_job_is_refused(desk: Desk) -> None:
    with pytest.raises(RunError, match="does not know the DAG nowhere"):
        start(desk, "nowhere")


def test_a_long_token_is_refused() -> None:
    assert StartRequest("d", idempotency_token="x" * 64)
    with pytest.raises(RunError, match="65 characters"):
        StartRequest("d", idempotency_token="x" * 65)


def test_one_token_gives_one_run_to_all_who_ask_at_once(desk: Desk) -> None:
    dag_id = desk.put("tokens", max_concurrent_runs=100)
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda: found.append(start(desk, dag_id, idempotency_token="order 4711")))
        for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 12
    assert len({item.run_id for item in found}) == 1
    assert sum(item.new for item in found) == 1
    (run,) = desk.runs(dag_id)
    assert desk.notes(dag_id, run.run_id) == {"idempotency_token": "order 4711"}
    assert start(desk, dag_id, idempotency_token="order 4712").new


def test_without_a_queue_a_run_over_the_limit_is_skipped_and_says_why(desk: Desk) -> None:
    from airflow.utils.session import create_session
    from sqlalchemy import select

    from medallion.runs.metadata import snapshot_of_run
    from medallion.runs.report import report
    from medallion.spec.loading import load

    dag_id = desk.put("impatient", max_concurrent_runs=2, queue={"enabled": False})
    first, second, third = (start(desk, dag_id, idempotency_token=str(number)) for number in range(3))
    assert (first.skipped, second.skipped) == ("", "")
    assert third.skipped == "Skipped due to reaching maximum concurrent runs of 2."
    assert desk.states(dag_id) == ["queued", "queued", "failed"]
    again = start(desk, dag_id, idempotency_token="2")
    assert (again.run_id, again.new, again.skipped) == (third.run_id, False, third.skipped)
    (definition,) = load(desk.project / "jobs" / "impatient.json").require()
    from airflow.models.dagrun import DagRun

    with create_session() as session:
        run = session.scalar(select(DagRun).where(DagRun.run_id == third.airflow_run_id))
        assert run is not None
        told = report(definition.job, snapshot_of_run(session, run, desk.settings.home), desk.settings.home)
        assert run.note == third.skipped
    assert (str(told.state.life_cycle), str(told.state.result)) == ("SKIPPED", "MAXIMUM_CONCURRENT_RUNS_REACHED")
    assert told.termination is not None
    assert told.termination.code == "MAX_CONCURRENT_RUNS_EXCEEDED"
    assert told.to_json()["tasks"][0]["attempts"] == 0


def test_a_run_may_bring_a_queue_of_its_own_or_leave_it(desk: Desk) -> None:
    dag_id = desk.put("own_queue", queue={"enabled": False})
    assert not start(desk, dag_id).skipped
    assert not start(desk, dag_id, queue=True).skipped
    assert start(desk, dag_id).skipped
    other = desk.put("own_queue_2")
    assert not start(desk, other).skipped
    assert start(desk, other, queue=False).skipped
    assert not start(desk, other).skipped


def test_no_run_at_all_is_allowed(desk: Desk) -> None:
    dag_id = desk.put("never", max_concurrent_runs=0)
    assert "max_concurrent_runs is 0" in start(desk, dag_id).skipped
    assert "max_concurrent_runs is 0" in start(desk, dag_id, queue=True).skipped
    assert desk.states(dag_id) == ["failed", "failed"]


def test_a_date_that_is_far_away_is_no_active_run(desk: Desk) -> None:
    dag_id = desk.put("later", queue={"enabled": False})
    start(desk, dag_id, run_after=datetime(9000, 1, 1, tzinfo=UTC), queue=True)
    assert not start(desk, dag_id).skipped

"""Requests of tasks to cancel runs that they started, and what a changed job is to Airflow: its database in this process."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from desk import ASK, Desk

from medallion.runs.requests import CancelRequest, forget_requests, leave_request, requests_of
from medallion.runs.rules import at_once

pytestmark = pytest.mark.airflow


@pytest.fixture(scope="module")
def desk(airflow_database: None, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("desk"))


def child_of_a_task(desk: Desk, dag_id: str, number: int) -> str:
    """A run as a run-job task starts it."""
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    from medallion.runs.start import dags

    with create_session() as session:
        dag = dags().get_latest_version_of_dag(dag_id, session=session)
        assert dag is not None
        run = dag.create_dagrun(
            run_id=f"run_job__{number}",
            run_after=at_once(datetime.now(UTC)),
            run_type=DagRunType.OPERATOR_TRIGGERED,
            triggered_by=DagRunTriggeredByType.OPERATOR,
            state=DagRunState.QUEUED,
            session=session,
        )
        return str(run.run_id)


def test_the_run_that_a_task_asks_to_cancel_is_cancelled_once_and_no_other(desk: Desk) -> None:
    from medallion.runs.changes import Consumer
    from medallion.runs.obeying import RequestKeeper
    from medallion.runs.service import CONSUMERS, LOCAL

    dag_id = desk.put("child")
    late, other = (child_of_a_task(desk, dag_id, number) for number in (1, 2))
    leave_request(desk.settings.home, dag_id, late, CancelRequest("task call"))
    keeper: Consumer = RequestKeeper(desk.settings)
    keeper.tick(datetime.now(UTC).timestamp())
    assert desk.states(dag_id) == ["failed", "queued"]
    assert desk.notes(dag_id, late)["canceled"]["who"] == "task call"
    assert list(requests_of(desk.settings.home, dag_id, late)) == []
    name = f"{RequestKeeper.__module__}.{RequestKeeper.__qualname__}"
    assert name in CONSUMERS
    assert name not in LOCAL  # a run's own process obeys by itself
    desk.end(dag_id, other)


def test_a_request_that_came_too_late_is_not_meant_for_the_repair(desk: Desk) -> None:
    leave_request(desk.settings.home, "child", "run_job__9", CancelRequest("task call"))
    forget_requests(desk.settings.home, "child", "run_job__9")
    assert list(requests_of(desk.settings.home, "child", "run_job__9")) == []


def test_any_change_of_a_job_is_a_new_version_of_its_dag(desk: Desk) -> None:
    from airflow.models.dag_version import DagVersion
    from airflow.utils.session import create_session
    from sqlalchemy import func, select

    def versions() -> int:
        with create_session() as session:
            return session.scalar(select(func.count()).where(DagVersion.dag_id == "versioned")) or 0

    changed = {**ASK, "condition_task": {**ASK["condition_task"], "left": "{{job.id}}"}}
    for tasks, number in (([ASK], 1), ([ASK], 1), ([changed], 2)):
        dag_id = desk.put("versioned", tasks=tasks)
        assert versions() == number
        # A version that no run has used is written over.
        desk.end(dag_id, child_of_a_task(desk, dag_id, number * 100 + versions() + len(desk.states(dag_id))))

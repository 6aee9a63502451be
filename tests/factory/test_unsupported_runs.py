"""Tasks that only Databricks can run: they load, and fail with a message that says so."""

from __future__ import annotations

import pytest
from factory.lab import Lab, Ran

from medallion.factory.graph import OPERATORS
from medallion.factory.refusals import REASONS, refusal
from medallion.spec.job import TASK_KINDS

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]

TASKS = {
    "ai_function_task": {"output": {"table": "t"}},
    "ai_runtime_task": {"experiment": "e", "deployments": []},
    "clean_rooms_notebook_task": {"clean_room_name": "c", "notebook_name": "n"},
    "dashboard_task": {"dashboard_id": "d"},
    "dbt_cloud_task": {"connection_resource_name": "c", "dbt_cloud_job_id": 1},
    "dbt_platform_task": {"connection_resource_name": "c", "dbt_platform_job_id": "1"},
    "gen_ai_compute_task": {"dl_runtime_image": "i"},
    "power_bi_task": {"connection_resource_name": "c"},
    "python_operator_task": {"main": "m.f"},
}


@pytest.fixture(scope="module")
def ran(lab: Lab) -> Ran:
    return lab.run(
        {"name": "databricks only", "tasks": [{"task_key": kind, kind: body} for kind, body in TASKS.items()]}
    )


@pytest.mark.parametrize("kind", TASKS)
def test_it_fails_once_and_says_that_it_runs_on_databricks_only(ran: Ran, kind: str) -> None:
    assert ran.states[kind] == "FAILED"
    assert ran.attempts(kind) == 1
    assert "on Databricks only" in ran.log(kind)
    assert "cannot hand tasks on to a Databricks workspace yet" in ran.log(kind)


def test_every_kind_of_task_runs_here_or_says_why_not() -> None:
    known = OPERATORS.keys() | REASONS.keys() | {"for_each_task"}
    assert set(TASK_KINDS) <= known | {"spark_jar_task", "spark_submit_task", "pipeline_task"}
    assert not REASONS.keys() & OPERATORS.keys()


def test_a_kind_that_is_newer_than_this_version() -> None:
    assert "does not know how to run quantum_task" in str(refusal("t", "quantum_task"))

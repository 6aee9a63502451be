"""The official SDK reads the jobs of a jobs folder."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.web.jobs_api.conftest import jwt_of
from tests.web.jobs_api.test_access import client, raw

pytestmark = pytest.mark.airflow

WIDE = 150
TASK = {"task_key": "only", "notebook_task": {"notebook_path": "/Workspace/x"}}


@pytest.fixture
def jobs(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Jobs with their DAG ids, as DAGs of Airflow. The later in the list, the newer."""
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.session import create_session

    from medallion.project.registry import JobRegistry
    from medallion.settings import Settings

    monkeypatch.setenv("MEDALLION_PROJECT", str(tmp_path))
    monkeypatch.setenv("MEDALLION_USER", "ada@example.com")
    definitions = {f"api_job_{n}": {"tasks": [TASK], "tags": {"n": str(n)}} for n in range(5)}
    definitions["api_wide"] = {"tasks": [{**TASK, "task_key": f"t{n:03d}"} for n in range(WIDE)]}
    for number, (name, settings) in enumerate(definitions.items()):
        file = tmp_path / "jobs" / name / "job.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps({"name": name, **settings}))
        os.utime(file, (1_700_000_000 + number,) * 2)
    found, problems = JobRegistry(Settings.load()).all()
    assert not [item for item in problems if str(item.severity) == "error"]
    with create_session() as session:
        session.merge(DagBundleModel(name="api-jobs"))
        session.flush()
        for dag_id in found:
            session.merge(DagModel(dag_id=dag_id, bundle_name="api-jobs", fileloc="x"))
    yield {definition.job.name or "": dag_id for dag_id, definition in found.items()}
    with create_session() as session:
        for dag_id in found:
            session.delete(session.get(DagModel, dag_id))
        session.flush()
        session.delete(session.get(DagBundleModel, "api-jobs"))


def ask(address: str, path: str, role: str = "admin") -> tuple[int, Any]:
    """Status and JSON."""
    status, told, _ = raw(address, path, Authorization=f"Bearer {jwt_of(role)}")
    return status, told


def test_the_sdk_lists_the_jobs_in_pages_newest_first(address: str, jobs: dict[str, str]) -> None:
    asked = client(address, jwt_of("viewer"))
    names = [job.settings.name for job in asked.jobs.list(limit=2)]
    assert names == ["api_wide", *(f"api_job_{n}" for n in (4, 3, 2, 1, 0))]
    status, first = ask(address, "/api/2.2/jobs/list?limit=2&page_token=")
    assert (status, len(first["jobs"]), first["has_more"]) == (200, 2, True)


def test_a_name_is_exact_and_of_any_case(address: str, jobs: dict[str, str]) -> None:
    asked = client(address, jwt_of("admin"))
    assert [job.settings.name for job in asked.jobs.list(name="API_JOB_3")] == ["api_job_3"]
    assert list(asked.jobs.list(name="api_job")) == []


def test_tasks_come_with_expand_tasks_alone(address: str, jobs: dict[str, str]) -> None:
    asked = client(address, jwt_of("admin"))
    [bare], [full] = list(asked.jobs.list(name="api_job_1")), list(asked.jobs.list(name="api_job_1", expand_tasks=True))
    assert not bare.settings.tasks
    assert [task.task_key for task in full.settings.tasks] == ["only"]


def test_the_sdk_gets_a_job_with_defaults(address: str, jobs: dict[str, str]) -> None:
    from medallion.runs import ids

    number = ids.job_id(jobs["api_job_2"])
    job = client(address, jwt_of("admin")).jobs.get(number)
    assert (job.job_id, job.settings.name, job.settings.tags) == (number, "api_job_2", {"n": "2"})
    assert (job.created_time, job.creator_user_name) == (1_700_000_002_000, "ada@example.com")
    settings = ask(address, f"/api/2.1/jobs/get?job_id={number}")[1]["settings"]
    defaults = ("max_concurrent_runs", "format", "timeout_seconds", "email_notifications", "edit_mode")
    assert [settings[name] for name in defaults] == [1, "MULTI_TASK", 0, {}, "UI_LOCKED"]
    (task,) = settings["tasks"]
    assert (task["run_if"], task["timeout_seconds"], task["notebook_task"]["source"]) == ("ALL_SUCCESS", 0, "WORKSPACE")


def test_many_tasks_come_in_pages_in_order(address: str, jobs: dict[str, str]) -> None:
    from medallion.runs import ids

    number = ids.job_id(jobs["api_wide"])
    whole = client(address, jwt_of("admin")).jobs.get(number)
    assert [task.task_key for task in whole.settings.tasks] == [f"t{n:03d}" for n in range(WIDE)]
    counts = [len(ask(address, f"/api/{v}/jobs/get?job_id={number}")[1]["settings"]["tasks"]) for v in ("2.1", "2.2")]
    assert counts == [WIDE, 100]


@pytest.mark.parametrize("number", ["987654321012", "0"])
def test_an_unknown_job_does_not_exist(address: str, jobs: dict[str, str], number: str) -> None:
    from databricks.sdk.errors import ResourceDoesNotExist

    with pytest.raises(ResourceDoesNotExist, match="does not exist"):
        client(address, jwt_of("admin")).jobs.get(int(number))


@pytest.mark.parametrize(
    "query",
    [
        "list?limit=0",
        "list?limit=101",
        "list?limit=x",
        "list?page_token=x",
        "list?page_token=1-",
        "get",
        "get?job_id=-1",
        "get?job_id=x",
        "get?job_id=1&page_token=x",
    ],
)
def test_a_wrong_parameter_is_named(address: str, jobs: dict[str, str], query: str) -> None:
    status, told = ask(address, f"/api/2.2/jobs/{query}")
    assert (status, told["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert any(name in told["message"] for name in ("limit", "page_token", "job_id"))


def test_one_without_rights_sees_no_job(address: str, jobs: dict[str, str]) -> None:
    from medallion.runs import ids

    headers = {"Authorization": f"Bearer {jwt_of(None)}"}
    assert raw(address, "/api/2.2/jobs/list", **headers)[1]["jobs"] == []
    number = ids.job_id(jobs["api_job_2"])
    assert "does not exist" in raw(address, f"/api/2.2/jobs/get?job_id={number}", **headers)[1]["message"]

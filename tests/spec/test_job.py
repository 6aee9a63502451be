"""Reading and writing jobs: nothing is lost."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from job_strategies import jobs, objects
from pydantic import ValidationError

from medallion.spec.enums import GitProvider, RunIf
from medallion.spec.job import TASK_KINDS, Job, Task
from medallion.spec.model import Model
from medallion.spec.shape import shape_of

SLOW_DATA = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def models(model: type[Model] = Job, found: dict[type[Model], None] | None = None) -> list[type[Model]]:
    """Every model below a job."""
    found = {} if found is None else found
    if model not in found:
        found[model] = None
        for shape in shape_of(model).values():
            if shape.model:
                models(shape.model, found)
    return list(found)


@settings(max_examples=150, deadline=None, suppress_health_check=SLOW_DATA)
@given(jobs)
def test_every_field_survives_a_round_trip(job: dict[str, Any]) -> None:
    assert Job.from_json(job).to_json() == job


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_every_model_survives_a_round_trip(model: type[Model]) -> None:
    @settings(max_examples=8, deadline=None, suppress_health_check=SLOW_DATA, derandomize=True)
    @given(objects(model))
    def survives(value: dict[str, Any]) -> None:
        assert model.model_validate(value).to_json() == value

    survives()


@settings(max_examples=50, deadline=None, suppress_health_check=SLOW_DATA)
@given(jobs)
def test_a_round_trip_through_text_is_exact(job: dict[str, Any]) -> None:
    assert json.loads(json.dumps(Job.from_json(job).to_json())) == job


def test_unknown_keys_and_nulls_are_kept_where_they_stood() -> None:
    job = {"name": None, "new": {"a": [1, None]}, "tasks": [{"task_key": "a", "genie_task": {"x": 1}, "run_if": None}]}
    assert Job.from_json(job).to_json() == job


def test_a_word_that_the_api_lacks_is_kept_and_is_no_other_word() -> None:
    task = Task.model_validate({"task_key": "a", "run_if": "ALL_SUCESS"})
    assert task.run_if == "ALL_SUCESS"
    assert task.run_if is not None
    assert not task.run_if.is_known
    assert task.run_if not in set(RunIf)
    assert task.to_json()["run_if"] == "ALL_SUCESS"


@pytest.mark.parametrize("text", ["gitHub", "GitHub", "GITHUB", "azuredevopsservices"])
def test_a_git_provider_is_known_in_any_case_and_keeps_its_text(text: str) -> None:
    source = {"git_url": "https://example.com/a.git", "git_provider": text, "git_branch": "main"}
    job = Job.from_json({"git_source": source})
    assert job.git_source is not None
    assert job.git_source.git_provider.is_known
    assert job.git_source.git_provider.canonical in {GitProvider.GIT_HUB, GitProvider.AZURE_DEV_OPS_SERVICES}
    assert job.to_json() == {"git_source": source}


@pytest.mark.parametrize("kind", TASK_KINDS)
def test_kind_and_payload_name_the_one_task_type(kind: str) -> None:
    payload = shape_of(Task)[kind].model
    assert payload is not None
    task = Task.model_construct(_fields_set={"task_key", kind}, task_key="a", **{kind: payload.model_construct()})
    assert task.kind == kind
    assert isinstance(task.payload, payload)


def test_a_task_type_that_came_later_is_a_kind_too() -> None:
    task = Task.model_validate({"task_key": "a", "notebook_task": None, "genie_task": {"space": "s"}})
    assert (task.kind, task.payload) == ("genie_task", {"space": "s"})


def test_a_task_without_a_type_has_no_kind() -> None:
    with pytest.raises(ValueError, match="'a' has no task type"):
        _ = Task.model_validate({"task_key": "a"}).kind


def test_a_job_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Job.from_json({"name": "a"}).name = "b"  # type: ignore[misc]


@settings(max_examples=30, deadline=None, suppress_health_check=SLOW_DATA)
@given(jobs)
def test_a_job_survives_pickle(job: dict[str, Any]) -> None:
    read = Job.from_json(job)
    assert pickle.loads(pickle.dumps(read)) == read


def eight_tasks() -> dict[str, Any]:
    tasks = [
        {
            "task_key": f"t{number}",
            "depends_on": [{"task_key": f"t{number - 1}"}] if number else [],
            "job_cluster_key": "c",
            "notebook_task": {"notebook_path": "/n", "base_parameters": {"a": "b"}},
        }
        for number in range(8)
    ]
    clusters = [{"job_cluster_key": "c", "new_cluster": {"spark_version": "16.2.x-scala2.12", "num_workers": 1}}]
    return {"name": "j", "job_clusters": clusters, "tasks": tasks, "max_concurrent_runs": 1}


def test_a_job_of_eight_tasks_is_read_within_a_millisecond() -> None:
    job = eight_tasks()
    Job.from_json(job)
    best = min(timed(job) for _ in range(20))
    assert best < 0.001


def timed(job: dict[str, Any]) -> float:
    start = time.process_time()
    Job.from_json(job)
    return time.process_time() - start


def test_importing_the_models_costs_little_and_nothing_heavy() -> None:
    code = (
        "import pydantic, sys, time\n"
        "class Warm(pydantic.BaseModel):\n    x: int | None = None\n"
        "start = time.process_time()\n"
        "import medallion.spec.job\n"
        "heavy = {'airflow', 'pyspark', 'databricks', 'pandas', 'yaml', 'ruamel'} & set(sys.modules)\n"
        "print(time.process_time() - start, *heavy)"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
        for _ in range(3)
    ]
    assert all(run[1:] == [] for run in runs)
    assert min(float(run[0]) for run in runs) < 0.15


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(
            {"notebook_task": {"notebook_path": "/n", "base_parameters": {"a": "1"}, "unknown": [1]}}, id="notebook"
        ),
        pytest.param({"sql_task": {"warehouse_id": "w", "file": {"path": "/q.sql"}}}, id="sql"),
        pytest.param({"python_wheel_task": {"package_name": "p", "entry_point": "e", "parameters": None}}, id="wheel"),
    ],
)
def test_a_payload_alone_is_as_it_was_given(payload: dict[str, Any]) -> None:
    (task,) = Job.from_json({"tasks": [{"task_key": "a", "run_if": "ALL_DONE", **payload}]}).tasks or ()
    assert {task.kind: task.payload_json()} == {task.kind: task.payload.to_json()} == payload

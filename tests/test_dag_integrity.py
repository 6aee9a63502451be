"""Every job is the DAG that its definition says.

For a user's own jobs: MEDALLION_JOBS_FOLDER=… scripts/test tests/test_dag_integrity.py
The expectations come from the definition's own JSON, not from the factory's code.
"""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from medallion.factory import naming
from medallion.project.registry import JobRegistry
from medallion.settings import Settings
from medallion.spec.definition import JobDefinition
from medallion.spec.disabled import disabled_tasks
from medallion.spec.loading import discover, load

pytestmark = pytest.mark.airflow

Jobs = dict[str, JobDefinition]

HEAVY = ("pyspark", "delta", "databricks", "pandas", "pyarrow", "IPython", "nbformat", "nbconvert", "deltalake")


@pytest.fixture(scope="module")
def settings(jobs_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path_factory.mktemp("home")
    return Settings.load(
        jobs_folder.parent, environ={"MEDALLION_HOME": str(home), "MEDALLION_JOBS_FOLDER": str(jobs_folder)}
    )


@pytest.fixture(scope="module")
def jobs(settings: Settings, bag: Any) -> Jobs:
    """The definitions by the ids that their DAGs got."""
    return JobRegistry(settings).all()[0]


@pytest.fixture(scope="module")
def bag(settings: Settings, airflow_database: None) -> Any:
    """The DAGs as Airflow itself reads them, from the DAG files that the bundle writes."""
    from airflow.dag_processing.dagbag import DagBag

    from medallion.factory.bundle import write_dag_files

    folder = settings.home / "dags"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDALLION_HOME", str(settings.home))
        patch.setenv("MEDALLION_JOBS_FOLDER", str(settings.jobs_folder))
        write_dag_files(settings, folder)
        return DagBag(str(folder))


def pairs(bag: Any, jobs: Jobs) -> list[tuple[Any, dict[str, Any]]]:
    """Each DAG and the settings of its job."""
    return [(bag.dags[dag_id], definition.job.to_json()) for dag_id, definition in jobs.items()]


def test_there_are_jobs(jobs: Jobs) -> None:
    assert jobs


def test_no_job_has_an_import_error(bag: Any) -> None:
    assert bag.import_errors == {}


def test_no_job_is_left_out(jobs: Jobs, settings: Settings) -> None:
    every = [item for path in discover(settings.jobs_folder) for item in load(path).require()]
    places = [(item.file, item.key) for item in every]
    assert sorted((item.file, item.key) for item in jobs.values()) == sorted(places)


def test_every_job_is_a_dag_and_nothing_else_is(bag: Any, jobs: Jobs) -> None:
    assert set(bag.dags) == set(jobs)


def test_job_settings(bag: Any, jobs: Jobs) -> None:
    for dag, job in pairs(bag, jobs):
        assert dag.dag_display_name == job["name"]
        assert dag.description == job.get("description")
        assert dag.max_active_runs == (1 if job.get("continuous") else job.get("max_concurrent_runs", 1))
        assert dag.dagrun_timeout == (timedelta(seconds=job["timeout_seconds"]) if job.get("timeout_seconds") else None)
        assert {name: dag.params[name] for name in dag.params} == {
            item["name"]: item["default"] for item in job.get("parameters", [])
        }
        for key, value in job.get("tags", {}).items():
            assert (f"{key}:{value}" if value else key) in dag.tags


def test_schedules(bag: Any, jobs: Jobs) -> None:
    for dag, job in pairs(bag, jobs):
        block = job.get("schedule") or job.get("trigger") or job.get("continuous")
        if block is None:
            assert type(dag.timetable).__name__ == "NullTimetable"
            continue
        summary = dag.timetable.summary
        assert summary.startswith("Paused: ") is (block.get("pause_status") == "PAUSED"), job["name"]
        if "quartz_cron_expression" in block:
            assert f"{block['quartz_cron_expression']} ({block['timezone_id']})" in summary
        if periodic := block.get("periodic"):
            assert str(periodic["interval"]) in summary or periodic["interval"] == 1
            assert periodic["unit"].lower().removesuffix("s") in summary


def test_tasks(bag: Any, jobs: Jobs) -> None:
    for dag, job in pairs(bag, jobs):
        assert {key for key in dag.task_ids if not naming.is_internal(key)} == {
            task["task_key"] for task in job["tasks"]
        }


def test_task_descriptions(bag: Any, jobs: Jobs) -> None:
    for dag, job in pairs(bag, jobs):
        for task in job["tasks"]:
            assert dag.get_task(task["task_key"]).doc_md == task.get("description")


def test_edges(bag: Any, jobs: Jobs) -> None:
    """The parents of a task, looked for through tasks of ours, are its depends_on."""

    def parents(dag: Any, task_id: str) -> set[str]:
        found: set[str] = set()
        for upstream in dag.get_task(task_id).upstream_task_ids:
            found |= parents(dag, upstream) if naming.is_internal(upstream) else {upstream}
        return found

    for dag, job in pairs(bag, jobs):
        for task in job["tasks"]:
            expected = {edge["task_key"] for edge in task.get("depends_on", [])}
            assert parents(dag, task["task_key"]) == expected, (job["name"], task["task_key"])


def entry_of(dag: Any, task: dict[str, Any]) -> Any:
    """What a task's parents lead to: of a loop what works out its inputs."""
    key = task["task_key"]
    return dag.get_task(naming.for_each_inputs(key) if "for_each_task" in task else key)


def test_trigger_rules(bag: Any, jobs: Jobs) -> None:
    rules = {
        "ALL_SUCCESS": "none_failed_min_one_success",
        "NONE_FAILED": "none_failed_min_one_success",
        "ALL_FAILED": "all_done",
        "ALL_DONE": "all_done",
        "AT_LEAST_ONE_FAILED": "all_done",
        "AT_LEAST_ONE_SUCCESS": "one_success",
    }
    for dag, job in pairs(bag, jobs):
        if any(task.get("disabled") for task in job["tasks"]):
            continue
        for task in job["tasks"]:
            expected = rules[task.get("run_if", "ALL_SUCCESS")] if task.get("depends_on") else "all_success"
            edges = task.get("depends_on", [])
            if task.get("run_if") == "ALL_FAILED" and len(edges) == 1 and "outcome" not in edges[0]:
                expected = "all_failed"
            assert entry_of(dag, task).trigger_rule.value == expected, (job["name"], task["task_key"])


def test_retries_and_time_outs(bag: Any, jobs: Jobs) -> None:
    for dag_id, definition in jobs.items():
        dag, job, off = bag.dags[dag_id], definition.job.to_json(), disabled_tasks(definition.job)
        again = -1 if (job.get("continuous") or {}).get("task_retry_mode") == "ON_FAILURE" else 0
        for task in job["tasks"]:
            if task["task_key"] in off:
                continue  # stands for a task that does not run
            found = dag.get_task(task["task_key"])
            asked = 0 if "condition_task" in task else task.get("max_retries", again)
            assert found.retries == asked if asked >= 0 else found.retries >= 1_000_000, (job["name"], task["task_key"])
            seconds = task.get("timeout_seconds")
            assert found.execution_timeout == (timedelta(seconds=seconds) if seconds else None)
            assert found.retry_delay == timedelta(milliseconds=task.get("min_retry_interval_millis", 0))


def test_job_clusters_are_set_up_and_torn_down(bag: Any, jobs: Jobs) -> None:
    for dag_id, definition in jobs.items():
        dag, off = bag.dags[dag_id], disabled_tasks(definition.job)
        tasks = [task for task in definition.job.to_json()["tasks"] if task["task_key"] not in off]
        inner = [task["for_each_task"]["task"] if "for_each_task" in task else task for task in tasks]
        used = {task["job_cluster_key"] for task in inner if "job_cluster_key" in task}
        setups = {task.task_id.removesuffix(".start") for task in dag.tasks if task.is_setup}
        teardowns = {task.task_id.removesuffix(".stop") for task in dag.tasks if task.is_teardown}
        assert setups == teardowns == used


def test_parsing_imports_nothing_heavy(settings: Settings, bag: Any) -> None:
    """A new process that reads the DAG files has none of the heavy packages loaded, beyond what Airflow itself loads."""
    code = (
        "import runpy, sys, json, pathlib, airflow.sdk, airflow.providers.standard.operators.empty\n"
        "before = set(sys.modules)\n"
        "[runpy.run_path(str(path)) for path in sorted(pathlib.Path(sys.argv[1]).glob('*.py'))]\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in set(sys.modules) - before})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(settings.home / "dags")],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert loaded.isdisjoint(HEAVY)

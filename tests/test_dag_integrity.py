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
from medallion.settings import Settings
from medallion.spec.loading import discover, load

pytestmark = pytest.mark.airflow

HEAVY = ("pyspark", "delta", "databricks", "pandas", "pyarrow", "IPython", "nbformat", "nbconvert", "deltalake")


@pytest.fixture(scope="module")
def settings(jobs_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path_factory.mktemp("home")
    return Settings.load(
        jobs_folder.parent, environ={"MEDALLION_HOME": str(home), "MEDALLION_JOBS_FOLDER": str(jobs_folder)}
    )


@pytest.fixture(scope="module")
def definitions(settings: Settings) -> list[Any]:
    return [item for path in discover(settings.jobs_folder) for item in load(path).require()]


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


def raw_jobs(definitions: list[Any]) -> list[dict[str, Any]]:
    return [definition.job.to_json() for definition in definitions]


def test_there_are_jobs(definitions: list[Any]) -> None:
    assert definitions


def test_no_job_has_an_import_error(bag: Any) -> None:
    assert bag.import_errors == {}


def test_no_two_jobs_share_a_dag_id(definitions: list[Any]) -> None:
    ids = [naming.dag_id(job["name"]) for job in raw_jobs(definitions)]
    assert len(ids) == len(set(ids))


def test_every_job_is_a_dag_and_nothing_else_is(bag: Any, definitions: list[Any]) -> None:
    assert set(bag.dags) == {naming.dag_id(job["name"]) for job in raw_jobs(definitions)}


def test_job_settings(bag: Any, definitions: list[Any]) -> None:
    for job in raw_jobs(definitions):
        dag = bag.dags[naming.dag_id(job["name"])]
        assert dag.dag_display_name == job["name"]
        assert dag.description == job.get("description")
        assert dag.max_active_runs == (1 if job.get("continuous") else job.get("max_concurrent_runs", 1))
        assert dag.dagrun_timeout == (timedelta(seconds=job["timeout_seconds"]) if job.get("timeout_seconds") else None)
        assert {name: dag.params[name] for name in dag.params} == {
            item["name"]: item["default"] for item in job.get("parameters", [])
        }
        for key, value in job.get("tags", {}).items():
            assert (f"{key}:{value}" if value else key) in dag.tags


def test_schedules(bag: Any, definitions: list[Any]) -> None:
    for job in raw_jobs(definitions):
        dag = bag.dags[naming.dag_id(job["name"])]
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


def test_tasks(bag: Any, definitions: list[Any]) -> None:
    for job in raw_jobs(definitions):
        dag = bag.dags[naming.dag_id(job["name"])]
        assert {key for key in dag.task_ids if not naming.is_internal(key)} == {
            task["task_key"] for task in job["tasks"]
        }


def test_task_descriptions(bag: Any, definitions: list[Any]) -> None:
    for job in raw_jobs(definitions):
        dag = bag.dags[naming.dag_id(job["name"])]
        for task in job["tasks"]:
            assert dag.get_task(task["task_key"]).doc_md == task.get("description")


def test_edges(bag: Any, definitions: list[Any]) -> None:
    """The parents of a task, looked for through tasks of ours, are its depends_on."""

    def parents(dag: Any, task_id: str) -> set[str]:
        found: set[str] = set()
        for upstream in dag.get_task(task_id).upstream_task_ids:
            found |= parents(dag, upstream) if naming.is_internal(upstream) else {upstream}
        return found

    for job in raw_jobs(definitions):
        dag = bag.dags[naming.dag_id(job["name"])]
        for task in job["tasks"]:
            expected = {edge["task_key"] for edge in task.get("depends_on", [])}
            assert parents(dag, task["task_key"]) == expected, (job["name"], task["task_key"])


def test_trigger_rules(bag: Any, definitions: list[Any]) -> None:
    rules = {
        "ALL_SUCCESS": "none_failed_min_one_success",
        "NONE_FAILED": "none_failed_min_one_success",
        "ALL_FAILED": "all_done",
        "ALL_DONE": "all_done",
        "AT_LEAST_ONE_FAILED": "all_done",
        "AT_LEAST_ONE_SUCCESS": "one_success",
    }
    for job in raw_jobs(definitions):
        dag = bag.dags[naming.dag_id(job["name"])]
        if any(task.get("disabled") for task in job["tasks"]):
            continue
        for task in job["tasks"]:
            expected = rules[task.get("run_if", "ALL_SUCCESS")] if task.get("depends_on") else "all_success"
            if task.get("run_if") == "ALL_FAILED" and len(task["depends_on"]) == 1:
                expected = "all_failed"
            assert dag.get_task(task["task_key"]).trigger_rule.value == expected, (job["name"], task["task_key"])


def test_retries_and_time_outs(bag: Any, definitions: list[Any]) -> None:
    for job in raw_jobs(definitions):
        dag = bag.dags[naming.dag_id(job["name"])]
        for task in job["tasks"]:
            found = dag.get_task(task["task_key"])
            asked = task.get("max_retries", 0)
            assert found.retries == asked if asked >= 0 else found.retries >= 1_000_000
            seconds = task.get("timeout_seconds")
            assert found.execution_timeout == (timedelta(seconds=seconds) if seconds else None)
            assert found.retry_delay == timedelta(milliseconds=task.get("min_retry_interval_millis", 0))


def test_job_clusters_are_set_up_and_torn_down(bag: Any, definitions: list[Any]) -> None:
    for job in raw_jobs(definitions):
        dag = bag.dags[naming.dag_id(job["name"])]
        used = {task["job_cluster_key"] for task in job["tasks"] if "job_cluster_key" in task}
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

"""The checks of tests/test_dag_integrity.py on jobs of every shape: 200 made by chance, and those of the bundles."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest
from factory.random_jobs import random_job

TESTS = Path(__file__).parents[1]
BUNDLES = TESTS / "data" / "bundles"
REFUSED = ("08", "09", "10", "11", "12")
"""Bundles that hold errors, or a rule that the Jobs API refuses."""
CLUSTER = {"spark_version": "15.4.x-scala2.12", "node_type_id": "n", "num_workers": 1}
STARTS: tuple[dict[str, Any], ...] = (
    {},
    {"schedule": {"quartz_cron_expression": "0 0 2 * * ?", "timezone_id": "Europe/Berlin", "pause_status": "PAUSED"}},
    {"trigger": {"periodic": {"interval": 3, "unit": "HOURS"}}},
    {"trigger": {"file_arrival": {"url": "/Volumes/a/b/c/"}, "pause_status": "PAUSED"}},
    {"continuous": {"pause_status": "PAUSED"}},
    {"continuous": {"task_retry_mode": "NEVER"}},
)


def looped(task: dict[str, Any], random: Random) -> dict[str, Any]:
    """The task, some times as a loop around what it runs."""
    if "condition_task" in task or random.random() < 0.7:
        return task
    kind = next(name for name in task if name.endswith("_task"))
    inner = {"task_key": f"{task['task_key']}_one", kind: task[kind]}
    inner |= {name: task[name] for name in ("max_retries", "timeout_seconds") if name in task}
    outer = {name: value for name, value in task.items() if name != kind and name not in inner}
    return {**outer, "task_key": task["task_key"], "for_each_task": {"inputs": "[1, 2]", "task": inner}}


def job(number: int) -> dict[str, Any]:
    """A job made by chance, with clusters, parameters, tags and what starts it."""
    random = Random(number)
    tasks = [looped(task, random) for task in random_job(random, retried=0.2).tasks]
    made: dict[str, Any] = {"name": f"random {number}", "max_concurrent_runs": random.randint(1, 5), "tasks": tasks}
    made |= random.choice(STARTS)
    if random.random() < 0.3:
        made |= {
            "parameters": [{"name": "a", "default": "1"}, {"name": "b", "default": ""}],
            "tags": {"x": "", "y": "z"},
        }
    if random.random() < 0.4:
        made["job_clusters"] = [{"job_cluster_key": "c", "new_cluster": CLUSTER}]
        for task in tasks:
            runs = task["for_each_task"]["task"] if "for_each_task" in task else task
            if "condition_task" not in runs and random.random() < 0.5:
                runs["job_cluster_key"] = "c"
    return made


@pytest.mark.airflow
def test_the_checks_hold_for_every_job(tmp_path: Path) -> None:
    jobs = tmp_path / "jobs"
    jobs.mkdir()
    for number in range(200):
        (jobs / f"random_{number}.json").write_text(json.dumps(job(number)))
    for bundle in sorted(BUNDLES.iterdir()):
        if bundle.is_dir() and not bundle.name.startswith(REFUSED):
            shutil.copytree(bundle, jobs / bundle.name)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(TESTS / "test_dag_integrity.py")],
        cwd=TESTS.parent,
        env={**os.environ, "MEDALLION_JOBS_FOLDER": str(jobs), "AIRFLOW_HOME": str(tmp_path / "airflow")},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]

"""docker-compose.yaml on this machine: PostgreSQL, each component in a PID namespace of its own, the API's client."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e.engine import ROOT, Engine, running

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(900),
    pytest.mark.skipif(sys.platform != "linux", reason="PID namespaces are Linux's"),
]

LOAD = """\
# Databricks notebook source
# MAGIC %sql
# MAGIC CREATE SCHEMA IF NOT EXISTS main.default

# COMMAND ----------

spark.range(3).write.saveAsTable("main.default.seen")
"""
FLAKY = """\
import pathlib, sys
if not pathlib.Path(sys.argv[1]).exists():
    raise RuntimeError("asked to fail")
"""
CLUSTER = {"spark_version": "16.4.x-scala2.12", "num_workers": 0}


def jobs(folder: Path) -> list[dict[str, Any]]:
    cluster = [{"job_cluster_key": "main", "new_cluster": CLUSTER}]
    load = {"task_key": "load", "job_cluster_key": "main", "notebook_task": {"notebook_path": "load.py"}}
    mend = {"python_file": "flaky.py", "parameters": [str(folder / "mended")]}
    flaky = {"task_key": "flaky", "depends_on": [{"task_key": "load"}], "spark_python_task": mend}
    asks = {"op": "EQUAL_TO", "left": "{{job.trigger.type}}", "right": "table_update"}
    sleep = {"task_key": "sleep", "spark_python_task": {"python_file": "sleep.py"}}
    return [
        {"name": "first", "job_clusters": cluster, "tasks": [load, flaky | {"job_cluster_key": "main"}]},
        {
            "name": "second",
            "trigger": {"table_update": {"table_names": ["main.default.seen"]}},
            "tasks": [{"task_key": "ask", "condition_task": asks}],
        },
        {"name": "sleeping", "tasks": [sleep]},
    ]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("deployment")
    place = folder / "jobs"
    place.mkdir()
    for job in jobs(folder):
        (place / f"{job['name']}.json").write_text(json.dumps(job))
    (place / "load.py").write_text(LOAD)
    (place / "flaky.py").write_text(FLAKY)
    (place / "sleep.py").write_text("import time\ntime.sleep(600)\n")
    (folder / "medallion.toml").write_text("")
    with running(folder) as made:
        yield made


def told(done: subprocess.CompletedProcess[str], status: int = 0) -> dict[str, Any]:
    """The JSON of a command that ended as expected."""
    assert done.returncode == status, f"{done.stdout}\n{done.stderr}"
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def wait_for_run(engine: Engine, job: str, seconds: float = 60) -> dict[str, Any]:
    """The first run of a job, once it has ended."""
    end = time.monotonic() + seconds
    while True:
        found = told(engine.medallion("runs", job, "--completed", "--json"))["runs"]
        if found:
            return dict(found[-1])
        assert time.monotonic() < end, f"{job} was not started"
        time.sleep(1)


def test_a_job_its_trigger_and_a_repair_by_the_command_line_in_a_container(engine: Engine) -> None:
    state = told(engine.medallion("status", "--json"))
    assert (state["state"], state["url"]) == ("healthy", engine.url)
    failed = told(engine.medallion("run-now", "first", "--wait", "--json"), 1)
    results = {task["task_key"]: task["result_state"] for task in failed["tasks"]}
    assert results == {"load": "SUCCESS", "flaky": "FAILED"}

    after = wait_for_run(engine, "second")
    assert after["result_state"] == "SUCCESS"
    shown = told(engine.medallion("runs", "show", str(after["run_id"]), "--json"))
    assert [task["result_state"] for task in shown["tasks"]] == ["SUCCESS"]
    assert "asked to fail" in told(engine.medallion("runs", "output", str(failed["run_id"]), "flaky", "--json"))["logs"]

    home = engine.folder / ".medallion"
    (host,) = [item for item in (home / "drivers").iterdir() if item.is_dir() and item.name != "logs"]
    drivers = sorted(path.parent.name for path in host.glob("*/connection.json"))
    kept = {file: file.read_bytes() for file in home.glob("airflow/*.cfg")}
    check_nothing_runs_without_the_server(engine, str(failed["run_id"]))

    (engine.folder / "mended").touch()
    mended = told(engine.medallion("repair", str(failed["run_id"]), "--json"))
    assert {task["task_key"]: task["result_state"] for task in mended["tasks"]} == {
        "load": "SUCCESS",
        "flaky": "SUCCESS",
    }
    assert sorted(path.parent.name for path in host.glob("*/connection.json")) == drivers, "the repair used the driver"
    assert {file: file.read_bytes() for file in home.glob("airflow/*.cfg")} == kept

    # What a command on the shared database once broke: every later run.
    assert told(engine.medallion("run", "first", "--only", "flaky", "--json"))["result_state"] == "SUCCESS"


def check_nothing_runs_without_the_server(engine: Engine, run: str) -> None:
    """The database's address alone is no leave to use it."""
    alone = {"MEDALLION_API_URL": None}
    for command in (("repair", run), ("run", "first"), ("setup",), ("airflow", "dags", "test", "first")):
        done = engine.medallion(*command, more=alone)
        assert done.returncode == 2, command
        assert "MEDALLION_API_URL" in done.stdout + done.stderr


def test_a_run_is_cancelled_from_another_container(engine: Engine) -> None:
    started = told(engine.medallion("run-now", "sleeping", "--json"))
    done = told(engine.medallion("cancel", str(started["run_id"]), "--json"))
    assert done["airflow_run_id"] == started["airflow_run_id"]
    ended = wait_for_run(engine, "sleeping")
    assert ended["result_state"] == "CANCELED"


def test_a_token_opens_and_a_wrong_one_is_said(engine: Engine) -> None:
    passwords = {"AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": None}
    done = engine.medallion("runs", more=passwords)
    assert done.returncode == 2
    assert "MEDALLION_API_TOKEN" in done.stderr
    wrong = engine.medallion("runs", more={**passwords, "MEDALLION_API_TOKEN": "ey.not.right"})
    assert wrong.returncode == 2
    assert "MEDALLION_API_TOKEN" in wrong.stderr
    assert "ey.not.right" not in wrong.stderr + wrong.stdout


@pytest.mark.slow
def test_retailhub(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "jobs" / "retailhub", tmp_path / "jobs" / "retailhub")
    shutil.copy(ROOT / "medallion.toml", tmp_path)
    volume = tmp_path / ".medallion" / "volumes" / "retailhub" / "default" / "datasets"
    generator = [sys.executable, str(tmp_path / "jobs/retailhub/generate.py"), "--orders", "2000", "--out", str(volume)]
    subprocess.run(generator, check=True, capture_output=True)
    with running(tmp_path) as made:
        ended = told(made.medallion("run-now", "RetailHub_Medallion_Pipeline", "--wait", "--json"))
    assert {task["result_state"] for task in ended["tasks"]} == {"SUCCESS"}

"""The command as a user runs it: a run in a process of its own, Airflow up, a run through it, Airflow down."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from deltalake import DeltaTable

from medallion.components.ports import free_port
from medallion.components.record import Record
from medallion.components.sweep import end_everything, marked
from medallion.runs import ids
from medallion.settings import Settings

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

MEDALLION = Path(sys.executable).parent / "medallion"
SLOW = "import time\nprint('sleeping', flush=True)\ntime.sleep(120)\n"


def condition(key: str, left: str = "1", *after: str, **more: Any) -> dict[str, Any]:
    depends_on = [dict(zip(("task_key", "outcome"), edge.split(":"), strict=False)) for edge in after]
    return {
        "task_key": key,
        "condition_task": {"op": "EQUAL_TO", "left": left, "right": "1"},
        "depends_on": depends_on,
        **more,
    }


JOBS: dict[str, dict[str, Any]] = {
    "branches": {
        "name": "two branches",
        "parameters": [{"name": "x", "default": "1"}],
        "tasks": [
            condition("ask", "{{job.parameters.x}}"),
            condition("yes", "1", "ask:true"),
            condition("no", "1", "ask:false"),
        ],
    },
    "slow": {
        "name": "slow",
        "tasks": [{"task_key": "sleep", "spark_python_task": {"python_file": "slow.py"}}, condition("next", "1")],
    },
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("project")
    (folder / "jobs").mkdir()
    (folder / "medallion.toml").write_text("parallelism = 2\n")
    (folder / "jobs" / "branches.json").write_text(json.dumps(JOBS["branches"]))
    yield folder
    end_everything(Settings.load(folder, environ={}))


@pytest.fixture(scope="module")
def medallion(project: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def call(*arguments: str, seconds: float = 400) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [MEDALLION, *arguments],
            cwd=project,
            env=clean_environment(),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    return call


def clean_environment() -> dict[str, str]:
    dropped = ("AIRFLOW_", "MEDALLION_", "DATABRICKS_")
    return {name: value for name, value in os.environ.items() if not name.startswith(dropped)}


def results(told: dict[str, Any]) -> dict[str, str]:
    return {task["task_key"]: task["result_state"] for task in told["tasks"]}


def wait_until(condition_holds: Callable[[], bool], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition_holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.2)


def test_a_run_without_a_scheduler_tells_its_tasks_as_one_json_object(project: Path, medallion: Any) -> None:
    done = medallion("run", "two branches", "-p", "x=2", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["job"], told["life_cycle_state"], told["result_state"]) == ("two branches", "TERMINATED", "SUCCESS")
    assert results(told) == {"ask": "SUCCESS", "yes": "EXCLUDED", "no": "SUCCESS"}
    times = [(task["start_time"], task["end_time"]) for task in told["tasks"] if task["attempts"]]
    assert len(times) == 2
    assert all(told["start_time"] <= start <= end <= told["end_time"] for start, end in times)
    wait_until(lambda: str(told["run_id"]) in runs_in_system_tables(project))


def runs_in_system_tables(project: Path) -> list[str]:
    table = DeltaTable(str(project / ".medallion" / "lake" / "system" / "lakeflow" / "job_run_timeline"))
    return list(table.to_pyarrow_table(columns=["run_id"]).column("run_id").to_pylist())


def test_a_job_outside_the_jobs_folder_runs_though_its_name_is_taken(medallion: Any, tmp_path: Path) -> None:
    other = {"name": "two branches", "tasks": [condition("elsewhere")]}
    (tmp_path / "copy.json").write_text(json.dumps(other))
    done = medallion("run", str(tmp_path / "copy.json"), "--json")
    assert done.returncode == 0, done.stderr
    assert results(json.loads(done.stdout)) == {"elsewhere": "SUCCESS"}


def test_a_failed_run_has_status_1_and_shows_the_end_of_the_log(medallion: Any, tmp_path: Path) -> None:
    # Only numbers can be compared so, and the parameter's value is known in the run alone.
    task = condition("bad", "{{job.parameters.x}}")
    task["condition_task"]["op"] = "GREATER_THAN"
    failing = {"name": "wrong", "parameters": [{"name": "x", "default": "gone"}], "tasks": [task]}
    (tmp_path / "wrong.json").write_text(json.dumps(failing))
    done = medallion("run", str(tmp_path / "wrong.json"))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "bad: FAILED" in done.stdout
    assert "gone" in done.stdout.split("--- bad")[1]


def test_a_job_that_starts_another_waits_for_it_without_a_scheduler(medallion: Any, tmp_path: Path) -> None:
    call = {"task_key": "call", "run_job_task": {"job_id": ids.job_id("two_branches")}}
    (tmp_path / "parent.json").write_text(json.dumps({"name": "parent", "tasks": [call]}))
    done = medallion("run", str(tmp_path / "parent.json"), "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert results(json.loads(done.stdout)) == {"call": "SUCCESS"}


def test_ctrl_c_cancels_the_run_and_leaves_nothing_behind(project: Path, tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    (tmp_path / "slow.json").write_text(json.dumps({**JOBS["slow"]}))
    process = subprocess.Popen(
        [MEDALLION, "run", str(tmp_path / "slow.json"), "--json"],
        cwd=project,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    logs = project / ".medallion" / "logs" / "tasks" / "dag_id=slow"
    wait_until(lambda: any("sleeping" in file.read_text() for file in logs.rglob("attempt=1.log")), 300)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 1, errors
    told = json.loads(out)
    assert told["result_state"] == "CANCELED"
    assert results(told)["sleep"] == "CANCELED"
    assert not any((project / ".medallion" / "airflow" / "local_runs").iterdir())
    sleeping = [
        item for item in psutil.process_iter(["cmdline"]) if str(tmp_path) in " ".join(item.info["cmdline"] or ())
    ]
    assert sleeping == []


def test_airflow_comes_up_serves_a_run_survives_a_death_and_goes_down(project: Path, medallion: Any) -> None:
    settings = Settings.load(project, environ={})
    port = free_port("127.0.0.1", 18480)
    begun = time.monotonic()
    done = medallion("up", "--detach", "--port", str(port), "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    print(f"healthy after {time.monotonic() - begun:.1f} s")
    record = Record.read(settings.home / "up.json")
    assert record is not None
    assert record.ready
    try:
        check_served_run(medallion)
        check_second_start(medallion)
        check_restart(settings, record)
        check_without_the_supervisor(medallion, record)
    finally:
        down = medallion("down")
    assert down.returncode == 0, down.stderr
    assert not any(identity.alive for identity in (record.supervisor, *record.components.values()))
    assert marked(settings.home) == []
    assert not (settings.home / "up.json").exists()
    assert json.loads(medallion("status", "--json").stdout)["state"] == "down"


def check_served_run(medallion: Any) -> None:
    done = medallion("run", "two branches", "--only", "ask,yes", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert results(json.loads(done.stdout)) == {"ask": "SUCCESS", "yes": "SUCCESS"}


def check_second_start(medallion: Any) -> None:
    second = medallion("up", "--port", "18999")
    assert second.returncode == 2
    assert "is up already" in second.stderr


def check_without_the_supervisor(medallion: Any, record: Record) -> None:
    """A living scheduler takes up each task of its database, whoever looks after it."""
    os.kill(record.supervisor.pid, signal.SIGKILL)
    wait_until(lambda: not record.supervisor.alive)
    for command in (("run", "two branches"), ("runs",)):
        done = medallion(*command)
        assert done.returncode == 2, done.stdout
        assert "medallion down" in done.stderr
    assert json.loads(medallion("status", "--json").stdout)["state"] == "abandoned"


def check_restart(settings: Settings, record: Record) -> None:
    victim = record.components["triggerer"]
    os.kill(victim.pid, signal.SIGKILL)

    def again() -> bool:
        now = Record.read(settings.home / "up.json")
        return now is not None and now.components["triggerer"] != victim and now.components["triggerer"].alive

    wait_until(again)

"""The jobs service under `medallion up`: a row for every run, whatever is killed between the run's end and the row."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from factory.lab import ask

from medallion.components.ports import free_port
from medallion.components.record import Record
from medallion.components.sweep import end_everything, marked
from medallion.compute.processes import Identity
from medallion.settings import Settings

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

MEDALLION = Path(sys.executable).parent / "medallion"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("project")
    (folder / "jobs").mkdir()
    (folder / "medallion.toml").write_text("parallelism = 2\n")
    (folder / "jobs" / "quick.json").write_text(json.dumps({"name": "quick", "tasks": [ask("one"), ask("two")]}))
    yield folder
    end_everything(Settings.load(folder, environ={}))


def medallion(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    variables = {name: text for name, text in os.environ.items() if not name.startswith(("AIRFLOW_", "MEDALLION_"))}
    command = [MEDALLION, *arguments]
    return subprocess.run(command, cwd=project, env=variables, capture_output=True, text=True, timeout=400)


def wait_until(condition_holds: Callable[[], bool], seconds: float = 120) -> float:
    begun = time.monotonic()
    while not condition_holds():
        assert time.monotonic() - begun < seconds, "it did not happen in time"
        time.sleep(0.1)
    return time.monotonic() - begun


def rows(project: Path, name: str) -> list[dict[str, Any]]:
    place = project / ".medallion" / "lake" / "system" / "lakeflow" / name
    return DeltaTable(str(place)).to_pyarrow_table().to_pylist()


def run(project: Path) -> str:
    done = medallion(project, "run", "quick", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return str(json.loads(done.stdout)["run_id"])


def components(project: Path) -> dict[str, Identity]:
    record = Record.read(project / ".medallion" / "up.json")
    assert record is not None
    return dict(record.components)


def has_row(project: Path, number: str) -> bool:
    return any(row["run_id"] == number for row in rows(project, "job_run_timeline"))


def test_no_run_is_lost_or_told_twice_when_service_and_scheduler_are_killed(project: Path) -> None:
    up = medallion(project, "up", "--detach", "--port", str(free_port("127.0.0.1", 18580)), "--json")
    assert up.returncode == 0, up.stdout + up.stderr
    told = json.loads(medallion(project, "status", "--json").stdout)
    assert told["components"]["jobs-service"]["state"] == "healthy"
    assert rows(project, "job_run_timeline") == [], "tables are there before the first run"
    first = run(project)
    print(f"row {wait_until(lambda: has_row(project, first)):.1f} s after the command ended")

    before = components(project)
    # The service sees nothing of this run until it is killed and started again.
    os.kill(before["jobs-service"].pid, signal.SIGSTOP)
    second = run(project)
    assert not has_row(project, second)
    for name in ("jobs-service", "scheduler"):
        os.kill(before[name].pid, signal.SIGKILL)
    print(f"row {wait_until(lambda: has_row(project, second)):.1f} s after the death of both")
    again = components(project)
    assert all(again[name] != before[name] for name in ("jobs-service", "scheduler"))
    assert Counter(row["run_id"] for row in rows(project, "job_run_timeline")) == {first: 1, second: 1}
    tasks = Counter((row["job_run_id"], row["task_key"]) for row in rows(project, "job_task_run_timeline"))
    assert tasks == {(number, key): 1 for number in (first, second) for key in ("one", "two")}

    shutil.rmtree(project / ".medallion" / "lake" / "system" / "lakeflow" / "job_run_timeline")
    rebuilt = medallion(project, "system-tables", "rebuild", "--json")
    assert json.loads(rebuilt.stdout)["rows"]["system.lakeflow.job_run_timeline"] == 2, rebuilt.stderr
    third = run(project)
    wait_until(lambda: has_row(project, third))

    assert medallion(project, "down").returncode == 0
    assert marked(project / ".medallion") == []

"""`medallion runs`, `cancel` and `repair` as a user types them, without a scheduler."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from components.test_starts import MEDALLION, Served, ask, script, wait_until

from medallion.components.sweep import end_everything

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

WORK = """\
import sys, time
from pathlib import Path
Path(sys.argv[1]).open("a").write(sys.argv[2] + " ")
time.sleep(float(sys.argv[3]))
"""


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A project without a scheduler, and one run that was cancelled."""
    project = tmp_path_factory.mktemp("project")
    (project / "jobs").mkdir()
    (project / "medallion.toml").write_text("parallelism = 2\n")
    (project / "jobs" / "work.py").write_text(WORK)
    alone = Served(project)
    told = str(project / "nightly.txt")
    work = script("work", "work.py", told, "{{job.repair_count}}", "{{job.parameters.pause}}")
    after = {**ask("after"), "depends_on": [{"task_key": "work"}]}
    alone.write("nightly", parameters=[{"name": "pause", "default": "300"}], tasks=[ask("first"), work, after])
    yield alone
    end_everything(alone.settings)


def test_nothing_has_run_yet(alone: Served) -> None:
    assert alone.json("runs") == {"runs": []}
    done = alone.medallion("cancel", "latest", "--job", "nightly")
    assert done.returncode != 0
    assert "no run latest goes on" in done.stderr


def test_a_run_is_cancelled_from_another_terminal(alone: Served) -> None:
    dropped = ("AIRFLOW_", "MEDALLION_", "DATABRICKS_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    command = [MEDALLION, "run", "nightly", "--json"]
    run = subprocess.Popen(command, cwd=alone.project, env=environment, stdout=subprocess.PIPE, text=True)
    wait_until(lambda: alone.told("nightly"))
    refused = alone.medallion("cancel", "latest", "--job", "nightly", "--task", "wrk")
    assert "could not be cancelled" in refused.stderr
    begun = time.monotonic()
    told = alone.json("cancel", "latest", "--job", "nightly")
    assert set(told["canceled"]) == {"work", "after"}
    out, _ = run.communicate(timeout=60)
    assert time.monotonic() - begun < 60
    assert run.returncode == 1
    found = json.loads(out)
    assert found["result_state"] == "CANCELED"
    assert found["termination_details"]["code"] == "USER_CANCELED"
    states = {task["task_key"]: task["result_state"] for task in found["tasks"]}
    assert states == {"first": "SUCCESS", "work": "CANCELED", "after": "UPSTREAM_CANCELED"}


def test_the_run_is_repaired_and_shown(alone: Served) -> None:
    done = alone.medallion("repair", "latest", "--job", "nightly", "-p", "pause=0", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert [part["result_state"] for part in told["repair_history"]] == ["CANCELED", "SUCCESS"]
    assert alone.told("nightly") == ["0 1 "]
    (listed,) = alone.json("runs", "nightly", "--completed")["runs"]
    assert (listed["result_state"], listed["repairs"]) == ("SUCCESS", 1)
    output = alone.json("runs", "output", str(listed["run_id"]), "work")
    assert (output["attempt_number"], output["result_state"]) == (1, "SUCCESS")
    assert Path(output["log_file"]).name == "attempt=2.log"

"""The follower of runs tells each change once and in order, from what Airflow's database holds."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from factory.lab import PROJECT, Lab, Ran, stub

from medallion.components.configuration import environment

pytestmark = pytest.mark.airflow

SCRIPT = Path(__file__).with_name("follow_script.py")


@pytest.fixture(scope="module")
def look(lab: Lab) -> Callable[..., list[dict[str, Any]]]:
    """One look of a jobs service in a process of its own; what it told."""

    def run(*troubles: str) -> list[dict[str, Any]]:
        done = subprocess.run(
            [sys.executable, str(SCRIPT), *troubles],
            env=environment(lab.settings),
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    return run


@pytest.fixture(scope="module")
def ran(lab: Lab) -> Ran:
    tasks = [
        stub("first", "ok"),
        stub("tries", "fail_first", "1", "{{task.execution_count}}", after=("first",), max_retries=1),
        stub("breaks", "fail", after=("first",)),
        stub("never", "ok", after=("breaks",)),
    ]
    return lab.run({"name": "followed", "tasks": tasks})


def test_every_change_is_told_once_in_order_and_again_when_it_was_not_taken(
    ran: Ran, look: Callable[..., list[dict[str, Any]]]
) -> None:
    told = [item for item in look("tries") if item["dag"] == "followed"]
    names = [(item["kind"], item["task"], item["attempt"]) for item in told]
    assert names[0] == ("run_started", None, 0)
    assert names[-1] == ("run_ended", None, 0)
    assert len(set(names)) == len(names)
    assert names.index(("task_ended", "first", 1)) < names.index(("attempt_started", "breaks", 1))
    assert {(item["task"], item["result"]) for item in told if item["kind"] == "task_ended"} == {
        ("first", "SUCCESS"),
        ("tries", "SUCCESS"),
        ("breaks", "FAILED"),
        ("never", "UPSTREAM_FAILED"),
    }
    tries = [(item["kind"], item["attempt"], item["last"], item["result"]) for item in told if item["task"] == "tries"]
    assert tries == [
        ("attempt_started", 1, False, "FAILED"),
        ("attempt_ended", 1, False, "FAILED"),
        ("attempt_started", 2, False, "SUCCESS"),
        ("attempt_ended", 2, True, "SUCCESS"),
        ("task_ended", 2, True, "SUCCESS"),
    ]
    assert {item["result"] for item in told if item["kind"] == "run_ended"} == {ran.result}
    assert [item for item in look() if item["dag"] == "followed"] == []

"""A parse, a refresh and a task's start take no more calls than their budgets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from budgets import BUDGETS, over_budget

PROGRAM = Path(__file__).with_name("counted_work.py")
JOBS = 50


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, float]]:
    """Calls of each piece of work by place, counted in a process of its own whose environment is always the same."""
    folder = tmp_path_factory.mktemp("work")
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    environment |= {
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
        "PYTHONHASHSEED": "0",
    }
    command = [sys.executable, str(PROGRAM), str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, dict[str, float]] = json.loads(done.stdout.splitlines()[-1])
    found["parse of a job"] = {place: calls / JOBS for place, calls in found["parse of a job"].items()}
    return found


@pytest.mark.airflow
@pytest.mark.parametrize("work", [name for name in BUDGETS if name != "attach to a driver"])
def test_work_keeps_within_its_budget(counted: dict[str, dict[str, float]], work: str) -> None:
    said = over_budget(work, counted[work])
    assert not said, said


def test_more_than_the_budget_says_by_how_much_and_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BUDGETS, "parse of a job", 100)
    assert over_budget("parse of a job", {"medallion/a.py:f": 60, "medallion/b.py:g": 40}) == ""
    said = over_budget("parse of a job", {"medallion/a.py:f": 70, "medallion/b.py:g": 40, "medallion/a.py:h": 15})
    assert said.splitlines()[0] == "parse of a job: 125 calls, 25% over the budget of 100"
    assert [line.split() for line in said.splitlines()[2:4]] == [["85", "medallion/a.py"], ["40", "medallion/b.py"]]
    assert said.splitlines()[5].split() == ["70", "medallion/a.py:f"]

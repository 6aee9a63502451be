"""Which runs of other jobs a cancel goes down to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medallion.runs.cancel import child_runs
from medallion.runs.records import run_folder

STARTED = {
    "call/1": ("call", -1),
    "each/0/1": ("loop", 0),
    "each/1/1": ("loop", 1),
    "each/1/2": ("loop", 1),
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A run that started four others; each is named after the attempt that did."""
    for place, (task_key, map_index) in STARTED.items():
        folder = run_folder(tmp_path, "parent", "r") / place
        folder.mkdir(parents=True)
        facts = {"dag_id": "child", "airflow_run_id": place, "task_key": task_key, "map_index": map_index}
        (folder / "child.json").write_text(json.dumps(facts))
    return tmp_path


@pytest.mark.parametrize(
    ("task_key", "map_index", "found"),
    [
        pytest.param(None, None, [*STARTED], id="all of the run"),
        pytest.param("call", None, ["call/1"], id="of a task"),
        pytest.param("loop", None, ["each/0/1", "each/1/1", "each/1/2"], id="of a for-each task, whatever runs inside"),
        pytest.param("loop", 1, ["each/1/1", "each/1/2"], id="of an iteration"),
        pytest.param("other", None, [], id="of a task that started none"),
    ],
)
def test_the_runs_that_a_task_started(
    home: Path, task_key: str | None, map_index: int | None, found: list[str]
) -> None:
    assert child_runs(home, "parent", "r", task_key, map_index) == [("child", place) for place in found]


def test_what_cannot_be_read_hides_no_other(home: Path) -> None:
    (run_folder(home, "parent", "r") / "call" / "1" / "child.json").write_text("{")
    assert len(child_runs(home, "parent", "r")) == 3

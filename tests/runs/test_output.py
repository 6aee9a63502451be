"""Which attempt is meant, and what it left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from medallion.errors import RunError
from medallion.runs.output import attempt_of, output_of
from medallion.runs.report import report
from medallion.runs.shape import Shape
from medallion.runs.snapshot import Instance, Snapshot

SHAPE = Shape("j", {"a": (), "each": ("a",), "b": ("a",)}, loops={"each": "one"})


def shown(home: Path) -> dict[str, Any]:
    """A run: `a` failed and was tried again, one iteration of `each` failed, `b` did not run."""
    for place, result in {
        "a/1": {"success": False, "failure": {"kind": "ValueError", "message": "no", "trace": "Traceback: no"}},
        "a/2": {"success": True, "exit_value": "42"},
        "one/1/1": {"success": False, "failure": {"kind": "DriverLost", "message": "gone"}},
    }.items():
        folder = home / "runs" / "j" / "r" / place
        folder.mkdir(parents=True)
        (folder / "result.json").write_text(json.dumps(result))
    (home / "runs" / "j" / "r" / "a" / "2" / "notebook.ipynb").write_text("{}")
    instances = (
        Instance("a", state="success", try_number=2, start=3, end=4),
        Instance("each.iteration", 0, "success", 1, 4, 5),
        Instance("each.iteration", 1, "failed", 1, 4, 5),
        Instance("b", state="upstream_failed"),
    )
    earlier = (Instance("a", state="failed", try_number=1, start=1, end=2),)
    run = Snapshot("j", "r", "failed", 1, 9, instances, history=earlier)
    return {**report(SHAPE, run, home).to_json(), "dag_id": "j", "loops": dict(SHAPE.loops)}


def test_attempts_are_told_from_the_first_to_the_latest(tmp_path: Path) -> None:
    run = shown(tmp_path)
    task = run["tasks"][0]
    assert [(item["attempt_number"], item["result_state"]) for item in task["attempt_history"]] == [
        (0, "FAILED"),
        (1, "SUCCESS"),
    ]
    assert task["attempt_history"][0]["termination_details"] == {
        "code": "RUN_EXECUTION_ERROR",
        "type": "CLIENT_ERROR",
        "message": "ValueError: no",
    }
    assert task["run_id"] == task["attempt_history"][1]["run_id"] != task["attempt_history"][0]["run_id"]


@pytest.mark.parametrize(
    ("task", "attempt", "iteration", "expected"),
    [
        pytest.param("a", None, None, {"exit_value": "42", "result_state": "SUCCESS", "error": None}, id="the latest"),
        pytest.param("a", 0, None, {"error": "no", "error_trace": "Traceback: no", "notebook": None}, id="the first"),
        pytest.param("each", None, 1, {"error": "gone", "result_state": "FAILED"}, id="an iteration"),
        pytest.param("b", None, None, {"error": None, "result_state": "UPSTREAM_FAILED"}, id="a task that did not run"),
    ],
)
def test_what_an_attempt_left(
    tmp_path: Path, task: str, attempt: int | None, iteration: int | None, expected: dict[str, Any]
) -> None:
    run = shown(tmp_path)
    told = output_of(tmp_path, run, task, attempt_of(run, task, attempt, iteration))
    assert {name: told[name] for name in expected} == expected


def test_a_lost_driver_has_a_code_of_its_own(tmp_path: Path) -> None:
    iteration = shown(tmp_path)["tasks"][1]["iterations"][1]
    assert iteration["termination_details"]["code"] == "DRIVER_ERROR"


@pytest.mark.parametrize(
    ("task", "attempt", "iteration", "told"),
    [
        pytest.param("c", None, None, "no task 'c'", id="task"),
        pytest.param("a", 2, None, "no attempt 2", id="attempt"),
        pytest.param("each", None, 2, "no iteration 2", id="iteration"),
        pytest.param("each", None, None, "is a loop", id="loop"),
    ],
)
def test_what_is_not_there_is_said(
    tmp_path: Path, task: str, attempt: int | None, iteration: int | None, told: str
) -> None:
    with pytest.raises(RunError, match=told):
        attempt_of(shown(tmp_path), task, attempt, iteration)

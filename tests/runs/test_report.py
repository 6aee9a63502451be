"""A run's report from Airflow's task instances."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from medallion.runs.notes import change_notes
from medallion.runs.report import report
from medallion.runs.snapshot import Instance, Snapshot
from medallion.spec.job import Job


def job(*tasks: dict[str, Any], **settings: Any) -> Job:
    return Job.model_validate(
        {"name": "j", "tasks": [{"condition_task": CONDITION, **task} for task in tasks], **settings}
    )


CONDITION = {"op": "EQUAL_TO", "left": "1", "right": "1"}
CHAIN = job({"task_key": "a"}, {"task_key": "b", "depends_on": [{"task_key": "a"}]})


def snapshot(*instances: Instance, state: str = "success", **more: Any) -> Snapshot:
    return Snapshot("j", "manual__1", state, 100.0, 110.0, instances, **more)


def test_tasks_come_in_the_order_of_the_job_with_times_in_milliseconds() -> None:
    told = report(
        CHAIN,
        snapshot(
            Instance("cluster.start", state="success", try_number=1, start=100, end=101),
            Instance("b", state="success", try_number=2, start=105.5, end=106),
            Instance("a", state="success", try_number=1, start=101, end=102.25),
        ),
    ).to_json()
    assert [task["task_key"] for task in told["tasks"]] == ["a", "b"]
    first = told["tasks"][0]
    assert first["termination_details"] == {"code": "SUCCESS", "type": "SUCCESS", "message": ""}
    assert {name: first[name] for name in ("task_key", "life_cycle_state", "result_state", "attempts")} == {
        "task_key": "a",
        "life_cycle_state": "TERMINATED",
        "result_state": "SUCCESS",
        "attempts": 1,
    }
    assert (first["start_time"], first["end_time"]) == (101_000, 102_250)
    assert told["tasks"][1]["attempts"] == 2
    assert (told["job"], told["life_cycle_state"], told["result_state"]) == ("j", "TERMINATED", "SUCCESS")
    assert (told["start_time"], told["end_time"]) == (100_000, 110_000)
    assert isinstance(told["run_id"], int)


def test_a_task_that_did_not_run_has_no_attempts_and_no_times() -> None:
    told = report(
        CHAIN,
        snapshot(
            Instance("a", state="failed", try_number=3, start=1, end=2),
            Instance("b", state="upstream_failed", try_number=1, start=2, end=2),
            state="failed",
        ),
    )
    assert [(task.attempts, task.state.result) for task in told.tasks] == [(3, "FAILED"), (0, "UPSTREAM_FAILED")]
    assert told.tasks[1].start_time == told.tasks[1].end_time == 0
    assert told.state.result == "FAILED"


def test_a_run_that_goes_has_no_end() -> None:
    told = report(CHAIN, snapshot(Instance("a", state="running", try_number=1, start=101), state="running")).to_json()
    assert (told["life_cycle_state"], told["result_state"], told["end_time"]) == ("RUNNING", None, 0)
    assert [task["life_cycle_state"] for task in told["tasks"]] == ["RUNNING", "BLOCKED"]


@pytest.mark.parametrize(("seconds", "result"), [(9.9, "FAILED"), (10.0, "TIMEDOUT")])
def test_a_failed_task_that_ran_as_long_as_its_limit_timed_out(seconds: float, result: str) -> None:
    notebook = {"notebook_task": {"notebook_path": "n"}, "condition_task": None, "timeout_seconds": 10}
    told = report(
        job({"task_key": "a", **notebook}),
        snapshot(Instance("a", state="failed", try_number=1, start=50, end=50 + seconds), state="failed"),
    )
    assert told.tasks[0].state.result == result
    assert told.state.result == "FAILED"


def test_a_run_past_its_limit_timed_out_and_its_waiting_tasks_were_cancelled() -> None:
    told = report(
        job({"task_key": "a"}, timeout_seconds=10),
        snapshot(Instance("a", state="skipped", try_number=0), state="failed"),
    )
    assert told.state.result == "TIMEDOUT"


def test_a_cancelled_run_says_so() -> None:
    told = report(
        CHAIN,
        snapshot(
            Instance("a", state="failed", try_number=1, start=1, end=2), Instance("b", state="skipped"),
            state="failed", canceled=True,
        ),
    )  # fmt: skip
    assert [told.state.result, *(task.state.result for task in told.tasks)] == [
        *("CANCELED", "CANCELED", "UPSTREAM_CANCELED"),
    ]


def test_only_the_chosen_tasks_are_part_of_a_partial_run() -> None:
    instances = (
        Instance("a", state="success", try_number=1, start=1, end=2),
        Instance("b", state="failed", try_number=1, start=1, end=2),
    )
    told = report(CHAIN, snapshot(*instances, only=("a",)))
    assert [task.task_key for task in told.tasks] == ["a"]
    assert told.state.result == "SUCCESS"


def test_disabled_tasks_and_what_they_block_are_disabled() -> None:
    told = report(
        job({"task_key": "a", "disabled": True}, {"task_key": "b", "depends_on": [{"task_key": "a"}]}),
        snapshot(Instance("a", state="skipped", try_number=1), Instance("b", state="skipped", try_number=1)),
    )
    assert [task.state.result for task in told.tasks] == ["DISABLED", "DISABLED"]
    assert told.state.result == "SUCCESS"


FOR_EACH = job(
    {
        "task_key": "each",
        "condition_task": None,
        "for_each_task": {"inputs": "[1,2]", "task": {"task_key": "one", "notebook_task": {"notebook_path": "n"}}},
    }
)


def test_a_disabled_for_each_task_is_disabled() -> None:
    task = {**FOR_EACH.to_json()["tasks"][0], "disabled": True}
    told = report(job(task), snapshot(Instance("each", state="skipped", try_number=1)))
    assert told.tasks[0].state.result == "DISABLED"


def test_a_for_each_task_lists_its_iterations() -> None:
    told = report(
        FOR_EACH,
        snapshot(
            Instance("each.inputs", state="success", try_number=1, start=1, end=2),
            Instance("each.iteration", 1, "failed", 2, 3, 9),
            Instance("each.iteration", 0, "success", 1, 2, 4),
            state="failed",
        ),
    ).to_json()["tasks"][0]
    assert (told["result_state"], told["attempts"], told["start_time"], told["end_time"]) == ("FAILED", 2, 2000, 9000)
    assert [(item["result_state"], item["attempts"]) for item in told["iterations"]] == [("SUCCESS", 1), ("FAILED", 2)]


@pytest.mark.parametrize(
    ("inputs", "mapped", "result"),
    [
        pytest.param("success", "skipped", "SUCCESS", id="no inputs"),
        pytest.param("failed", "upstream_failed", "FAILED", id="inputs that cannot be worked out"),
        pytest.param("skipped", "skipped", "EXCLUDED", id="excluded"),
        pytest.param("upstream_failed", "upstream_failed", "UPSTREAM_FAILED", id="upstream failed"),
    ],
)
def test_a_for_each_task_without_iterations(inputs: str, mapped: str, result: str) -> None:
    told = report(
        FOR_EACH, snapshot(Instance("each.inputs", state=inputs, try_number=1), Instance("each.iteration", -1, mapped))
    )
    assert told.tasks[0].state.result == result
    assert told.tasks[0].to_json()["iterations"] == []


@pytest.mark.parametrize(
    ("other", "result"),
    [
        pytest.param(Instance("b", state="success", try_number=1, start=1, end=2), "UPSTREAM_CANCELED", id="good"),
        pytest.param(Instance("b", state="failed", try_number=1, start=1, end=2), "UPSTREAM_FAILED", id="failed"),
        pytest.param(
            Instance("b", state="failed", try_number=1, start=1, end=2, canceled=True),
            "UPSTREAM_CANCELED",
            id="cancelled",
        ),
    ],
)
def test_behind_a_cancelled_task_and_another(other: Instance, result: str) -> None:
    told = report(
        job(
            {"task_key": "a"},
            {"task_key": "b"},
            {"task_key": "c", "depends_on": [{"task_key": "a"}, {"task_key": "b"}]},
        ),
        snapshot(
            Instance("a", state="failed", try_number=1, start=1, end=2, canceled=True),
            other,
            Instance("c", state="upstream_failed"),
            state="failed",
        ),
    )
    assert told.tasks[2].state.result == result
    assert told.tasks[0].state.result == "CANCELED"


def test_only_what_a_cancel_ended_is_cancelled() -> None:
    tasks = [{"task_key": key} for key in "abc"]
    told = report(
        job(*tasks),
        snapshot(
            Instance("a", state="failed", try_number=1, start=1, end=2),
            Instance("b", state="skipped", try_number=1, start=1, end=2),
            Instance("c", state="failed", try_number=1, start=1, end=3, canceled=True),
            state="failed",
            canceled=True,
        ),
    )
    assert [task.state.result for task in told.tasks] == ["FAILED", "EXCLUDED", "CANCELED"]
    assert told.state.result == "CANCELED"
    assert told.termination is not None
    assert told.termination.to_json() == {
        "code": "USER_CANCELED",
        "type": "CLIENT_ERROR",
        "message": "a person ended it",
    }


@pytest.mark.parametrize(
    ("note", "life_cycle", "result", "code"),
    [
        pytest.param({"code": "CANCELED", "result": "TIMEDOUT"}, "TERMINATED", "TIMEDOUT", "CANCELED", id="time-out"),
        pytest.param(
            {"code": "MAX_CONCURRENT_RUNS_EXCEEDED"},
            *("SKIPPED", "MAXIMUM_CONCURRENT_RUNS_REACHED", "MAX_CONCURRENT_RUNS_EXCEEDED"),
            id="no place",
        ),
        pytest.param({}, "TERMINATED", "FAILED", "RUN_EXECUTION_ERROR", id="failed"),
    ],
)
def test_the_run_s_note_says_how_it_ended(
    tmp_path: Path, note: dict[str, str], life_cycle: str, result: str, code: str
) -> None:
    change_notes(tmp_path, "j", "manual__1", lambda notes: {**notes, "termination": note})
    run = snapshot(Instance("a", state="failed", try_number=1, start=1, end=2), state="failed")
    told = report(job({"task_key": "a"}), run, tmp_path).to_json()
    assert (told["life_cycle_state"], told["result_state"]) == (life_cycle, result)
    assert told["termination_details"]["code"] == code


def test_a_task_that_was_killed_with_all_around_it_says_that_it_left_no_record(tmp_path: Path) -> None:
    run = snapshot(Instance("a", state="failed", try_number=1, start=1, end=2), state="failed")
    (task,) = report(job({"task_key": "a"}), run, tmp_path).tasks
    assert task.termination is not None
    assert task.termination.message.startswith("it left no record of why")


LOOP = {
    "task_key": "loop",
    "for_each_task": {"inputs": "[1, 2, 3]", "task": {"task_key": "each", "condition_task": CONDITION}},
}


def record(home: Path, place: str, kind: str, message: str) -> None:
    """What an attempt left: `place` is its folder in the run's."""
    folder = home / "runs" / "j" / "manual__1" / place
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(
        json.dumps({"success": False, "failure": {"kind": kind, "message": message, "trace": ""}})
    )


def test_a_loop_says_how_many_iterations_failed_and_why_the_first_did(tmp_path: Path) -> None:
    record(tmp_path, "each/1/1", "ValueError", "bad element 2")
    states = ("success", "failed", "failed")
    iterations = [Instance("loop.iteration", index, state, 1, start=1, end=2) for index, state in enumerate(states)]
    inputs = Instance("loop.inputs", state="success", try_number=1, start=1, end=2)
    whole = Instance("loop", state="upstream_failed")
    told = report(
        Job.model_validate({"name": "j", "tasks": [LOOP]}),
        snapshot(inputs, *iterations, whole, state="failed"),
        tmp_path,
    ).to_json()
    expected = "2 of 3 iterations failed: ValueError: bad element 2"
    assert told["tasks"][0]["termination_details"]["message"] == expected
    assert told["termination_details"]["message"] == f"Task loop failed with message: {expected}"


def test_a_loop_whose_inputs_are_wrong_has_their_attempt_and_reason(tmp_path: Path) -> None:
    record(tmp_path, "loop/1", "MedallionError", "inputs are text, not an array")
    inputs = Instance("loop.inputs", state="failed", try_number=1, start=1, end=2)
    others = [Instance(name, state="upstream_failed") for name in ("loop.iteration", "loop")]
    (task,) = report(
        Job.model_validate({"name": "j", "tasks": [LOOP]}), snapshot(inputs, *others, state="failed"), tmp_path
    ).to_json()["tasks"]
    assert task["termination_details"]["message"] == "MedallionError: inputs are text, not an array"
    assert [item["attempt_number"] for item in task["attempt_history"]] == [0]


def test_a_task_whose_job_cluster_did_not_start_says_so(tmp_path: Path) -> None:
    record(tmp_path, "shared.start/3", "TargetError", "no Java was found")
    start = Instance("shared.start", state="failed", try_number=3, start=1, end=2)
    run = snapshot(start, *(Instance(key, state="upstream_failed") for key in "ab"), state="failed")
    told = report(CHAIN, run, tmp_path).to_json()
    first, second = told["tasks"]
    assert (first["result_state"], second["result_state"]) == ("FAILED", "UPSTREAM_FAILED")
    assert first["termination_details"] == {
        "code": "CLUSTER_ERROR",
        "type": "CLIENT_ERROR",
        "message": "ClusterError: job cluster shared did not start: no Java was found",
    }
    assert "job cluster shared did not start: no Java was found" in told["termination_details"]["message"]

"""Repairs as real runs: what runs again, with what, and what the record says."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from factory.lab import Lab, Ran, ask, bad, stub
from factory.random_jobs import random_job
from factory.simulator import repair, run_result, simulate

from medallion.errors import RunError
from medallion.runs.notes import read_notes

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]


def numbers(ran: Ran) -> dict[str, int]:
    """Airflow's latest try of each task of the job."""
    return {item.task_id: item.try_number for item in ran.snapshot.instances if "." not in item.task_id}


def lab_08(fails: bool) -> dict[str, Any]:
    words = ("fail_first", "1", "{{task.execution_count}}")
    return {
        "name": "lab 08",
        "tasks": [
            ask("ingest"),
            ask("build_dim_tables", after=("ingest",)),
            stub("build_fact_tables", *(words if fails else ("ok",)), after=("ingest",)),
            ask("generate_report", after=("build_dim_tables", "build_fact_tables")),
            stub(
                "send_notification",
                *("print", "{{job.repair_count}}", "{{tasks.build_fact_tables.execution_count}}"),
                after=("generate_report",),
            ),
        ],
    }


@pytest.fixture(scope="module")
def repaired(lab: Lab) -> tuple[Ran, Ran]:
    """The job of LAB 08 before and after its repair."""
    job = lab_08(fails=True)
    before = lab.run(job)
    return before, lab.repair(before, job)


def test_lab_08_the_repair_runs_the_failed_task_and_what_depends_on_it(repaired: tuple[Ran, Ran]) -> None:
    before, after = repaired
    assert before.result == "FAILED"
    assert before.states == {
        "ingest": "SUCCESS",
        "build_dim_tables": "SUCCESS",
        "build_fact_tables": "FAILED",
        "generate_report": "UPSTREAM_FAILED",
        "send_notification": "UPSTREAM_FAILED",
    }
    assert set(after.states.values()) == {"SUCCESS"}
    assert after.result == "SUCCESS"
    ran_again = {key for key, number in numbers(after).items() if number > numbers(before)[key]}
    assert ran_again == {"build_fact_tables", "generate_report", "send_notification"}
    assert after.report.run_id == before.report.run_id


def test_a_repair_is_numbered_and_earlier_attempts_keep_their_logs(repaired: tuple[Ran, Ran]) -> None:
    before, after = repaired
    assert "said|1|2" in after.log("send_notification")
    assert "asked to fail" in after.log("build_fact_tables", attempt=1)
    assert "said" in after.log("build_fact_tables", attempt=2)
    assert {entry.name for entry in after.folder("build_fact_tables").iterdir()} == {"1", "2"}
    task = next(task for task in after.report.tasks if task.task_key == "build_fact_tables")
    assert [(item.attempts, str(item.state.result)) for item in task.history] == [(1, "FAILED"), (2, "SUCCESS")]
    assert task.history[0].failure is not None
    assert task.history[0].failure["message"] == "asked to fail"
    del before


def test_a_repair_is_recorded(repaired: tuple[Ran, Ran]) -> None:
    before, after = repaired
    first, second = after.report.to_json()["repair_history"]
    assert (first["type"], first["result_state"], first["start_time"]) == (
        "ORIGINAL",
        "FAILED",
        before.report.start_time,
    )
    assert (second["type"], second["result_state"], second["who"]) == ("REPAIR", "SUCCESS", "lab")
    assert second["tasks"] == ["build_fact_tables", "generate_report", "send_notification"]
    assert first["end_time"] <= second["start_time"] <= second["end_time"] == after.report.end_time
    assert after.report.start_time == before.report.start_time
    noted = read_notes(after.home, after.snapshot.dag_id, after.snapshot.run_id)["repairs"]
    assert [(item["result_state"], item["end_time"]) for item in noted] == [("SUCCESS", after.report.end_time)]


def test_a_run_that_succeeded_has_nothing_to_repair_but_what_is_named(lab: Lab, repaired: tuple[Ran, Ran]) -> None:
    after = repaired[1]
    with pytest.raises(RunError, match="succeeded"):
        lab.repair(after, lab_08(fails=False))
    with pytest.raises(RunError, match=r"no task 'ingst'.*did you mean"):
        lab.repair(after, lab_08(fails=False), tasks=("ingst",))


def test_named_tasks_run_again_and_their_successful_dependents_only_when_asked(lab: Lab) -> None:
    tasks = [ask("a"), ask("b", after=("a",)), bad("c", after=("a",)), ask("d", after=("b",))]
    job = {"name": "named", "tasks": tasks}
    first = lab.run(job)
    second = lab.repair(first, job, tasks=("a",))
    assert numbers(second) == {"a": 2, "b": 1, "c": 2, "d": 1}
    third = lab.repair(second, job, tasks=("a",), dependents=True)
    assert numbers(third) == {"a": 3, "b": 2, "c": 3, "d": 2}
    with pytest.raises(RunError, match="latest repair"):
        lab.repair(third, job, tasks=("a",), latest_repair_id=1)


def test_trap_18_a_repair_takes_the_job_as_it_is_now_and_parameters_for_itself_alone(lab: Lab) -> None:
    parameters = [{"name": "x", "default": "1"}, {"name": "y", "default": "1"}]

    def job(words: tuple[str, ...]) -> dict[str, Any]:
        told = ("{{job.parameters.x}}", "{{job.parameters.y}}")
        return {
            "name": "as it is now",
            "parameters": parameters,
            "tasks": [stub("t", *words, *told), ask("after", after=("t",))],
        }

    first = lab.run(job(("fail",)), job_parameters={"x": "given"})
    second = lab.repair(first, job(("print",)), parameters={"y": "new"})
    assert "said|given|new" in second.log("t", attempt=2)
    third = lab.repair(second, "as it is now", tasks=("t",))
    assert "said|given|1" in third.log("t", attempt=3)
    assert first.report.run_id == second.report.run_id == third.report.run_id
    assert [item["parameters"] for item in third.report.repair_history] == [{"x": "given"}, {"y": "new"}, {}]


def test_excluded_tasks_are_judged_anew(lab: Lab) -> None:
    def job(left: str) -> dict[str, Any]:
        first = ask("first", left, "LESS_THAN", "2")
        tasks = [
            first,
            ask("handler", after=("first",), run_if="AT_LEAST_ONE_FAILED"),
            ask("yes", after=("first:true",)),
            ask("last", after=("yes", "handler"), run_if="ALL_DONE"),
        ]
        return {"name": "judged anew", "tasks": tasks}

    before = lab.run(job("apple"))
    assert before.states == {"first": "FAILED", "handler": "SUCCESS", "yes": "UPSTREAM_FAILED", "last": "SUCCESS"}
    assert lab.repair(before, job("1")).states == {
        "first": "SUCCESS",
        "handler": "EXCLUDED",
        "yes": "SUCCESS",
        "last": "SUCCESS",
    }


def test_a_loop_runs_its_failed_iterations_again_with_the_inputs_that_they_had(lab: Lab) -> None:
    inner = stub("one", "fail_first", "{{input}}", "{{task.execution_count}}")
    loop = {"inputs": "{{job.parameters.list}}", "task": inner, "concurrency": 4}
    job = {
        "name": "loop repaired",
        "parameters": [{"name": "list", "default": "[0, 1, 0, 1]"}],
        "tasks": [{"task_key": "each", "for_each_task": loop}, ask("then", after=("each",))],
    }
    before = lab.run(job)
    assert before.states == {"each": "FAILED", "then": "UPSTREAM_FAILED"}
    after = lab.repair(before, job, parameters={"list": "[5]"})
    assert after.states == {"each": "SUCCESS", "then": "SUCCESS"}
    iterations = next(task.iterations for task in after.report.tasks if task.task_key == "each") or ()
    assert [(item.label, item.attempts) for item in iterations] == [("0", 1), ("1", 2), ("0", 1), ("1", 2)]


def test_a_loop_behind_a_repaired_task_runs_again_as_a_whole(lab: Lab) -> None:
    def job(first: dict[str, Any], inputs: str) -> dict[str, Any]:
        loop = {"inputs": inputs, "task": ask("one", "{{input}}", "LESS_THAN", "3")}
        tasks = [first, {"task_key": "each", "depends_on": [{"task_key": "first"}], "for_each_task": loop}]
        tasks[1]["run_if"] = "ALL_DONE"
        return {"name": "loop behind", "tasks": tasks}

    before = lab.run(job(bad("first"), '["a", 1]'))
    assert before.states == {"first": "FAILED", "each": "FAILED"}
    after = lab.repair(before, job(ask("first"), "[1, 2, 1]"))
    assert after.states == {"first": "SUCCESS", "each": "SUCCESS"}
    iterations = next(task.iterations for task in after.report.tasks if task.task_key == "each") or ()
    assert [item.label for item in iterations] == ["1", "2", "1"]


def check_random_repairs(lab: Lab, seed: int, jobs: int) -> None:
    """Many small random jobs as parts of one; in the repair half of the failures are mended."""
    random = Random(seed)
    made = [random_job(random, f"j{number}_", most=8) for number in range(jobs)]
    tasks = [task for job in made for task in job.tasks]
    ends = {key: end for job in made for key, end in job.ends.items()}
    name = f"repaired {seed}"
    before = lab.run({"name": name, "tasks": tasks})
    expected = simulate(tasks, ends)
    assert before.states == expected
    mended = {key for key, end in ends.items() if end == "FAILED" and random.random() < 0.6}
    tasks = [mend(task) if task["task_key"] in mended else task for task in tasks]
    ends |= dict.fromkeys(mended, "true")
    expected = repair(tasks, ends, expected)
    after = lab.repair(before, {"name": name, "tasks": tasks})
    wrong = {key: (state, expected[key]) for key, state in after.states.items() if state != expected[key]}
    assert wrong == {}, json.dumps([task for task in tasks if task["task_key"] in wrong])
    assert after.result == run_result(tasks, expected)


def mend(task: dict[str, Any]) -> dict[str, Any]:
    """A task that failed, changed so that it succeeds."""
    return {**task, "condition_task": {"op": "EQUAL_TO", "left": "1", "right": "1"}}


def test_repaired_random_jobs_end_as_the_rules_say(lab: Lab) -> None:
    check_random_repairs(lab, 1, jobs=5)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200, 205))
def test_many_repaired_random_jobs_end_as_the_rules_say(lab: Lab, seed: int) -> None:
    check_random_repairs(lab, seed, jobs=10)


def test_a_repair_runs_a_disabled_task_that_is_named(lab: Lab) -> None:
    tasks = [ask("a"), ask("off", after=("a",), disabled=True), ask("b", after=("off",), run_if="ALL_DONE")]
    job = {"name": "forced", "tasks": tasks}
    before = lab.run(job)
    assert before.states == {"a": "SUCCESS", "off": "DISABLED", "b": "SUCCESS"}
    assert lab.repair(before, job, tasks=("off",)).states == {"a": "SUCCESS", "off": "SUCCESS", "b": "SUCCESS"}

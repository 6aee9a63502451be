"""For-each tasks as real runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from factory.lab import Lab, Ran, ask, bad, stub

from medallion.spec.check import check_job

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]

SETTER = """# Databricks notebook source
dbutils.jobs.taskValues.set("names", ["x", "y"])
dbutils.jobs.taskValues.set("objects", [{"country": "pl", "rows": 1}, {"country": "de", "rows": 2}])
dbutils.jobs.taskValues.set("flag", True)
dbutils.jobs.taskValues.set("ratio", 0.5)
dbutils.notebook.exit("left")
"""
ITERATION = """# Databricks notebook source
dbutils.jobs.taskValues.set("inside", dbutils.widgets.get("x"))
"""
READER = """# Databricks notebook source
get = dbutils.jobs.taskValues.get
print("inside:", get(taskKey="names_loop", key="inside", default="hidden"))
print("exit:", get(taskKey="setter", key="returnValue"), get("setter", "flag"), get("setter", "objects")[1]["rows"])
try:
    get("stranger", "v")
except Exception as error:
    print("stranger:", type(error).__name__)
"""


def loop(key: str, inputs: str, inner: dict[str, Any], *, after: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    body = {"inputs": inputs, "task": inner, **more}
    edges = {"depends_on": [{"task_key": parent} for parent in after]} if after else {}
    return {"task_key": key, "for_each_task": body, **edges}


def notebook(key: str, name: str, *after: str, **parameters: str) -> dict[str, Any]:
    task = {"notebook_path": name, "base_parameters": parameters}
    edges = {"depends_on": [{"task_key": parent} for parent in after]} if after else {}
    return {"task_key": key, "notebook_task": task, **edges}


@pytest.fixture(scope="module")
def loops(lab: Lab) -> Ran:
    jobs = lab.project / "jobs"
    for name, text in (("setter", SETTER), ("iteration", ITERATION), ("reader", READER)):
        (jobs / f"{name}.py").write_text(text)
    (jobs / "rows.sql").write_text("SELECT id, 'r' || id AS name FROM range(2)")
    names, objects = "{{tasks.setter.values.names}}", "{{tasks.setter.values.objects}}"
    members, count = "{{input.country}}:{{input.rows}}", "{{task.execution_count}}"
    result = "{{tasks.one_fails.result_state}}"
    tasks = [
        notebook("setter", "setter"),
        {"task_key": "rows", "sql_task": {"warehouse_id": "w", "file": {"path": "rows.sql"}}},
        loop("literal", '["a b", 2, true, null]', ask("literal_iteration", "{{input}}", "NOT_EQUAL", "zz")),
        loop(
            "of_parameter", "{{job.parameters.list}}", ask("p_iteration", "{{input}}", "LESS_THAN", "3"), concurrency=3
        ),
        loop(
            "names_loop",
            names,
            notebook("n_iteration", "iteration", x="{{input}}"),
            after=("setter",),
        ),
        loop(
            "of_objects",
            objects,
            stub("o_iteration", "print", members),
            after=("setter",),
        ),
        loop("of_rows", "{{tasks.rows.output.rows}}", stub("r_iteration", "print", "{{input.name}}"), after=("rows",)),
        notebook("reader", "reader", "names_loop"),
        ask("stranger"),
        ask("flag", "{{tasks.setter.values.flag}}", "EQUAL_TO", "true", after=("setter",)),
        ask("flag_is_true", after=("flag:true",)),
        ask("near", "{{tasks.setter.values.flagg}}", after=("setter",)),
        ask("object", "{{tasks.setter.values.objects}}", after=("setter",)),
        ask("ratio", "{{tasks.setter.values.ratio}}", "LESS_THAN", "1", after=("setter",)),
        loop("empty", "[]", ask("e_iteration")),
        ask("after_empty", after=("empty",)),
        # the second of three fails at first, the last one always
        loop(
            "retried",
            "[1, 2, 3]",
            stub("f_iteration", "fail_first", "{{input}}", count, max_retries=2),
        ),
        loop(
            "failing",
            "[5, 1, 2]",
            ask("x_iteration", "{{input}}", "EQUAL_TO", "{{job.parameters.list}}"),
            concurrency=1,
        ),
        loop("one_fails", '["1", "x", "3"]', ask("y_iteration", "{{input}}", "LESS_THAN", "9")),
        ask("after_failed", after=("one_fails",)),
        ask(
            "handler",
            result,
            right="failed",
            after=("one_fails",),
            run_if="AT_LEAST_ONE_FAILED",
        ),
        ask("handler_saw_failed", after=("handler:true",)),
        loop("not_json", "{{job.parameters.text}}", ask("j_iteration")),
        loop("no_array", "{{job.parameters.object}}", ask("k_iteration")),
        loop("too_big", "{{job.parameters.big}}", ask("b_iteration")),
        ask("no", "1", "EQUAL_TO", "2"),
        {**loop("excluded", "[1]", ask("u_iteration")), "depends_on": [{"task_key": "no", "outcome": "true"}]},
        bad("broken"),
        loop("upstream_failed", "[1]", ask("v_iteration"), after=("broken",)),
        {**loop("disabled", "[1]", ask("w_iteration")), "disabled": True},
    ]
    parameters = {"list": "[1, 2]", "text": "a, b", "object": '{"a": 1}', "big": json.dumps(["x" * 60_000])}
    return lab.run(
        {
            "name": "loops",
            "parameters": [{"name": name, "default": value} for name, value in parameters.items()],
            "tasks": tasks,
        }
    )


def iterations(ran: Ran, key: str) -> list[Any]:
    return list(next(task.iterations or () for task in ran.report.tasks if task.task_key == key))


def test_inputs_as_literal_parameter_task_value_and_sql_rows(loops: Ran) -> None:
    keys = ("literal", "of_parameter", "names_loop", "of_objects", "of_rows")
    assert {key: loops.states[key] for key in keys} == dict.fromkeys(keys, "SUCCESS")
    assert [len(iterations(loops, key)) for key in keys] == [4, 2, 2, 2, 2]


def test_input_and_its_members_reach_the_iteration_and_its_own_log(loops: Ran) -> None:
    assert [loops.log("of_objects.iteration", n).count("said|pl:1") for n in (0, 1)] == [1, 0]
    assert "said|de:2" in loops.log("of_objects.iteration", 1)
    assert "said|r1" in loops.log("of_rows.iteration", 1)
    assert (loops.folder("o_iteration") / "1" / "1" / "result.json").is_file()


def test_iterations_have_readable_labels(loops: Ran) -> None:
    assert [item.label for item in iterations(loops, "literal")] == ["a b", "2", "true", "null"]
    assert [item.label for item in iterations(loops, "one_fails")] == ["1", "x", "3"]
    told = next(task for task in loops.report.to_json()["tasks"] if task["task_key"] == "of_objects")
    assert [item["label"] for item in told["iterations"]] == [
        '{"country": "pl", "rows": 1}',
        '{"country": "de", "rows": 2}',
    ]


def test_trap_17_values_of_iterations_are_not_seen_outside(loops: Ran) -> None:
    assert "inside: hidden" in loops.log("reader")


def test_task_values_keep_their_types_and_only_ancestors_are_asked(loops: Ran) -> None:
    assert "exit: left True 2" in loops.log("reader")
    assert "stranger: TaskValueError" in loops.log("reader")
    assert loops.states["flag_is_true"] == loops.states["ratio"] == "SUCCESS"


def test_a_missing_task_value_fails_with_the_nearest_key(loops: Ran) -> None:
    assert loops.states["near"] == "FAILED"
    assert "task 'setter' set no value 'flagg'; did you mean flag?" in loops.log("near")


def test_an_operand_that_is_an_object_or_a_list_fails_the_condition(loops: Ran) -> None:
    assert loops.states["object"] == "FAILED"
    assert "text, numbers and booleans" in loops.log("object")


def test_no_inputs_are_a_success_with_nothing_to_do(loops: Ran) -> None:
    assert loops.states["empty"] == loops.states["after_empty"] == "SUCCESS"
    assert iterations(loops, "empty") == []


def test_retries_are_those_of_the_iteration(loops: Ran) -> None:
    assert [(item.state.result, item.attempts) for item in iterations(loops, "retried")] == [
        ("SUCCESS", 2),
        ("SUCCESS", 3),
        ("FAILED", 3),
    ]
    assert loops.states["retried"] == "FAILED"


def test_iterations_after_a_failed_one_still_run(loops: Ran) -> None:
    assert [str(item.state.result) for item in iterations(loops, "one_fails")] == ["SUCCESS", "FAILED", "SUCCESS"]
    assert "1 of 3 iterations failed; numbers 1" in loops.log("one_fails.result")


def test_a_failed_loop_is_a_failed_parent_and_says_so(loops: Ran) -> None:
    assert loops.states["one_fails"] == "FAILED"
    assert loops.states["after_failed"] == "UPSTREAM_FAILED"
    assert loops.states["handler_saw_failed"] == "SUCCESS"


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("not_json", "inputs are not JSON"),
        ("no_array", "inputs are an object, not an array"),
        ("too_big", "inputs are 60,004 bytes, at most 49,152 are allowed"),
    ],
)
def test_wrong_inputs_fail_the_task_with_a_message(loops: Ran, key: str, told: str) -> None:
    assert loops.states[key] == "FAILED"
    assert told in loops.log(f"{key}.inputs")


def test_a_loop_that_does_not_run_is_as_any_other_task(loops: Ran) -> None:
    keys = ("excluded", "upstream_failed", "disabled")
    assert [loops.states[key] for key in keys] == ["EXCLUDED", "UPSTREAM_FAILED", "DISABLED"]


def test_trap_17_concurrency_is_held_and_1_by_default(lab: Lab) -> None:
    sleep = ("sleep", "0.6")
    twice = stub("two_i", "fail_first", "1", "{{task.execution_count}}", max_retries=1)
    ran = lab.run(
        {
            "name": "concurrency",
            "tasks": [
                loop("one", "[1, 2, 3]", stub("one_i", *sleep)),
                loop(
                    "two",
                    "[1, 2, 3, 4, 5]",
                    twice,
                    concurrency=2,
                ),
            ],
        }
    )
    assert ran.result == "SUCCESS"
    for key, most in (("one", 1), ("two", 2)):
        assert at_once(ran, f"{key}.iteration") <= most


def at_once(ran: Ran, task_id: str) -> int:
    """The most iterations whose spans overlap."""
    spans = [(item.start, item.end) for item in ran.snapshot.instances if item.task_id == task_id]
    return max(sum(a <= start < b for a, b in spans) for start, _ in spans)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        pytest.param({"inputs": "[1]", "concurrency": 101}, "concurrency is 101", id="concurrency"),
        pytest.param({"inputs": "[1]", "concurrency": 0}, "concurrency is 0", id="no concurrency"),
        pytest.param({"inputs": json.dumps(["x" * 5000])}, "5,004 characters", id="trap: literal too long"),
        pytest.param({"inputs": "1, 2"}, "must be the text of a JSON array", id="no array"),
        pytest.param({"inputs": "{{tasks.later.values.v}}"}, "later", id="value of no task"),
    ],
)
def test_check_refuses_what_can_never_run(body: dict[str, Any], told: str) -> None:
    task = {"task_key": "t", "for_each_task": {"task": ask("i"), **body}}
    found = check_job({"name": "j", "tasks": [task]}, file=Path("job.json"))
    assert [told in item.message for item in found if item.severity == "error"] == [True]


def test_trap_17_check_refuses_a_loop_in_a_loop() -> None:
    inner = {"task_key": "i", "for_each_task": {"inputs": "[1]", "task": ask("j")}}
    found = check_job({"name": "j", "tasks": [{"task_key": "t", "for_each_task": {"inputs": "[1]", "task": inner}}]})
    assert any("cannot stand in another" in item.message for item in found)

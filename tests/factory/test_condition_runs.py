"""If/else tasks as real runs: operators, operands, branches, what is kept of the decision."""

from __future__ import annotations

import json

import pytest
from factory.lab import Lab, Ran, ask, stub

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]

OPERATORS = [
    # trap 8: == compares text, > compares numbers, booleans are "true" and "false"
    ("EQUAL_TO", "12.0", "12", "false"),
    ("EQUAL_TO", "{{job.parameters.yes}}", "true", "true"),
    ("NOT_EQUAL", "12.0", "12", "true"),
    ("GREATER_THAN", "10", "9", "true"),
    ("GREATER_THAN_OR_EQUAL", "12.0", "12", "true"),
    ("GREATER_THAN_OR_EQUAL", "10.0", "12", "false"),
    ("LESS_THAN", "-1e3", " 2 ", "true"),
    ("LESS_THAN_OR_EQUAL", "2", "2.00", "true"),
]


@pytest.fixture(scope="module")
def operators(lab: Lab) -> Ran:
    tasks = [ask(f"op{number}", left, op, right) for number, (op, left, right, _) in enumerate(OPERATORS)]
    tasks += [
        ask("no_number", "apple", "GREATER_THAN", "1"),
        ask("nan", "NaN", "LESS_THAN", "1"),
        ask("empty", "", "LESS_THAN", "1"),
        ask("state", "{{tasks.op0.result_state}}", "EQUAL_TO", "success", after=("op0",)),
        ask("after_state", after=("state:true",)),
        # a branch, a task below it, a join behind both
        ask("decide", "1", "EQUAL_TO", "2"),
        ask("yes", after=("decide:true",)),
        ask("below_yes", after=("yes",)),
        ask("below_yes_always", after=("yes",), run_if="ALL_DONE"),
        ask("no", after=("decide:false",)),
        ask("join", after=("below_yes", "no")),
        ask("whatever", after=("decide",)),
        ask("both", after=("decide:true", "decide:false")),
        # an untaken outcome beside a parent that succeeded
        ask("good"),
        ask("untaken_and_good", after=("decide:true", "good")),
        ask("untaken_and_good_always", after=("decide:true", "good"), run_if="ALL_DONE"),
        ask("untaken_or_good", after=("decide:true", "good"), run_if="AT_LEAST_ONE_SUCCESS"),
        ask("taken_and_good", after=("decide:false", "good")),
        # a condition that was excluded itself
        ask("inner", after=("decide:true",)),
        ask("of_inner_and_good", after=("inner:true", "good")),
        # one that failed gave no outcome: the rule decides
        ask("alert", after=("no_number:true",), run_if="AT_LEAST_ONE_FAILED"),
        ask("of_failed", after=("no_number:true",)),
    ]
    lab.write({"name": "conditions", "parameters": [{"name": "yes", "default": "true"}], "tasks": tasks})
    return lab.run("conditions")


@pytest.mark.parametrize(("number", "case"), list(enumerate(OPERATORS)), ids=str)
def test_trap_8_equality_compares_text_and_order_compares_numbers(
    operators: Ran, number: int, case: tuple[str, ...]
) -> None:
    assert operators.states[f"op{number}"] == "SUCCESS"
    record = json.loads((operators.folder(f"op{number}") / "1" / "result.json").read_text())
    assert record["output"]["outcome"] == case[3]


def test_decision_and_operands_are_in_the_log_and_in_the_record(operators: Ran) -> None:
    assert "'true' EQUAL_TO 'true': true" in operators.log("op1")
    record = json.loads((operators.folder("op1") / "1" / "result.json").read_text())
    assert record["output"] == {"op": "EQUAL_TO", "left": "true", "right": "true", "outcome": "true"}


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("no_number", "operand 'apple' is not a number"),
        ("nan", "operand 'NaN' is not a number"),
        ("empty", "operand '' is not a number"),
    ],
)
def test_an_operand_that_is_no_number_fails_the_task(operators: Ran, key: str, told: str) -> None:
    assert operators.states[key] == "FAILED"
    assert told in operators.log(key)


def test_trap_16_a_result_state_reference_is_lower_case(operators: Ran) -> None:
    assert operators.states["after_state"] == "SUCCESS"


def test_trap_2_all_parents_excluded_excludes_even_with_all_done(operators: Ran) -> None:
    keys = ("yes", "below_yes", "below_yes_always")
    assert [operators.states[key] for key in keys] == ["EXCLUDED"] * 3


def test_a_join_after_both_branches_runs_and_a_child_without_outcome_too(operators: Ran) -> None:
    assert [operators.states[key] for key in ("no", "join", "whatever", "both")] == ["SUCCESS"] * 4


def test_an_untaken_outcome_excludes_a_task_whatever_its_other_parents(operators: Ran) -> None:
    keys = ("untaken_and_good", "untaken_and_good_always", "untaken_or_good", "of_inner_and_good")
    assert [operators.states[key] for key in keys] == ["EXCLUDED"] * 4
    assert operators.states["taken_and_good"] == "SUCCESS"


def test_a_condition_that_failed_leaves_it_to_the_rule(operators: Ran) -> None:
    assert operators.states["alert"] == "SUCCESS"
    assert operators.states["of_failed"] == "UPSTREAM_FAILED"


def test_trap_5_rules_wait_for_all_parents(lab: Lab) -> None:
    """A handler behind a join that is lost already does not start while the join's other parent runs."""
    ran = lab.run(
        {
            "name": "waits",
            "tasks": [
                ask("broken", "apple", "LESS_THAN", "1"),
                ask("good"),
                stub("slow", "sleep", "4"),
                ask("join", after=("broken", "slow")),
                ask("clean_up", after=("join",), run_if="AT_LEAST_ONE_FAILED"),
                ask("one_good", after=("good", "slow"), run_if="AT_LEAST_ONE_SUCCESS"),
                ask("one_failed", after=("broken", "slow"), run_if="AT_LEAST_ONE_FAILED"),
                ask("all_failed", after=("good", "slow"), run_if="ALL_FAILED"),
                ask("behind", after=("all_failed", "good")),
            ],
        }
    )
    assert ran.states["join"] == "UPSTREAM_FAILED"
    assert ran.states["all_failed"] == "EXCLUDED"
    _, slow = ran.span("slow")
    early = {
        key: ran.span(key)[0] - slow
        for key in ("clean_up", "one_good", "one_failed", "behind")
        if ran.states[key] != "SUCCESS" or ran.span(key)[0] < slow
    }
    assert early == {}

"""run_if, branches and disabled tasks as real runs, against the simulator of the public rules."""

from __future__ import annotations

from itertools import combinations_with_replacement
from random import Random
from typing import Any

import pytest
from factory.lab import Lab, ask, bad
from factory.random_jobs import random_job
from factory.simulator import RULES, run_result, simulate

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]

SAMPLE = 60


def parents_of_each_kind() -> tuple[list[dict[str, Any]], dict[str, list[str]]]:
    """Tasks that end in each way, three of each, and their keys by kind."""
    tasks = [ask("no", "2"), bad("broken")]
    kinds: dict[str, list[str]] = {kind: [] for kind in ("good", "failed", "excluded", "upstream_failed", "disabled")}
    for number in range(3):
        made = [
            ask(f"good{number}"),
            bad(f"failed{number}"),
            ask(f"excluded{number}", after=("no:true",)),
            ask(f"upstream_failed{number}", after=("broken",)),
            ask(f"disabled{number}", disabled=True),
        ]
        tasks += made
        for kind, task in zip(kinds, made, strict=True):
            kinds[kind].append(task["task_key"])
    return tasks, kinds


def sampled_children(kinds: dict[str, list[str]]) -> list[dict[str, Any]]:
    """Children of one to three parents of each kind: a fixed sample of all combinations, spread over the rules."""
    groups = [group for count in (1, 2, 3) for group in combinations_with_replacement(kinds, count)]
    random = Random(4)
    children = []
    for rule in RULES:
        for group in random.sample(groups, SAMPLE // len(RULES)):
            keys = [kinds[kind][group[:place].count(kind)] for place, kind in enumerate(group)]
            children.append(ask(f"child{len(children)}", after=tuple(keys), run_if=rule))
    return children


def test_run_if_over_sampled_combinations_of_parents(lab: Lab) -> None:
    tasks, kinds = parents_of_each_kind()
    children = sampled_children(kinds)
    ends = {task["task_key"]: "FAILED" for task in tasks if task["condition_task"]["left"] == "apple"} | {"no": "false"}
    expected = simulate([*tasks, *children], ends)
    ran = lab.run({"name": "run_if sample", "tasks": [*tasks, *children]})
    assert ran.states == expected
    assert len(children) >= 40
    assert {expected[child["task_key"]] for child in children} == {
        *("SUCCESS", "EXCLUDED", "UPSTREAM_FAILED", "DISABLED"),
    }


@pytest.mark.parametrize("seed", [pytest.param(seed, id=f"batch{seed}") for seed in range(1)])
def test_random_jobs_end_as_the_rules_say(lab: Lab, seed: int) -> None:
    check_batch(lab, seed, jobs=20)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 110))
def test_many_random_jobs_end_as_the_rules_say(lab: Lab, seed: int) -> None:
    check_batch(lab, seed, jobs=30)


def check_batch(lab: Lab, seed: int, jobs: int) -> None:
    """Many small jobs as parts of one, so that one run does for all."""
    random = Random(seed)
    made = [random_job(random, f"j{number}_", retried=0.06) for number in range(jobs)]
    tasks = [task for job in made for task in job.tasks]
    expected = simulate(tasks, {key: end for job in made for key, end in job.ends.items()})
    ran = lab.run({"name": f"random {seed}", "tasks": tasks})
    wrong = {key: (state, expected[key]) for key, state in ran.states.items() if state != expected[key]}
    assert wrong == {}
    assert ran.result == run_result(tasks, expected)
    attempts = {
        key: count for job in made for key, count in job.attempts.items() if expected[key] in {"SUCCESS", "FAILED"}
    }
    assert {key: ran.attempts(key) for key in attempts} == attempts


@pytest.mark.parametrize("seed", range(3))
def test_a_run_s_result_follows_its_leaves(lab: Lab, seed: int) -> None:
    made = random_job(Random(1000 + seed), most=6)
    expected = simulate(made.tasks, made.ends)
    ran = lab.run({"name": f"leaves {seed}", "tasks": made.tasks})
    assert ran.states == expected
    assert ran.result == run_result(made.tasks, expected)

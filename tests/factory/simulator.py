"""How the tasks of a job must end, from the public rules alone. It shares no code with the product.

Rules: the Databricks pages "Configure task dependencies", "Add branching logic with the If/else task", "Disable tasks".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

S, F, D = "good", "bad", "disabled"
SIDE = {
    "SUCCESS": S,
    "EXCLUDED": S,  # an excluded parent counts as successful
    "FAILED": F,
    "TIMEDOUT": F,
    "UPSTREAM_FAILED": F,
    "DISABLED": D,
}
UNMET = {"AT_LEAST_ONE_FAILED": "EXCLUDED", "ALL_FAILED": "EXCLUDED"}
RULES = ("ALL_SUCCESS", "AT_LEAST_ONE_SUCCESS", "NONE_FAILED", "ALL_DONE", "AT_LEAST_ONE_FAILED", "ALL_FAILED")


def met(rule: str, sides: Sequence[str]) -> bool:
    """Whether a rule lets a task run."""
    if rule == "ALL_SUCCESS":
        return set(sides) == {S}
    if rule == "AT_LEAST_ONE_SUCCESS":
        return S in sides
    if rule == "NONE_FAILED":
        return F not in sides and S in sides
    if rule == "AT_LEAST_ONE_FAILED":
        return F in sides
    if rule == "ALL_FAILED":
        return set(sides) == {F}
    return rule == "ALL_DONE"


def never(rule: str, off: Sequence[bool]) -> bool:
    """Whether the disabled parents keep the task from running, however the others end."""
    choices = [(D,) if gone else (S, F) for gone in off]
    return not any(met(rule, sides) for sides in product(*choices))


def simulate(tasks: Sequence[Mapping[str, Any]], ends: Mapping[str, str]) -> dict[str, str]:
    """Result by task key.

    :param tasks: the job's tasks.
    :param ends: how a task ends if it runs: SUCCESS or FAILED, and for an if/else task `true` or `false` too.
    """
    todo = {task["task_key"]: task for task in tasks}
    results: dict[str, str] = {}
    while todo:
        ready = [key for key, task in todo.items() if all(p["task_key"] in results for p in task.get("depends_on", []))]
        assert ready, "a circle"
        for key in ready:
            results[key] = result_of(todo.pop(key), results, ends)
    return results


def result_of(task: Mapping[str, Any], results: Mapping[str, str], ends: Mapping[str, str]) -> str:
    """How one task ends, all parents having ended."""
    edges = task.get("depends_on", [])
    rule = task.get("run_if", "ALL_SUCCESS")
    above = {edge["task_key"]: results[edge["task_key"]] for edge in edges}
    if task.get("disabled"):
        return "DISABLED"
    if above:
        if never(rule, [state == "DISABLED" for state in above.values()]):
            return "DISABLED"
        if any(not taken(edges, parent, state, ends) for parent, state in above.items()):
            return "EXCLUDED"
        if set(above.values()) == {"EXCLUDED"}:
            return "EXCLUDED"
        if not met(rule, [SIDE[state] for state in above.values()]):
            return UNMET.get(rule, "UPSTREAM_FAILED")
    return "FAILED" if ends.get(task["task_key"]) == "FAILED" else "SUCCESS"


def taken(edges: Sequence[Mapping[str, Any]], parent: str, state: str, ends: Mapping[str, str]) -> bool:
    """Whether a dependency leaves its task in the run: an outcome that the condition did not give does not."""
    wanted = {edge["outcome"] for edge in edges if edge["task_key"] == parent and "outcome" in edge}
    if not wanted or state in {"FAILED", "UPSTREAM_FAILED", "DISABLED"}:
        return True
    return state == "SUCCESS" and ends[parent] in wanted


def run_result(tasks: Sequence[Mapping[str, Any]], results: Mapping[str, str]) -> str:
    """How the run ends: the leaves decide."""
    inner = {edge["task_key"] for task in tasks for edge in task.get("depends_on", [])}
    if any(SIDE[results[task["task_key"]]] == F for task in tasks if task["task_key"] not in inner):
        return "FAILED"
    return "SUCCESS_WITH_FAILURES" if F in {SIDE[state] for state in results.values()} else "SUCCESS"


def repair(tasks: Sequence[Mapping[str, Any]], ends: Mapping[str, str], before: Mapping[str, str]) -> dict[str, str]:
    """Result by task key after a repair: what failed, or could not run for it, runs again, and all that depends on it.

    :param tasks: the job's tasks as they are at the repair.
    :param ends: how a task ends if it runs again.
    :param before: the results of the run so far.
    """
    again = {key for key, result in before.items() if result in {"FAILED", "TIMEDOUT", "UPSTREAM_FAILED"}}
    while True:
        more = {task["task_key"] for task in tasks if any(p["task_key"] in again for p in task.get("depends_on", []))}
        if more <= again:
            break
        again |= more
    results = {key: result for key, result in before.items() if key not in again}
    todo = {task["task_key"]: task for task in tasks if task["task_key"] in again}
    while todo:
        for key in [k for k, t in todo.items() if all(p["task_key"] in results for p in t.get("depends_on", []))]:
            results[key] = result_of(todo.pop(key), results, ends)
    return results

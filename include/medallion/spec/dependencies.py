"""Checks of a job's graph: keys of tasks, what they depend on, cycles. Runs where jobs are checked; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from medallion.spec.findings import Findings, shown
from medallion.spec.positions import JsonPath
from medallion.spec.problems import did_you_mean

TASK_KEY = re.compile(r"[A-Za-z0-9_-]+")
"""What a task key may consist of (the API's own check, as its test server states it)."""

LONGEST_TASK_KEY = 100
MOST_CYCLES = 10

Tasks = dict[str, tuple[int, Mapping[str, Any]]]
"""Tasks by key, each with its index in `tasks`; of two with one key the first."""


def check_dependencies(raw: Mapping[str, Any], findings: Findings) -> None:
    """Everything about keys and edges of the job's tasks, those without a key of their own too."""
    listed = entries(raw)
    tasks = check_keys(listed, findings)
    graph: dict[str, list[str]] = {key: [] for key in tasks}
    for index, task in listed:
        key = task.get("task_key")
        counts = isinstance(key, str) and tasks[key][0] == index
        who = shown(key) if isinstance(key, str) else "the task"
        for path, parent, outcome in edges(index, task):
            if parent not in tasks:
                hint = did_you_mean(parent, tasks) or "add the task or remove the dependency"
                findings.error((*path, "task_key"), f"{who} depends on {shown(parent)}, which is no task", hint)
            elif counts:
                graph[str(key)].append(parent)
            check_outcome(path, outcome, tasks.get(parent), findings)
    check_cycles(graph, tasks, findings)


def entries(raw: Mapping[str, Any]) -> list[tuple[int, Mapping[str, Any]]]:
    """The tasks that are objects, each with its index."""
    listed = raw.get("tasks")
    found = enumerate(listed if isinstance(listed, (list, tuple)) else ())
    return [(index, task) for index, task in found if isinstance(task, dict)]


def check_keys(listed: Sequence[tuple[int, Mapping[str, Any]]], findings: Findings) -> Tasks:
    """The tasks by key; a key that stands twice or has other characters is reported."""
    tasks: Tasks = {}
    for index, task in listed:
        key = task.get("task_key")
        if not isinstance(key, str):
            continue
        path = ("tasks", index, "task_key")
        check_key(path, key, findings)
        if key in tasks:
            findings.error(path, f"task_key {shown(key)} stands twice, first at tasks[{tasks[key][0]}]")
        else:
            tasks[key] = (index, task)
    return tasks


def check_key(path: JsonPath, key: str, findings: Findings) -> None:
    """The characters and the length of one task key."""
    if not TASK_KEY.fullmatch(key):
        better = re.sub(r"[^A-Za-z0-9_-]+", "_", key[:LONGEST_TASK_KEY]).strip("_")
        hint = f"write {better}" if better else None
        message = f"task_key {shown(key)} may have letters, digits, _ and - only" if key else "task_key is empty"
        findings.error(path, message, hint)
    elif len(key) > LONGEST_TASK_KEY:
        findings.warning(path, f"task_key has {len(key)} characters; the API takes {LONGEST_TASK_KEY}")


def edges(index: int, task: Mapping[str, Any]) -> Iterator[tuple[JsonPath, str, object]]:
    """Path, parent's key and outcome of each dependency that names a parent."""
    depends_on = task.get("depends_on")
    for position, edge in enumerate(depends_on if isinstance(depends_on, (list, tuple)) else ()):
        parent = edge.get("task_key") if isinstance(edge, dict) else None
        if isinstance(parent, str):
            yield ("tasks", index, "depends_on", position), parent, edge.get("outcome")


def check_outcome(
    path: JsonPath, outcome: object, parent: tuple[int, Mapping[str, Any]] | None, findings: Findings
) -> None:
    """An outcome is "true" or "false" and belongs to an if/else task (databricks-sdk, TaskDependency)."""
    if not isinstance(outcome, str):
        return
    at = (*path, "outcome")
    if outcome not in {"true", "false"}:
        findings.error(at, f'outcome is {shown(outcome)}; it must be "true" or "false"')
    if parent is not None and parent[1].get("condition_task") is None:
        key = parent[1]["task_key"]
        findings.error(at, f"outcome is for children of an if/else task; {shown(key)} has no condition_task")


def check_cycles(graph: dict[str, list[str]], tasks: Tasks, findings: Findings) -> None:
    """Each cycle once, from its first task in the text, in the direction of the run."""
    for _ in range(MOST_CYCLES):
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            cycle = error.args[1][:-1]
        else:
            return
        start = min(range(len(cycle)), key=lambda place: tasks[cycle[place]][0])
        cycle = cycle[start:] + cycle[:start]
        findings.error(
            ("tasks", tasks[cycle[0]][0], "depends_on"),
            f"tasks depend on each other in a circle: {' → '.join(cycle_text(cycle))}",
            "remove one of these dependencies",
        )
        gone = set(cycle)
        graph = {key: [p for p in parents if p not in gone] for key, parents in graph.items() if key not in gone}


def cycle_text(cycle: list[str], most: int = 20) -> list[str]:
    """The keys of a cycle, back to the first; a long one without its middle."""
    whole = [*cycle, cycle[0]]
    return whole if len(whole) <= most else [*whole[: most // 2], "…", *whole[-most // 2 :]]

"""What an attempt of a task left behind: exit value, error, files. Reads the run's folder; runs where runs are shown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medallion.errors import RunError
from medallion.runs.records import Records, attempt_folder, run_folder
from medallion.spec.problems import did_you_mean

NOTEBOOK, PAGE = "notebook.ipynb", "notebook.html"


def attempt_of(shown: Mapping[str, Any], task_key: str, attempt: int | None, iteration: int | None) -> dict[str, Any]:
    """The attempt that is meant, from a run as `runs.history.run_shown` tells it.

    :param attempt: as the Jobs API counts, from 0; None for the latest.
    :param iteration: of a for-each task.
    :raises RunError: the run has no such task, iteration or attempt.
    """
    tasks = {task["task_key"]: task for task in shown["tasks"]}
    if task_key not in tasks:
        raise RunError(
            f"the run has no task {task_key!r}", hint=did_you_mean(task_key, tasks) or f"it has {', '.join(tasks)}"
        )
    task = tasks[task_key]
    if iteration is not None:
        named = {item["task_key"]: item for item in task.get("iterations") or ()}
        task = named.get(f"{task_key}[{iteration}]")
        if task is None:
            raise RunError(f"task {task_key} has no iteration {iteration}", hint=f"it has {len(named)}, counted from 0")
    elif task.get("iterations"):
        raise RunError(f"task {task_key} is a loop", hint="name one of its iterations with --iteration")
    attempts = task.get("attempt_history") or []
    if attempt is None:
        chosen = attempts[-1] if attempts else {"attempt_number": None}
    else:
        chosen = next((item for item in attempts if item["attempt_number"] == attempt), None)
        if chosen is None:
            raise RunError(f"task {task['task_key']} has no attempt {attempt}", hint=f"it has {len(attempts)}, from 0")
    state = {name: task[name] for name in ("task_key", "life_cycle_state", "result_state", "termination_details")}
    return {**state, **chosen}


def output_of(home: Path, shown: Mapping[str, Any], task_key: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """What the attempt left.

    :param task_key: the job's task.
    :param told: the attempt, see `attempt_of`.
    """
    index = index_of(str(told["task_key"]))
    record = shown.get("loops", {}).get(task_key) or task_key
    dag_id, run_id = shown["dag_id"], shown["airflow_run_id"]
    number = 0 if told["attempt_number"] is None else int(told["attempt_number"]) + 1
    result = Records(home, dag_id, run_id).result(record, index, number)
    failure = result.get("failure") or {}
    folder = attempt_folder(run_folder(home, dag_id, run_id), record, index, number)
    return {
        **told,
        "exit_value": result.get("exit_value"),
        "error": failure.get("message") or reason_of(told),
        "error_trace": failure.get("trace"),
        "output": result.get("output"),
        "notebook": existing(folder / NOTEBOOK),
        "page": existing(folder / PAGE),
    }


def reason_of(told: Mapping[str, Any]) -> str | None:
    """Why a task that left no record failed; None for one that did not fail."""
    failed = told.get("result_state") in {"FAILED", "TIMEDOUT"}
    return (told.get("termination_details") or {}).get("message") if failed else None


def index_of(task_key: str) -> int:
    """The number of an iteration in its key `task[3]`; -1 for a task."""
    number = task_key.rpartition("[")[2].rstrip("]")
    return int(number) if task_key.endswith("]") else -1


def existing(path: Path) -> str | None:
    """The path when it is there."""
    return str(path) if path.is_file() else None

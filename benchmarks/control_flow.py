"""Loops, chains and fans under a running scheduler, beside the same of plain Airflow Python tasks.

    python benchmarks/control_flow.py loop [--rounds 3]      200 iterations at concurrency 10
    python benchmarks/control_flow.py thousand               1,000 iterations, at concurrency 10
    python benchmarks/control_flow.py shapes [--rounds 2]    100 tasks in a chain and in a fan

An iteration or task of ours is a Python script in a process of its own (`spark_python_task`); that of the rival is an
empty function in Airflow's task process.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from measure import keep, median
from scheduler import run_seconds, until, up

TASKS = 100
CONCURRENCY = 10
SCRIPT = {"spark_python_task": {"python_file": "nothing.py", "parameters": ["{{input}}"]}}
PLAIN = {"spark_python_task": {"python_file": "nothing.py"}}


def loop(name: str, iterations: int) -> dict[str, Any]:
    """A job with one for-each task."""
    body = {"inputs": json.dumps(list(range(iterations))), "concurrency": CONCURRENCY}
    inner = {"task_key": "iteration", **SCRIPT}
    return {"name": name, "tasks": [{"task_key": "loop", "for_each_task": {**body, "task": inner}}]}


def shaped(name: str, parents: list[list[int]]) -> dict[str, Any]:
    """A job of scripts, from the numbers of each task's parents."""
    tasks = [
        {"task_key": f"t{number}", "depends_on": [{"task_key": f"t{parent}"} for parent in above], **PLAIN}
        for number, above in enumerate(parents)
    ]
    return {"name": name, "tasks": tasks}


JOBS = {
    "script_loop": loop("script_loop", 200),
    "script_thousand": loop("script_thousand", 1000),
    "script_chain_100": shaped("script_chain_100", [[number - 1] if number else [] for number in range(TASKS)]),
    "script_fan_100": shaped("script_fan_100", [[], *[[0]] * (TASKS - 2), list(range(1, TASKS - 1))]),
}


@contextmanager
def serving(*names: str) -> Iterator[Any]:
    """A client of a running Airflow that knows these DAGs; the first run of each has been made where it is short."""
    with tempfile.TemporaryDirectory() as folder:
        jobs = Path(folder)
        (jobs / "nothing.py").write_text("print(1)\n", encoding="utf-8")
        for name, job in JOBS.items():
            if name in names:
                (jobs / f"{name}.json").write_text(json.dumps(job), encoding="utf-8")
        (jobs / "warm.json").write_text(json.dumps(shaped("warm", [[], [0]])), encoding="utf-8")
        with up(jobs, 18483) as (client, _):
            for name in ("warm", *names):
                until(lambda name=name: client.dag(name) is not None, name)
            run_seconds(client, "warm")
            yield client


def compare(pairs: dict[str, tuple[str, str]], rounds: int) -> dict[str, Any]:
    """Median seconds of ours and of the rival's, and their ratio, by what was measured."""
    found: dict[str, Any] = {}
    with serving(*(name for pair in pairs.values() for name in pair)) as client:
        for what, (ours, rival) in pairs.items():
            samples = [(run_seconds(client, ours), run_seconds(client, rival)) for _ in range(rounds)]
            mine, theirs = (median(list(column)) for column in zip(*samples, strict=True))
            found[what] = {"medallion": round(mine, 1), "plain": round(theirs, 1), "ratio": round(mine / theirs, 2)}
    return found


def main() -> None:
    """Measure one of them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["loop", "thousand", "shapes"])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.what == "thousand":
        with serving("script_thousand") as client:
            seconds = run_seconds(client, "script_thousand")
        keep(
            "for_each_1000",
            {"iterations": 1000, "seconds": round(seconds, 1), "per iteration": round(seconds / 1000, 3)},
        )
        return
    pairs = {
        "loop": {"200 iterations at concurrency 10": ("script_loop", "plain_loop")},
        "shapes": {
            "100 tasks in a chain": ("script_chain_100", "plain_chain_100"),
            "100 tasks in a fan": ("script_fan_100", "plain_fan_100"),
        },
    }[arguments.what]
    keep(
        "for_each" if arguments.what == "loop" else "shapes",
        {"rounds": arguments.rounds, "seconds": compare(pairs, arguments.rounds)},
    )


if __name__ == "__main__":
    main()

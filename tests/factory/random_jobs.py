"""Random jobs of quick stub tasks, and how each task ends if it runs."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from factory.lab import ask, bad, stub
from factory.simulator import RULES


@dataclass(frozen=True, slots=True)
class Made:
    """A job's tasks; `ends` as the simulator takes them, `attempts` of those that run more than once."""

    tasks: list[dict[str, Any]]
    ends: dict[str, str]
    attempts: dict[str, int]


def random_job(random: Random, prefix: str = "", most: int = 12, retried: float = 0.0) -> Made:
    """A job of up to `most` tasks: all rules, branches, disabled tasks, failures; `retried` is the share of tasks that take
    several attempts."""
    tasks: list[dict[str, Any]] = []
    ends: dict[str, str] = {}
    attempts: dict[str, int] = {}
    for number in range(random.randint(2, most)):
        key = f"{prefix}t{number}"
        after = edges(random, tasks)
        settings: dict[str, Any] = {"run_if": random.choice(RULES)} if after and random.random() < 0.6 else {}
        if random.random() < 0.08:
            settings["disabled"] = True
        kind = random.random()
        if kind < retried:
            fails, retries = random.randint(0, 2), random.randint(0, 2)
            words = ("fail_first", str(fails), "{{task.execution_count}}")
            tasks.append(stub(key, *words, after=after, max_retries=retries, **settings))
            ends[key], attempts[key] = "SUCCESS" if fails <= retries else "FAILED", min(fails, retries) + 1
        elif kind < 0.35:
            tasks.append(bad(key, after=after, **settings))
            ends[key] = "FAILED"
        else:
            left = random.choice("12")
            tasks.append(ask(key, left, after=after, **settings))
            ends[key] = "true" if left == "1" else "false"
    return Made(tasks, ends, attempts)


def edges(random: Random, tasks: list[dict[str, Any]]) -> tuple[str, ...]:
    """Up to three parents among the tasks so far, some with an outcome; now and then one with both."""
    chosen = random.sample(tasks, min(len(tasks), random.choice((0, 1, 1, 2, 2, 3))))
    found = []
    for parent in chosen:
        key = parent["task_key"]
        if "condition_task" not in parent or random.random() < 0.5:
            found.append(key)
        elif random.random() < 0.1:
            found += [f"{key}:true", f"{key}:false"]
        else:
            found.append(f"{key}:{random.choice(('true', 'false'))}")
    return tuple(found)

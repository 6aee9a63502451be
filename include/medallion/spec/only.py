"""Which tasks a partial run has: the `only` list of run-now. Pure; in the command line and in the task process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from medallion.errors import RunError
from medallion.spec.problems import did_you_mean

if TYPE_CHECKING:
    from medallion.spec.job import Job


def parents_of(job: Job) -> dict[str, list[str]]:
    """Each task's parents, by key."""
    return {task.task_key: [edge.task_key for edge in task.depends_on or ()] for task in job.tasks or ()}


def selected(parents: Mapping[str, Sequence[str]], only: Sequence[str]) -> frozenset[str]:
    """Keys of the tasks that `only` chooses: `t`, `+t` with all before it, `t+` with all after it, `+t+` both.

    :param parents: parents by task key.
    :param only: the list; empty means every task.
    :raises RunError: it names a task that the job has not.
    """
    if not only:
        return frozenset(parents)
    children: dict[str, list[str]] = {key: [] for key in parents}
    for key, above in parents.items():
        for parent in above:
            children.setdefault(parent, []).append(key)
    found: set[str] = set()
    for text in only:
        key = text.removeprefix("+").removesuffix("+")
        if key not in parents:
            raise RunError(
                f"the job has no task {key!r}", hint=did_you_mean(key, parents) or f"it has {', '.join(parents)}"
            )
        found.add(key)
        if text.startswith("+"):
            found |= reach(parents, key)
        if text.endswith("+"):
            found |= reach(children, key)
    return frozenset(found)


def reach(edges: Mapping[str, Sequence[str]], start: str) -> set[str]:
    """All keys that can be reached from one."""
    found: set[str] = set()
    waiting = list(edges.get(start, ()))
    while waiting:
        key = waiting.pop()
        if key not in found:
            found.add(key)
            waiting.extend(edges.get(key, ()))
    return found

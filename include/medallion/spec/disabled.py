"""Which tasks do not run because of `disabled: true`, their own or a parent's. Pure; runs at parse time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from medallion.spec.run_if import blocked

if TYPE_CHECKING:
    from medallion.spec.job import Job


FORCED = "forced_tasks"
"""Key of a run's conf: disabled tasks that a repair runs all the same (Databricks page "Disable tasks": what a repair runs
is decided by the run's states and the tasks named, not by the flag)."""


def disabled_in_run(job: Job, conf: Mapping[str, Any]) -> frozenset[str]:
    """The disabled tasks of a run, without those that a repair of it forces."""
    forced = conf.get(FORCED)
    return disabled_tasks(job) - frozenset(forced if isinstance(forced, list) else ())


def disabled_tasks(job: Job) -> frozenset[str]:
    """Keys of the tasks that are disabled for a run (Databricks page "Disable tasks").

    A child that only disabled parents block is disabled for that run too, and so on down. That is worked out here and
    never written to the settings.
    """
    tasks = {task.task_key: task for task in job.tasks or ()}
    found = {key for key, task in tasks.items() if task.disabled}
    if not found:
        return frozenset()
    while True:
        more = set()
        for key, task in tasks.items():
            parents = [edge.task_key for edge in task.depends_on or ()]
            run_if = str(task.run_if or "ALL_SUCCESS")
            if key not in found and blocked(run_if, [parent in found for parent in parents]):
                more.add(key)
        if not more:
            return frozenset(found)
        found |= more

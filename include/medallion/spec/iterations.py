"""Under which key the iterations of a for-each task are kept. Pure; asked by the worker and by the record of a run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medallion.spec.job import Job


def iteration_keys(job: Job) -> dict[str, str]:
    """By for-each task: the key of the task inside it, or `<loop>.<key>` where another task of the job has that key too.

    Two loops may both have a task `iteration` inside; their attempts must not meet in one folder, nor in one id.
    """
    tasks = job.tasks or ()
    inner = {task.task_key: task.payload.task.task_key for task in tasks if task.kind == "for_each_task"}
    used = Counter([*(task.task_key for task in tasks), *inner.values()])
    return {loop: key if used[key] == 1 else f"{loop}.{key}" for loop, key in inner.items()}

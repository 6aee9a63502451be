"""`dbutils.jobs.taskValues`: what tasks of one run tell each other. Runs in the task process.

Limits and errors as docs.databricks.com: jobs/task-values, and the Python SDK outside a job.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from medallion.runtime.channel import ChannelAnswers
from medallion.runtime.dbutils.errors import TaskValueError
from medallion.runtime.dbutils.module import Module

if TYPE_CHECKING:
    from medallion.runtime.task import Task

LIMIT = 48 * 1024  # bytes of JSON
DEEPEST = 200
"""Lists and objects inside one another: JSON's readers along the way give up at a thousand."""


class TaskValues(Module):
    """Values that a task leaves for the tasks after it."""

    name = "jobs.taskValues"

    def __init__(self, task: Task) -> None:
        self._in_job = task.context.in_job
        self._answers = ChannelAnswers(task.channel)

    def set(self, key: str, value: Any) -> None:
        """Keep a value under a key of this task. Outside a job nothing happens.

        :raises TypeError: the key is no text.
        :raises TaskValueError: the value is not JSON or takes more than 48 KiB.
        """
        if not isinstance(key, str) or not key:
            raise TypeError(f"the key of a task value is a text, not {key!r}")
        text = json_text(key, value)
        size = len(text.encode())
        if size > LIMIT:
            raise TaskValueError(f"task value {key!r} has {size:,} bytes as JSON; the limit is {LIMIT:,} (48 KiB)")
        if self._in_job:
            self._answers.set_task_value(key, json.loads(text))

    def get(self, taskKey: str, key: str, default: Any = None, debugValue: Any = None) -> Any:  # noqa: N803
        """The value that a task of this run has set last, else `default`; outside a job `debugValue`.

        :raises TaskValueError: there is no value and no default.
        :raises TypeError: outside a job, without debugValue.
        """
        if not self._in_job:
            if debugValue is None:
                raise TypeError(
                    "Must pass debugValue when calling get outside of a job context. debugValue cannot be None."
                )
            return debugValue
        try:
            return self._answers.task_value(taskKey, key)
        except KeyError as error:
            if default is not None:
                return default
            reason = f": {error.args[0]}" if error.args and " " in str(error.args[0]) else ""
            raise TaskValueError(
                f"task {taskKey!r} has no task value {key!r} in this run{reason}; set it there, or pass default="
            ) from None


def json_text(key: str, value: Any) -> str:
    """The value as JSON.

    :raises TaskValueError: it is not JSON; names the member that is not.
    """
    try:
        refuse_what_json_lacks(key, value)
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        if isinstance(error, TaskValueError):
            raise
        raise TaskValueError(f"task value {key!r} is not JSON: {error}; convert it to numbers, text, lists") from None


def refuse_what_json_lacks(key: str, value: Any) -> None:
    """Numbers that JSON has no word for, and values without end.

    :raises TaskValueError: names the member.
    """
    waiting: list[tuple[str, Any, int]] = [("", value, 0)]
    while waiting:
        place, item, depth = waiting.pop()
        at = f" at {place}" if place else ""
        if depth > DEEPEST:
            raise TaskValueError(
                f"task value {key!r} holds more than {DEEPEST} lists and objects inside one another, or itself"
            )
        if isinstance(item, float) and not math.isfinite(item):
            word = "NaN" if math.isnan(item) else "Infinity" if item > 0 else "-Infinity"
            raise TaskValueError(
                f"task value {key!r} is not JSON: it is {word}{at}, which JSON lacks; give None or a text"
            )
        if isinstance(item, dict):
            waiting += [(f"{place}.{name}" if place else str(name), inner, depth + 1) for name, inner in item.items()]
        elif isinstance(item, (list, tuple)):
            waiting += [(f"{place}[{index}]", inner, depth + 1) for index, inner in enumerate(item)]


class Jobs(Module):
    """What a job gives its tasks."""

    name = "jobs"

    def __init__(self, task: Task) -> None:
        self.taskValues = TaskValues(task)

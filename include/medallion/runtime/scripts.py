"""Kinds other than notebooks: Python files, wheels, SQL text. Runs in the task process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medallion.runtime.protocol import TaskResult

if TYPE_CHECKING:
    from medallion.runtime.task import Task


def run_script(task: Task) -> TaskResult:
    """Run a Python file as `__main__`."""
    raise NotImplementedError


run_wheel = run_sql = run_script

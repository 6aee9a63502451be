"""The `dbutils` object. Runs in the task process."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medallion.runtime.task import Task


class DBUtils:
    """`dbutils` with its modules as attributes."""

    def __init__(self, task: Task) -> None:
        from medallion.runtime.dbutils.notebook import NotebookUtils

        self.widgets = task.widgets
        self.notebook = NotebookUtils(task)

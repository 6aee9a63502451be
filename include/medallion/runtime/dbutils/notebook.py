"""`dbutils.notebook`. Runs in the task process."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from medallion.runtime.task import NotebookExit

if TYPE_CHECKING:
    from medallion.runtime.task import Task


class NotebookUtils:
    """`dbutils.notebook`."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def exit(self, value: object = "") -> NoReturn:
        """End the notebook with success and this value, as text."""
        raise NotebookExit("" if value is None else str(value))

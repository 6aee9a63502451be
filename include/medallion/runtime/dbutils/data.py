"""`dbutils.data`. Runs in the task process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from medallion.errors import UnsupportedError
from medallion.runtime.dbutils.module import Module

if TYPE_CHECKING:
    from medallion.runtime.task import Task


class Data(Module):
    """A look at a frame's values."""

    name = "data"

    def __init__(self, task: Task) -> None:
        self._task = task

    def summarize(self, df: Any, precise: bool = False) -> None:  # noqa: FBT001, FBT002  Databricks' signature
        """Show count, mean, spread and quartiles of each column."""
        del precise
        if getattr(df, "isStreaming", False):
            raise UnsupportedError("dbutils.data.summarize takes no streaming frame")
        frame = df.summary() if hasattr(df, "summary") else df.describe(include="all").reset_index()
        self._task.display.show(frame)

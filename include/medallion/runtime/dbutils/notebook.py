"""`dbutils.notebook`: leave a notebook, run another one. Runs in the task process.

`run` follows docs.databricks.com: notebooks/notebook-workflows: a run of its own with a fresh namespace, its widgets
set by the arguments, text in and text out.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from medallion.errors import DriverLostError
from medallion.runtime.channel import ChannelAnswers
from medallion.runtime.dbutils.context import EntryPoint, NotebookContext
from medallion.runtime.dbutils.errors import NotebookRunError
from medallion.runtime.dbutils.module import Module
from medallion.runtime.launch import launch
from medallion.runtime.lookup import find_notebook
from medallion.runtime.protocol import Failure, TaskContext
from medallion.runtime.task import NotebookExit

if TYPE_CHECKING:
    from medallion.runtime.task import Task

RUNS_FOLDER = "runs"


class NotebookUtils(Module):
    """Leave this notebook, or run another."""

    name = "notebook"

    def __init__(self, task: Task) -> None:
        self._task = task
        self._numbers = itertools.count(1)
        self.entry_point = EntryPoint(task)

    def exit(self, value: object = "") -> NoReturn:
        """End the notebook with success and this value, as text."""
        raise NotebookExit("" if value is None else str(value))

    def run(
        self,
        path: str,
        timeout_seconds: float = 0,
        arguments: Mapping[str, object] | None = None,
        *,
        timeoutSeconds: float | None = None,  # noqa: N803  Databricks' older name
    ) -> str:
        """Run a notebook in a process of its own; the text that it gave to `exit`, or an empty one.

        :param timeout_seconds: 0 for no limit.
        :param arguments: values of its widgets; each becomes text.
        :raises NotebookRunError: it failed or took too long.
        """
        task = self._task
        limit = timeout_seconds if timeoutSeconds is None else timeoutSeconds
        file = find_notebook(path, task.context.places, caller=task.file)
        context = self._context_for(file, path, arguments or {})
        result = launch(
            context,
            task.settings,
            answers=ChannelAnswers(task.channel, task.masks),
            on_output=lambda line: task.output.log(f"[{file.stem}] {line}\n"),
            timeout=limit or None,
            masks=task.masks,
        )
        if not result.success:
            raise run_error(file, result.failure or Failure("Exit", "it gave no result"))
        return result.exit_value or ""

    def getContext(self) -> NotebookContext:  # noqa: N802
        """Facts about this run."""
        return NotebookContext(self._task)

    def _context_for(self, file: Path, path: str, arguments: Mapping[str, object]) -> TaskContext:
        """The context of the called notebook: this one's, with its own file, parameters, output and Spark tag."""
        own = self._task.context
        number = next(self._numbers)
        return replace(
            own,
            kind="notebook",
            path=str(file),
            workspace_path=path,
            parameters={str(name): as_text(value) for name, value in arguments.items()},
            output=str(Path(own.output) / RUNS_FOLDER / f"{number}-{file.stem}"),
            tag=f"{own.tag}.{number}" if own.tag else "",
        )


def as_text(value: object) -> str:
    """An argument as the called notebook gets it: booleans in JSON's spelling, None as nothing."""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def run_error(file: Path, failure: Failure) -> Exception:
    """The exception for a called notebook that failed. A lost driver stays one, so that the task is retried."""
    place = f" in cell {failure.cell}, line {failure.line}" if failure.cell else ""
    message = f"notebook {file.name} failed{place}: {failure.kind}: {failure.message}"
    return DriverLostError(message) if failure.transient else NotebookRunError(message)

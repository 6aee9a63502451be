"""`%fs`: `dbutils.fs` by words. Runs in the task process."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from medallion.errors import MedallionError
from medallion.spec.problems import did_you_mean

if TYPE_CHECKING:
    from medallion.runtime.source import Cell, Notebook
    from medallion.runtime.task import Task

COMMANDS = ("ls", "cp", "mv", "rm", "mkdirs", "head", "put", "mounts", "help")
FLAGS = {"-r": "recurse", "--recurse": "recurse", "-f": "overwrite", "--overwrite": "overwrite"}


def run_cell(task: Task, _notebook: Notebook, cell: Cell) -> None:
    """Run each line of the cell and show what it gives."""
    for line in cell.source.splitlines():
        if line.strip():
            task.display.show(run_line(task, line))


def run_line(task: Task, line: str) -> Any:
    """The value of one command such as `ls /Volumes/a/b/c`; a listing is a frame."""
    words = shlex.split(line)
    command, args = words[0], words[1:]
    if command not in COMMANDS:
        raise MedallionError(
            f"%fs has no command {command!r}",
            hint=did_you_mean(command, COMMANDS) or f"there are {', '.join(COMMANDS)}",
        )
    options = {FLAGS[word]: True for word in args if word in FLAGS}
    value = getattr(task.injected["dbutils"].fs, command)(*(word for word in args if word not in FLAGS), **options)
    if command != "ls":
        return value
    import pandas as pd

    return pd.DataFrame([tuple(entry) for entry in value], columns=["path", "name", "size", "modificationTime"])

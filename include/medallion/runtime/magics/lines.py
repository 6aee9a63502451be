"""Line and cell magics inside Python cells, as IPython calls them. Runs in the task process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medallion.errors import UnsupportedError
from medallion.runtime.magics import files, include, pip, shell_command, sql

if TYPE_CHECKING:
    from medallion.runtime.task import Task


def refuse_conda(_line: str) -> None:
    """`%conda` is gone from Databricks' runtimes too."""
    raise UnsupportedError("%conda does not work here", hint="use %pip")


def register(task: Task) -> None:
    """Add our magics to the task's shell."""
    shell = task.shell.ipython  # type: ignore[union-attr]  # a notebook has one

    def run_magic(line: str) -> None:
        raise include.RunMagicError("%run must be alone in its cell", hint=f"put `%run {line}` into a cell of its own")

    line_magics = {
        "sql": lambda line: sql.line_magic(task, line),
        "sh": lambda line: shell_command.run_script(task, line),
        "fs": lambda line: files.run_line(task, line),
        "run": run_magic,
        "pip": lambda line: pip.run_line(task, line),
        "conda": refuse_conda,
        "restart_python": lambda _line: task.injected["dbutils"].library.restartPython(),
    }
    for name, magic in line_magics.items():
        shell.register_magic_function(magic, "line", name)

"""`%sh`: a shell script on this machine. Runs in the task process."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from medallion.errors import MedallionError

if TYPE_CHECKING:
    from medallion.runtime.source import Cell, Notebook
    from medallion.runtime.task import Task


class ShellError(MedallionError):
    """A script under `%sh -e` failed."""


def run_cell(task: Task, _notebook: Notebook, cell: Cell) -> None:
    """Run the cell as a bash script. Its output goes out as it comes."""
    run_script(task, cell.source)


def run_script(task: Task, text: str) -> None:
    """Run a script. Only with `-e` on the magic's line does a failing command fail the cell, as on Databricks.

    :raises ShellError: a command failed under `-e`.
    """
    first, _, rest = text.partition("\n")
    strict = first.split()[:1] == ["-e"]
    script = (first.strip().removeprefix("-e").lstrip() if strict else first) + "\n" + rest
    task.output.drain()
    flags = ["-e"] if strict else []
    done = subprocess.run(["/bin/bash", *flags, "-c", script], check=False, stdin=subprocess.DEVNULL)
    task.output.drain()
    if strict and done.returncode:
        raise ShellError(f"%sh -e: the script ended with status {done.returncode}")

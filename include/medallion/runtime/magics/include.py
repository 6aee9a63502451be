"""`%run`: another notebook's cells in this one's namespace. Runs in the task process."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from medallion.errors import MedallionError
from medallion.runtime.lookup import find_notebook
from medallion.runtime.source import read_notebook

if TYPE_CHECKING:
    from medallion.runtime.source import Cell, Notebook
    from medallion.runtime.task import Task

PARAMETER = re.compile(r"\$([A-Za-z_][\w.-]*)=(.*)", re.DOTALL)


class RunMagicError(MedallionError):
    """`%run` is written wrongly or includes itself."""


def run_cell(task: Task, _notebook: Notebook, cell: Cell) -> None:
    """Run the named notebook's cells here. Widgets take the `$name="value"` parameters while they run."""
    path, parameters = parse(cell.source)
    file = find_notebook(path, task.context.places, caller=task.file)
    with entered(task, file), task.widgets.overlaid(parameters):
        run_included(task, file)


def run_included(task: Task, file: Path) -> None:
    """Run the cells of an included notebook, their outputs in the calling cell's."""
    from medallion.runtime.notebook import run_cell as run_one

    notebook = read_notebook(file)
    for cell in notebook.cells:
        run_one(task, notebook, cell)


@contextmanager
def entered(task: Task, file: Path) -> Iterator[None]:
    """The included file is the one that runs.

    :raises RunMagicError: it is already running, further out.
    """
    if file in (*task.including, task.file):
        chain = " → ".join(path.name for path in (*task.including, task.file, file))
        raise RunMagicError(f"%run goes round in a circle: {chain}")
    task.including.append(task.file)
    task.file = file
    try:
        yield
    finally:
        task.file = task.including.pop()


def parse(text: str) -> tuple[str, dict[str, str]]:
    """Path and parameters of a `%run` line.

    :raises RunMagicError: there is no path, or the cell holds more than the magic.
    """
    lines = [line for line in text.split("\n") if line.strip() and not line.lstrip().startswith("#")]
    if len(lines) != 1:
        raise RunMagicError("%run must be alone in its cell", hint="move the other lines to a cell of their own")
    try:
        words = shlex.split(lines[0])
    except ValueError as error:
        raise RunMagicError(f"%run {lines[0].strip()}: {error}") from None
    parameters: dict[str, str] = {}
    for word in words[1:]:
        found = PARAMETER.fullmatch(word)
        if found is None:
            raise RunMagicError(f"%run: {word!r} is no parameter", hint='parameters are written $name="value"')
        parameters[found[1]] = found[2]
    return words[0], parameters

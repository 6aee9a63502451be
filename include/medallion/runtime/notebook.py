"""Runs a notebook's cells in order. Runs in the task process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from medallion.errors import UnsupportedError
from medallion.runtime.failures import describe, user_line
from medallion.runtime.magics import files, include, shell_command, sql
from medallion.runtime.protocol import NOTEBOOK_FILE, Failure, TaskResult
from medallion.runtime.record import Record
from medallion.runtime.source import Cell, Notebook, read_notebook
from medallion.runtime.task import NotebookExit, RestartPython, Task

if TYPE_CHECKING:
    from medallion.runtime.shell import Shell


def run_notebook(task: Task) -> TaskResult:
    """Run the notebook of the task's context until its end, its first failure or `dbutils.notebook.exit`.

    Leaves the executed notebook in the output folder.

    :raises DiskFullError: all cells ran, and there is no room for the executed notebook.
    """
    from medallion.compute.room import in_words

    notebook = read_notebook(task.file)
    path = Path(task.context.output) / NOTEBOOK_FILE
    record = Record(notebook, path, task.masks, title=task.context.workspace_path or task.file.name)
    task.record = task.display.record = record
    task.output.sink = record.stream
    result = run_all(task, notebook, record)
    task.output.drain()
    try:
        record.save()
    except OSError as error:
        if result.success:  # a failure of the user's own counts more
            raise in_words(error, task.settings) or error from None
    return result


def run_all(task: Task, notebook: Notebook, record: Record) -> TaskResult:
    """Run each cell and keep the record."""
    for position, cell in enumerate(notebook.cells):
        record.begin(position)
        task.channel.tell("cell", index=cell.index, title=cell.title, line=cell.line)
        try:
            run_cell(task, notebook, cell)
        except NotebookExit as exit_:
            finish(task, record, "exit")
            return TaskResult(success=True, exit_value=exit_.value)
        except SystemExit as exit_:
            if exit_.code in (None, 0):
                finish(task, record, "exit")
                return TaskResult(success=True)
            return fail(task, notebook, cell, exit_)
        except RestartPython:
            restart(task)
        except BaseException as error:  # noqa: BLE001  user code may raise anything
            return fail(task, notebook, cell, error)
        finish(task, record, "ok")
    return TaskResult(success=True)


def finish(task: Task, record: Record, status: str) -> None:
    """End the running cell with all that it put out."""
    task.output.drain()
    record.end(status)


def restart(task: Task) -> None:
    """Clear the user's variables, as Python restarting does."""
    if task.on_restart is not None:
        task.on_restart()


def run_cell(task: Task, notebook: Notebook, cell: Cell) -> None:
    """Run one cell of the notebook in `task.file`.

    :raises BaseException: whatever the cell raised.
    """
    if task.context.options.get("sql_only") and cell.language not in ON_A_WAREHOUSE:
        raise UnsupportedError(
            f"cell {cell.index} of {task.file.name} is in {cell.language.capitalize()}; a SQL warehouse runs SQL only",
            hint="leave out warehouse_id, or give the task a cluster",
        )
    runner = RUNNERS.get(cell.language)
    if runner is None:
        raise UnsupportedError(
            f"cell {cell.index} of {task.file.name} is in {cell.language.capitalize()}, which does not run here",
            hint="Python and SQL cells run; rewrite the cell in one of them",
        )
    runner(task, notebook, cell)


def run_python(task: Task, notebook: Notebook, cell: Cell) -> None:
    """A Python cell."""
    shell: Shell | None = task.shell
    if shell is None:
        raise RuntimeError("the task has no shell")
    name, line = code_place(task.file, notebook, cell)
    shell.run(cell.source, name=name, line=line)


def code_place(file: Path, notebook: Notebook, cell: Cell) -> tuple[str, int]:
    """File name and first line for tracebacks. An .ipynb counts lines within the cell: its own lines are JSON."""
    return (f"{file}, cell {cell.index}", 1) if notebook.is_json else (str(file), cell.line)


def fail(task: Task, notebook: Notebook, cell: Cell, error: BaseException) -> TaskResult:
    """The result of a cell that raised. The log ends with the cell, its line and the user's traceback."""
    name, first = code_place(task.file, notebook, cell)
    lines = range(first, first + cell.source.count("\n") + 1)
    if isinstance(error, SyntaxError) and error.filename == name and error.lineno is not None:
        shift = leading_lines(cell) + first - 1
        error.lineno += shift
        error.end_lineno = error.end_lineno + shift if error.end_lineno else None
        line: int | None = error.lineno
    else:
        line = getattr(error, "medallion_line", None) or user_line(error.__traceback__, name, lines) or first
    failure = describe(error, task.settings, cell=cell.index, line=line, is_lost=is_lost)
    if isinstance(error, SystemExit):
        failure = Failure("Exit", f"sys.exit({error.code!r})", cell=cell.index, line=line, trace=failure.trace)
    task.output.drain()
    task.output.log(headline(task, notebook, cell, line) + failure.trace)
    if task.record is not None:
        task.record.error(failure)
        task.record.end("failed")
    return TaskResult(success=False, failure=failure)


def leading_lines(cell: Cell) -> int:
    """Blank lines that IPython drops before it compiles."""
    return len(cell.source) - len(cell.source.lstrip("\n"))


def headline(task: Task, notebook: Notebook, cell: Cell, line: int | None) -> str:
    """Which cell failed, where, and the line itself."""
    title = f' "{cell.title}"' if cell.title else ""
    place = f"line {line} of the cell" if notebook.is_json else f"line {line} of {task.file.name}"
    lines = cell.source.split("\n")
    position = (line or 0) - (1 if notebook.is_json else cell.line)
    text = lines[position].strip() if 0 <= position < len(lines) else ""
    return f"\nCell {cell.index}{title} failed at {place}:\n" + (f"    {text}\n" if text else "")


def is_lost(error: BaseException) -> bool:
    """Whether the exception means that the Spark driver is gone."""
    from medallion.compute.session import is_driver_lost

    return is_driver_lost(error)


# docs.databricks.com: notebooks/notebook-compute, "Use a notebook with a SQL warehouse".
ON_A_WAREHOUSE = {"sql", "md", "skip", "run"}


def skip(_task: Task, _notebook: Notebook, _cell: Cell) -> None:
    """A cell that is not for running: text, `%skip`."""


RUNNERS: dict[str, Callable[[Task, Notebook, Cell], None]] = {
    "python": run_python,
    "sql": sql.run_cell,
    "sh": shell_command.run_cell,
    "fs": files.run_cell,
    "run": include.run_cell,
    "md": skip,
    "skip": skip,
}

"""`%sql` and SQL notebooks: statements in order; the last result is `_sqldf` and is shown. Runs in the task process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from medallion.errors import UnsupportedError
from medallion.runtime.sql_text import Statement, split_statements, substitute

if TYPE_CHECKING:
    from medallion.runtime.source import Cell, Notebook
    from medallion.runtime.task import Task

ROWS_BETWEEN = 1000
"""Rows that are read of a query which is not the last of its text."""


def run_cell(task: Task, notebook: Notebook, cell: Cell) -> None:
    """Run a SQL cell. A failing statement's exception carries its line as `medallion_line`."""
    first = 1 if notebook.is_json else cell.line
    frame = run_statements(task, cell.source, first_line=first)
    if frame is not None and task.shell is not None:
        task.shell.names["_sqldf"] = frame
        show(task, frame)


def run_statements(task: Task, text: str, *, first_line: int = 1) -> Any:
    """Run each statement of a text; the last one's frame, or None when there is no statement.

    `${name}` and `$name` of widgets and parameters are replaced in the text; `:name` is bound as a value.
    """
    if task.spark is None:
        raise UnsupportedError("SQL needs Spark and this task has no driver", hint="give the task a cluster")
    values = task.widgets.getAll()
    frame = None
    for statement in split_statements(substitute(text, values)):
        if frame is not None and frame.columns:
            frame.take(ROWS_BETWEEN)  # Spark runs a query when its rows are read; Databricks runs every statement
        frame = run_statement(task, statement, values, first_line + statement.line)
    return frame


def run_statement(task: Task, statement: Statement, values: dict[str, str], line: int) -> Any:
    """The frame of one statement. Commands run at once, as Spark does; a query runs when its rows are read."""
    bound = {name: values[name] for name in statement.parameters if name in values}
    try:
        return task.spark.sql(statement.text, args=bound) if bound else task.spark.sql(statement.text)
    except Exception as error:
        error.medallion_line = line  # type: ignore[attr-defined]  # where the log points to
        raise


def show(task: Task, frame: Any) -> None:
    """The frame's rows; `OK` for a command without any."""
    if frame.columns:
        task.display.show(frame)
    else:
        task.display.publish({"text/plain": "OK"})


def line_magic(task: Task, text: str) -> Any:
    """`%sql …` inside a Python cell: the frame, shown by whoever asks."""
    frame = run_statements(task, text)
    if frame is not None and task.shell is not None:
        task.shell.names["_sqldf"] = frame
    return frame

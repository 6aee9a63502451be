"""`%sql` and SQL notebooks: statements in order; the last result is `_sqldf` and is shown. Runs in the task process."""

from __future__ import annotations

from dataclasses import replace
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


def run_statements(task: Task, text: str, *, first_line: int = 1, is_filled: bool = False) -> Any:
    """Run each statement of a text; the last one's frame, or None when there is no statement.

    `${name}` and `$name` of widgets and parameters are replaced in the text; `:name` is bound as a value.

    :param is_filled: the names in the text are replaced already.
    """
    if task.spark is None:
        raise UnsupportedError("SQL needs Spark and this task has no driver", hint="give the task a cluster")
    values = task.widgets.getAll()
    frame = None
    for stated in split_statements(text if is_filled else substitute(text, values)):
        statement, line = stated, first_line + stated.line
        if (now := task.widgets.getAll()) != values:  # a widget that an earlier statement has made or removed
            statement = replace(stated, text=substitute(stated.text, now))
        if is_widget_statement(task, statement, line):
            continue
        if frame is not None and frame.columns:
            frame.take(ROWS_BETWEEN)  # Spark runs a query when its rows are read; Databricks runs every statement
        frame = run_statement(task, statement, now, line)
    return frame


def is_widget_statement(task: Task, statement: Statement, line: int) -> bool:
    """Carry out a statement on widgets; whether it is one."""
    from medallion.runtime.magics.sql_widgets import run_widget_statement

    def choices(query: str) -> list[str]:
        return [str(row[0]) for row in task.spark.sql(query).collect()]

    try:
        return run_widget_statement(task.widgets, statement.text, choices)
    except Exception as error:
        error.medallion_line = line  # type: ignore[attr-defined]
        raise


def run_statement(task: Task, statement: Statement, values: dict[str, str], line: int) -> Any:
    """The frame of one statement. Commands run at once, as Spark does; a query runs when its rows are read."""
    from medallion.runtime.magics.sql_widgets import with_arguments

    bound = {name: values[name] for name in statement.parameters if name in values}
    try:
        text = with_arguments(task.widgets, statement.text)
        return task.spark.sql(text, args=bound) if bound else task.spark.sql(text)
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

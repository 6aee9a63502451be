"""Kinds other than notebooks: Python files, wheels' entry points, SQL text. Runs in the task process."""

from __future__ import annotations

import atexit
import builtins
import importlib
import json
import math
import sys
import threading
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.errors import MedallionError
from medallion.runtime import alerts
from medallion.runtime.display import plain
from medallion.runtime.failures import describe, user_line
from medallion.runtime.magics import sql
from medallion.runtime.notebook import is_lost
from medallion.runtime.protocol import Failure, TaskResult
from medallion.runtime.source import is_notebook
from medallion.runtime.sql_markers import fill_markers
from medallion.spec.problems import did_you_mean

if TYPE_CHECKING:
    from medallion.runtime.task import Task

# What the next tasks can read of a SQL task (docs.databricks.com: jobs/dynamic-value-references).
ROW_LIMIT = 1000
BYTE_LIMIT = 48 * 1024


def run_script(task: Task) -> TaskResult:
    """Run a Python file as `__main__`, with `argv` and the names that Databricks gives to scripts."""
    if is_notebook(task.file):
        raise MedallionError(f"{task.file.name} is a notebook, not a Python file", hint="run it by a notebook_task")
    source = task.file.read_bytes()
    module = types.ModuleType("__main__")
    vars(module).update(task.injected, __file__=str(task.file))
    sys.modules["__main__"] = module
    with arguments(task, str(task.file)):
        return finished(task, lambda: run_code(source, str(task.file), vars(module)))


def run_code(source: bytes, name: str, names: dict[str, Any]) -> None:
    """Compile and run a file's text."""
    exec(compile(source, name, "exec", dont_inherit=True), names)  # noqa: S102  running the user's file is the task


def run_wheel(task: Task) -> TaskResult:
    """Call an entry point of an installed package: by its metadata, else `package.entry_point()`."""
    package, name = task.context.path, str(task.context.options.get("entry_point", ""))
    for key, value in task.injected.items():
        vars(builtins).setdefault(key, value)
    with arguments(task, name):
        return finished(task, lambda: call(find_entry_point(package, name)))


def call(entry_point: Callable[[], object]) -> None:
    """Call an entry point. What it returns is dropped, as on Databricks; a console script would exit with it."""
    entry_point()


def find_entry_point(package: str, name: str) -> Callable[[], object]:
    """The function of an entry point.

    :raises MedallionError: neither the package's metadata nor its module has the name.
    """
    try:
        found = list(metadata.distribution(package).entry_points)
    except metadata.PackageNotFoundError:
        found = []
    for entry in found:
        if entry.name == name:
            return entry.load()  # type: ignore[no-any-return]
    module = import_package(package)
    attribute = getattr(module, name, None)
    if callable(attribute):
        return attribute  # type: ignore[no-any-return]
    if ":" in name or "." in name:
        return metadata.EntryPoint(name, name if ":" in name else name.replace(".", ":", 1), "").load()  # type: ignore[no-any-return]
    known = [entry.name for entry in found] + [item for item in dir(module) if module is not None and item[0] != "_"]
    if module is None and not found:
        raise MedallionError(f"package {package!r} is not installed", hint="list its wheel in the task's libraries")
    raise MedallionError(
        f"package {package!r} has no entry point {name!r}",
        hint=did_you_mean(name, known) or f"known: {', '.join(sorted(known)[:20])}",
    )


def import_package(package: str) -> types.ModuleType | None:
    """The package's module, or None when there is none of that name."""
    name = package.replace("-", "_")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and name.startswith(error.name):
            return None
        raise


@contextmanager
def arguments(task: Task, program: str) -> Iterator[None]:
    """`sys.argv` of the script."""
    sys.argv = [program, *task.context.argv]
    yield


def finished(task: Task, run: Callable[[], None]) -> TaskResult:
    """The result of running user code: `sys.exit(0)` and a notebook's exit are successes."""
    from medallion.runtime.task import NotebookExit

    try:
        run()
        end_of_python()
    except NotebookExit as exit_:
        return TaskResult(success=True, exit_value=exit_.value)
    except SystemExit as exit_:
        end_of_python()
        return TaskResult(success=True) if exit_.code in (None, 0) else fail(task, exit_)
    except BaseException as error:  # noqa: BLE001  user code may raise anything
        return fail(task, error)
    return TaskResult(success=True)


def end_of_python() -> None:
    """What Python does at its end: wait for threads that are no daemons, then run what is due at exit."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()


def fail(task: Task, error: BaseException) -> TaskResult:
    """The result of a script that raised. The log ends with the user's traceback."""
    name = str(task.file)
    line = error.lineno if isinstance(error, SyntaxError) and error.filename == name else None
    line = line or user_line(error.__traceback__, name)
    failure = describe(error, task.settings, cell=None, line=line, is_lost=is_lost)
    if isinstance(error, SystemExit):
        text = f"sys.exit({error.code!r})"
        if isinstance(error.code, str):
            task.output.log(f"{error.code}\n")
        failure = Failure("Exit", text, line=line, trace=failure.trace)
    task.output.drain()
    task.output.log(failure.trace)
    return TaskResult(success=False, failure=failure)


def run_sql(task: Task) -> TaskResult:
    """Run the statements of a file, or of the text in `options["sql"]`; the last result is the task's output."""
    given = task.context.options.get("sql")
    text = str(given) if given is not None else Path(task.context.path).read_text(encoding="utf-8-sig")
    try:
        frame = sql.run_statements(task, fill_markers(text, task.widgets.getAll()), is_filled=True)
        if (rule := task.context.options.get("alert")) is not None:
            return run_alert(task, frame, rule)
        if frame is None or not frame.columns:
            task.output.log("OK\n")
            return TaskResult(success=True, output={"columns": [], "rows": []})
        rows = [row.asDict(recursive=True) for row in frame.take(ROW_LIMIT + 1)]
    except Exception as error:  # noqa: BLE001  a statement may fail in any way
        return fail_sql(task, error)
    shown = [[row[name] for name in frame.columns] for row in rows[:ROW_LIMIT]]
    task.display.table(frame.columns, shown, more=len(rows) > ROW_LIMIT)
    return TaskResult(success=True, output=limited(frame.columns, rows))


def run_alert(task: Task, frame: Any, rule: Mapping[str, Any]) -> TaskResult:
    """The result of an alert's query: its first rows and the state. Every state is a success."""
    if frame is None or not frame.columns:
        raise MedallionError(f"alert {rule['name']}: its query gives no result", hint="end it with a SELECT")
    state, why = alerts.evaluate(frame, rule)
    task.output.log(f"Alert {rule['name']}: {state}: {why}\n")
    rows = [row.asDict(recursive=True) for row in frame.take(ROW_LIMIT + 1)]
    return TaskResult(success=True, output={**limited(frame.columns, rows), "alert_state": state})


def fail_sql(task: Task, error: Exception) -> TaskResult:
    """The result of a statement that failed, with its line."""
    line = getattr(error, "medallion_line", None)
    failure = describe(error, task.settings, cell=None, line=line, is_lost=is_lost)
    task.output.log((f"Statement at line {line} failed:\n" if line else "") + failure.trace)
    return TaskResult(success=False, failure=failure)


def limited(columns: list[str], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Rows as JSON, as many as fit the limits; `truncated` tells whether some were left out."""
    kept: list[dict[str, Any]] = []
    size = 2
    for row in rows[:ROW_LIMIT]:
        clean = json.loads(json.dumps(finite(plain(row)), default=json_value))
        size += len(json.dumps(clean).encode()) + 2
        if size > BYTE_LIMIT:
            break
        kept.append(clean)
    return {"columns": list(columns), "rows": kept, "truncated": len(kept) < len(rows)}


def finite(value: Any) -> Any:
    """Numbers that JSON lacks as the text that Spark writes: NaN, Infinity, -Infinity."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {name: finite(item) for name, item in value.items()}
    return [finite(item) for item in value] if isinstance(value, list) else value


def json_value(value: object) -> object:
    """A value that JSON lacks: decimals as numbers where no digit is lost, bytes as hexadecimal digits, the rest as text."""
    if isinstance(value, Decimal):
        if value == value.to_integral_value():
            return int(value)
        return float(value) if Decimal(repr(float(value))) == value else str(value)
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).hex()
    return str(value)

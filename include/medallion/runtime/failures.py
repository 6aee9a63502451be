"""Exceptions of user code as the user should see them. Runs in the task process.

Frames of Medallion, IPython and the import machinery go. When Spark raised, so do PySpark's, Py4J's and Java's.
"""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from medallion.errors import DiskFullError, DriverLostError, MedallionError
from medallion.runtime import refused_functions
from medallion.runtime.protocol import Failure

if TYPE_CHECKING:
    from medallion.settings import Settings

HERE = str(Path(__file__).resolve().parents[1]) + os.sep
SHELL_PACKAGES = ("IPython", "traitlets", "decorator", "asyncio")
SPARK_PACKAGES = ("pyspark", "py4j")
SPARK_ERRORS = ("pyspark.", "py4j.")
JAVA_FRAME = re.compile(r"^\s*(at [\w.$/<>]+\(.*\)|\.\.\. \d+ (more|common frames omitted))\s*$")
# An AnalysisException ends with the plan of the query: tree lines such as `+- 'Project [*]`.
QUERY_PLAN = re.compile(r"(; line \d+ pos \d+|SQLSTATE: \w+);\n(?:[ :+\-'A-Z!].*\n?)+")
# Spark's words where an executor's Python is another one than the driver's, or is not there.
WRONG_PYTHON = re.compile(r"PYTHON_VERSION_MISMATCH|Cannot run program \"[^\"]*python[^\"]*\"")
LONGEST_MESSAGE = 4000
ANY_LINE = range(sys.maxsize)


def describe(
    error: BaseException,
    settings: Settings,
    *,
    cell: int | None,
    line: int | None,
    is_lost: Callable[[BaseException], bool],
) -> Failure:
    """The failure that a result carries.

    :param is_lost: tells whether the exception means that the Spark driver is gone.
    """
    from medallion.compute.room import disk_full
    from medallion.compute.session import why_lost

    if (full := disk_full(error, settings)) is not None:
        return Failure(DiskFullError.__name__, str(full), cell=cell, line=line, trace=full_trace(error, full))
    lost = isinstance(error, DriverLostError) or is_lost(error)
    message, trace = message_of(error), trace_of(error)
    why, advice = why_lost() if lost else None, advice_of(message)
    if why is not None and why not in message:
        message, trace = f"{why}; {message}", f"{trace}{why}\n"
    if advice is not None:
        message, trace = f"{message}; {advice}", f"{trace}{advice}\n"
    return Failure(
        kind="DriverLost" if lost else type(error).__name__,
        message=message,
        cell=cell,
        line=line,
        trace=trace,
        transient=lost or (isinstance(error, MedallionError) and error.transient),
    )


def advice_of(message: str) -> str | None:
    """What to do when executors cannot run Python functions, or a function is Databricks' own; None for another failure."""
    if WRONG_PYTHON.search(message) is None:
        return refused_functions.instead(message)
    version = ".".join(map(str, sys.version_info[:2]))
    return f"executors need a Python {version}: set `python` in the target's table of medallion.toml"


def message_of(error: BaseException) -> str:
    """The exception's own words, without Java's stack."""
    text = short_java(str(error)).strip()
    return text if len(text) <= LONGEST_MESSAGE else text[:LONGEST_MESSAGE] + " …"


def full_trace(error: BaseException, full: DiskFullError) -> str:
    """The traceback of a full disk. Of Spark's own words, which are a page, only where in the user's code it was."""
    words = f"{type(full).__name__}: {full}\n"
    stack = pruned(error).stack
    if not stack or error is full:
        return words
    told = "".join(["Traceback (most recent call last):\n", *stack.format()]) if is_spark(error) else trace_of(error)
    return told + words


def pruned(error: BaseException) -> traceback.TracebackException:
    """The exception with the user's frames only."""
    shown = traceback.TracebackException.from_exception(error, compact=True)
    prune(shown, is_spark(error))
    return shown


def trace_of(error: BaseException) -> str:
    """The traceback as Python prints it, with the user's frames only."""
    shown = pruned(error)
    text = "".join(shown.format()).replace("IPython.core.error.UsageError", "UsageError")
    return short_java(text).rstrip() + "\n"


def is_spark(error: BaseException) -> bool:
    """Whether Spark or Py4J raised it."""
    return any(kind.__module__.startswith(SPARK_ERRORS) for kind in type(error).__mro__)


def prune(shown: traceback.TracebackException, spark: bool) -> None:  # noqa: FBT001  recursion, not an option
    """Leave only frames that are the user's, in the exception and in those it came from."""
    kept = [frame for frame in shown.stack if not is_hidden(frame.filename, spark=spark)]
    shown.stack = traceback.StackSummary.from_list(kept)
    inner: Iterable[traceback.TracebackException | None] = (
        shown.__cause__,
        shown.__context__,
        *(getattr(shown, "exceptions", None) or ()),
    )
    for other in inner:
        if other is not None:
            prune(other, spark or str(getattr(other.exc_type, "__module__", "")).startswith(SPARK_ERRORS))


def is_hidden(filename: str, *, spark: bool) -> bool:
    """Whether a frame of this file is none of the user's business."""
    if filename.startswith((HERE, "<frozen importlib", "<frozen runpy")):
        return True
    packages = SHELL_PACKAGES + SPARK_PACKAGES if spark else SHELL_PACKAGES
    parts = Path(filename).parts
    if "site-packages" in parts:
        package = parts[parts.index("site-packages") + 1] if parts[-1] != "site-packages" else ""
        return package.removesuffix(".py") in packages
    return "asyncio" in parts and filename.startswith(sys.base_prefix)


def short_java(text: str) -> str:
    """The text without lines of Java's stack."""
    text = QUERY_PLAN.sub(r"\1", text.split("\n\nJVM stacktrace:")[0])
    lines = [line for line in text.split("\n") if not JAVA_FRAME.match(line)]
    return "\n".join(lines)


def user_line(trace: TracebackType | None, name: str, lines: range = ANY_LINE) -> int | None:
    """The line of the innermost frame in this file and within these lines, or None."""
    found = None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == name and trace.tb_lineno in lines:
            found = trace.tb_lineno
        trace = trace.tb_next
    return found

"""The process of one task: reads its context, runs it, writes its result. Runs in the task process.

Started by `launch`: as a fork of the spare process, or afresh with `python -m medallion.runtime.process CONTEXT FDS`.
"""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from medallion.core.descendants import become_task, end_below
from medallion.runtime.channel import Channel
from medallion.runtime.dbutils.widgets import Widgets
from medallion.runtime.display import Display
from medallion.runtime.failures import describe
from medallion.runtime.masks import Masks
from medallion.runtime.output import Output
from medallion.runtime.protocol import RESULT_FILE, TaskContext, TaskResult, write_whole
from medallion.runtime.task import Task
from medallion.settings import Settings

PAGE_NICENESS = 10
END_SECONDS = 2.0
"""What a task has left running gets so long between SIGTERM and SIGKILL. Nobody waits for it: the result is out."""
FILELESS = frozenset({"wheel", "dbt", "jar", "submit", "pipeline"})
PATHLESS = FILELESS - {"dbt"}
"""Kinds whose work is no file: their folder does not go on `sys.path`. Those of PATHLESS have no folder either."""


@dataclass(frozen=True, slots=True)
class Pipes:
    """Descriptors that the worker gave: its output pipe, the inner pipe's two ends, the control socket."""

    output: int
    raw_read: int
    raw_write: int
    control: int


def run(context_file: Path, pipes: Pipes, environment: Mapping[str, str], asked: float) -> None:
    """Run a task and end the process. Never returns.

    :param environment: the whole environment of the task.
    :param asked: `time.time()` when the worker asked for the task.
    """
    status = 1
    try:
        take_over(pipes, environment)
        status = run_task(TaskContext.from_json(context_file.read_text(encoding="utf-8")), pipes, asked)
    except BaseException as error:  # noqa: BLE001  nothing may return into the spare process
        os.write(
            2,
            f"medallion: the task process failed: {type(error).__name__}: {error}\n".encode(errors="backslashreplace"),
        )
    finally:
        os._exit(status)


def take_over(pipes: Pipes, environment: Mapping[str, str]) -> None:
    """Make the process the task's own: streams, environment, signals."""
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()  # TZ may be another now
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(pipes.raw_write, 1)
    os.dup2(pipes.raw_write, 2)
    os.close(pipes.raw_write)
    os.close(null)
    for descriptor in (pipes.output, pipes.raw_read, pipes.control):
        os.set_inheritable(descriptor, False)  # noqa: FBT003  the function has no keywords
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL if number != signal.SIGINT else signal.default_int_handler)
    become_task()
    faulthandler.enable(file=2, all_threads=False)


def run_task(context: TaskContext, pipes: Pipes, asked: float) -> int:
    """Run the task, write its result, tell the worker; then make the page, which nobody waits for."""
    begun = time.time()
    output = Output(pipes.output, pipes.raw_read)
    output.install()
    connection = socket.socket(fileno=pipes.control)
    guard = Guard(context)
    channel = Channel(connection, guard.worker_gone)
    hello = channel.ask("hello")
    context = TaskContext.from_json(hello["context"])  # the file has no secrets
    masks = Masks(hello["masks"])
    settings = Settings.model_validate(hello["settings"])
    display = Display(output, masks)
    task = Task(context, Path(context.path), output, masks, display, Widgets(context.parameters), channel, settings)
    signal.signal(signal.SIGTERM, lambda _number, _frame: guard.terminated(task))
    task.seconds["process"] = round(begun - asked, 4)
    result = kept(task, timed(task, asked))
    output.drain()
    guard.done = True
    channel.tell("finished")
    leave(task)
    return 0 if result.success else 1


def kept(task: Task, result: TaskResult) -> TaskResult:
    """Write the result. Where there is no room for it the task fails and the worker is told the result itself."""
    from medallion.compute.room import in_words

    try:
        write_whole(Path(task.context.output) / RESULT_FILE, task.masks.in_json(result.to_json()))
    except OSError as error:
        if result.success:
            result = failed(task, in_words(error, task.settings) or error)
        task.channel.tell("result", text=task.masks.in_json(result.to_json()))
    return result


class Guard:
    """Ends the process when its worker is gone or asks for it."""

    def __init__(self, context: TaskContext) -> None:
        self._context = context
        self._pid = os.getpid()
        self.done = False

    def worker_gone(self) -> None:
        """The worker died: nobody wants the result. End with all child processes and with the Spark jobs."""
        if self.done:
            return
        if self._context.driver and self._context.tag:
            cancel_spark(self._context)
        end_below(os.getpid())
        end_group(signal.SIGKILL)

    def terminated(self, task: Task) -> None:
        """SIGTERM: keep what there is of the record, then die of the signal."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        own = os.getpid() == self._pid  # a process that user code forked has this handler too
        if own and not self.done and task.record is not None:
            task.output.drain()
            task.record.end("killed")
            with contextlib.suppress(OSError):
                task.record.save()
        os.kill(os.getpid(), signal.SIGTERM)


def cancel_spark(context: TaskContext) -> None:
    """Cancel what the task left running in the driver."""
    from medallion.compute.connection import Connection

    try:
        Connection.load(Path(str(context.driver))).cancel(context.tag)
    except Exception as error:  # noqa: BLE001  the driver may be gone too; the process ends in any case
        os.write(2, f"medallion: could not cancel Spark jobs: {error}\n".encode(errors="backslashreplace"))


def end_group(number: signal.Signals) -> None:
    """Signal this process's group, if it leads one."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), number)
    else:
        os.kill(os.getpid(), number)


def timed(task: Task, asked: float) -> TaskResult:
    """The task's result with its times."""
    try:
        prepare(task)
    except BaseException as error:  # noqa: BLE001  becomes the task's failure
        return failed(task, error, early=True)
    begun = time.time()
    task.channel.tell("started")
    result = dispatch(task)
    times = {"start": round(begun - asked, 4), "run": round(time.time() - begun, 4), **task.seconds}
    return replace(result, seconds=times)


def failed(task: Task, error: BaseException, *, early: bool = False) -> TaskResult:
    """The result of a task that failed outside a cell.

    :param early: none of the user's code has run.
    """
    from medallion.runtime.notebook import is_lost

    failure = replace(describe(error, task.settings, cell=None, line=None, is_lost=is_lost), early=early)
    task.output.drain()
    task.output.log(failure.trace if not hasattr(error, "hint") else f"{failure.kind}: {error}\n")
    return TaskResult(success=False, failure=failure)


RUNNERS = {
    "notebook": ("notebook", "run_notebook"),
    "python": ("scripts", "run_script"),
    "wheel": ("scripts", "run_wheel"),
    "sql": ("scripts", "run_sql"),
    "dbt": ("dbt", "run_dbt"),
    "jar": ("jar", "run_jar"),
    "submit": ("jar", "run_submit"),
    "pipeline": ("pipelines.update", "run_pipeline"),
}
"""Module of this package and function by kind. A task imports those of its own kind only: all of them take 50 ms."""


def dispatch(task: Task) -> TaskResult:
    """Run what the context's kind says."""
    module, name = RUNNERS[task.context.kind]
    run_kind = getattr(import_module(f"medallion.runtime.{module}"), name)
    try:
        result: TaskResult = run_kind(task)
        if result.success and result.exit_value is None and task.spark is not None:
            wait_for_streams(task)
        return result
    except BaseException as error:  # noqa: BLE001  becomes the task's failure
        return failed(task, error)


def wait_for_streams(task: Task) -> None:
    """A task goes on while its streams run, and fails with them."""
    from medallion.runtime.spark.streams import wait_for_all

    task.output.drain()
    wait_for_all()


def prepare(task: Task) -> None:
    """Folder, module path, paths of Databricks, Spark, and the names that a notebook finds."""
    from medallion.compute import paths
    from medallion.runtime.injected import inject
    from medallion.runtime.reads import watch_reads
    from medallion.runtime.shell import Shell
    from medallion.runtime.spark.install import install
    from medallion.runtime.streams import watch_streams

    context = task.context
    paths.install(context.places)
    task.file = local_file(context)
    fileless = context.kind in FILELESS
    folder = Path(context.root or context.output) if fileless else task.file.parent
    if folder.is_dir():
        os.chdir(folder)
    wanted = [*context.options.get("site", ()), "" if fileless else str(folder), context.root]
    sys.path[:0] = [entry for entry in dict.fromkeys(wanted) if entry and entry not in sys.path]
    replace_packages(context)
    begun = time.time()
    if context.driver:
        if context.kind == "pipeline":
            task.link = attach(context, by_connect=True)
            task.spark = task.link.spark
        else:
            task.spark = attach(context)
            install(task.spark, task.masks)
            watch_streams(task.spark, Path(context.output), context.options)
            watch_reads(task.spark, context.places.lake, Path(context.output))
    attached = time.time()
    if context.kind == "notebook":
        os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
        task.shell = Shell(task.display, task.settings.home / "ipython")
    inject(task)
    task.seconds.update(spark=round(attached - begun, 4), shell=round(time.time() - attached, 4))


def replace_packages(context: TaskContext) -> None:
    """Let the task's own packages take the place of those that this process has loaded on its way here."""
    from medallion.runtime.magics.pip import forget_modules

    if not context.options.get("forkable"):
        for folder in context.options.get("site", ()):
            forget_modules(Path(folder))


def local_file(context: TaskContext) -> Path:
    """The file to run. A wheel has none; SQL may be given as text.

    :raises MedallionError: there is no such file.
    """
    from medallion.compute.paths import to_local
    from medallion.runtime.lookup import find_file, find_notebook

    if context.kind == "notebook":
        return find_notebook(context.path, context.places)
    if context.kind in PATHLESS or "sql" in context.options:
        return Path(context.path)
    if context.kind == "dbt":
        return Path(to_local(context.path, context.places))
    return find_file(context.path, context.places)


ATTACH = {False: ("session", "attach"), True: ("connect", "connect")}
"""Module of `compute` and function by whether a task speaks Spark Connect. The one of Connect takes 9 ms to import."""


def attach(context: TaskContext, *, by_connect: bool = False) -> Any:
    """The task's session in its driver; the `Link` of one by Spark Connect."""
    from medallion.compute.connection import Connection

    options = context.options
    # PySpark logs each failed statement with Java's whole stack; the user's traceback says it.
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)
    os.environ.update({**Connection.load(Path(str(context.driver))).environment, **context.environment})
    module, name = ATTACH[by_connect]
    attach_session = getattr(import_module(f"medallion.compute.{module}"), name)
    return attach_session(
        Path(str(context.driver)),
        tag=context.tag,
        spark_conf=options.get("spark_conf"),
        user_metadata=options.get("user_metadata"),
    )


def leave(task: Task) -> None:
    """After the result is out: end all that the task has started, then make the page of the notebook."""
    atexit._run_exitfuncs()  # a script has had its turn before its result
    if os.getpgrp() == os.getpid():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(os.getpid(), signal.SIGTERM)
    end_below(os.getpid(), grace=END_SECONDS)
    if task.record is not None:
        os.nice(PAGE_NICENESS)
        from medallion.runtime.page import write_page

        write_page(Path(task.context.output))


def main(arguments: list[str]) -> None:
    """`python -m medallion.runtime.process CONTEXT OUTPUT RAW_READ RAW_WRITE CONTROL ASKED`."""
    context, *descriptors, asked = arguments
    run(Path(context), Pipes(*map(int, descriptors)), dict(os.environ), float(asked))


if __name__ == "__main__":
    main(sys.argv[1:])

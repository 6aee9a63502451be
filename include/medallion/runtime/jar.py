"""JAR tasks: a main class in the shared driver, or a spark-submit of the task's own. Runs in the task process."""

from __future__ import annotations

import codecs
import os
import select
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.errors import MedallionError
from medallion.runtime.protocol import Failure, TaskResult

if TYPE_CHECKING:
    from medallion.runtime.task import Task

MAIN = "medallion.tasks.JarMain"
PIPE = "stdout.pipe"
CHUNK = 65536


class PipeReader:
    """A named pipe that the driver writes a task's output to, read into the task's log as it comes.

    :param path: where the pipe is made.
    """

    def __init__(self, path: Path, task: Task) -> None:
        self.path, self._task = path, task
        path.unlink(missing_ok=True)
        os.mkfifo(path, 0o600)
        # Open for both, so that the pipe has no end while the driver has not opened it yet.
        self._pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self._ended, self._end = os.pipe()
        self._text = codecs.getincrementaldecoder("utf-8")("replace")
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Read what is left, then end."""
        os.write(self._end, b"x")
        self._thread.join()
        for descriptor in (self._pipe, self._ended, self._end):
            os.close(descriptor)
        self.path.unlink(missing_ok=True)

    def _read(self) -> None:
        ended = False
        while True:
            ready, _, _ = select.select(
                [self._pipe] if ended else [self._pipe, self._ended], [], [], 0 if ended else None
            )
            if self._pipe in ready:
                self._task.output.log(self._text.decode(os.read(self._pipe, CHUNK)))
            elif ended:
                return
            ended = ended or self._ended in ready


def run_jar(task: Task) -> TaskResult:
    """Run `main` of the task's class in the driver; its standard output comes into the log."""
    options = task.context.options
    name = str(options.get("main_class_name") or "")
    if not name:
        raise MedallionError("spark_jar_task names no main_class_name")
    gateway = task.spark.sparkContext._gateway
    main: Any = gateway.jvm
    for part in MAIN.split("."):
        main = getattr(main, part)
    reader = PipeReader(Path(task.context.output) / PIPE, task)
    try:
        told = main.run(
            task.spark._jsparkSession,
            task.context.tag,
            texts(gateway, options.get("jars") or ()),
            name,
            texts(gateway, task.context.argv),
            str(reader.path),
        )
    finally:
        reader.close()
    if not len(told):
        return TaskResult(success=True)
    kind, message, stack = told
    short = kind.rpartition(".")[2]
    trace = stack.rstrip() + "\n" if stack else f"{short}: {message}\n"
    task.output.log(trace)
    return TaskResult(success=False, failure=Failure(short, message, trace=trace))


def texts(gateway: Any, values: Any) -> Any:
    """Texts as Java's array."""
    array = gateway.new_array(gateway.jvm.java.lang.String, len(values))
    for index, value in enumerate(values):
        array[index] = str(value)
    return array


def run_submit(task: Task) -> TaskResult:
    """Run a spark-submit command; its exit status decides. It is of this process's group, so it ends with it."""
    python = {"PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": sys.executable}
    path = os.pathsep.join(entry for entry in sys.path if entry and not entry.endswith(".zip"))
    done = subprocess.run(
        list(task.context.options["command"]), env={**os.environ, **python, "PYTHONPATH": path}, check=False
    )
    shutil.rmtree(Path(task.context.output) / "local", ignore_errors=True)
    if done.returncode == 0:
        return TaskResult(success=True)
    how = f"status {done.returncode}" if done.returncode > 0 else f"signal {-done.returncode}"
    failure = Failure("Exit", f"spark-submit ended with {how}")
    task.output.drain()
    task.output.log(f"{failure.message}\n")
    return TaskResult(success=False, failure=failure)

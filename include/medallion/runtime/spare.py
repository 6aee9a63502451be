"""The spare process: has the slow imports behind it and forks one child per task. Runs as a process of its own.

It holds one thread and no connection to a driver when it forks: neither would survive a fork. It ends itself when
nobody asked for a while, on SIGTERM, when the project's home is gone, and when a newer spare asks it to.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medallion.core.descendants import SPARE, adopt_orphans, end_below, name_process
from medallion.runtime import process
from medallion.runtime.process import Pipes

# What a task needs before its first cell. Measured: 1.5 s in all, most of it pandas and pyspark.
FIRST = (
    "pandas",
    "pyarrow",
    "pyspark.sql",
    "pyspark.sql.functions",
    "pyspark.sql.classic.dataframe",
    "pyspark.testing.utils",  # a SparkContext imports it, and it imports pandas' test tools
    "py4j.java_gateway",
    "IPython.core.interactiveshell",
    "IPython.core.magics",
    # What IPython imports while it makes a shell: 70 ms.
    "IPython.core.application",
    "IPython.core.completer",
    "IPython.core.completerlib",
    "IPython.core.logger",
    "IPython.core.oinspect",
    "IPython.lib.lexers",
    "asyncio",
    "bdb",
    "nbformat.v4",
    "medallion.compute.session",
    "medallion.compute.path_patches",
    "medallion.compute.paths",
    "medallion.runtime.injected",
    "medallion.runtime.magics.lines",
    "medallion.runtime.notebook",
    "medallion.runtime.reads",
    "medallion.runtime.record",
    "medallion.runtime.scripts",
    "medallion.runtime.shell",
    "medallion.runtime.spark.install",
    "medallion.runtime.streams",
    "databricks",
    "encodings.utf_8_sig",  # compiling a script imports it
)
# What a task needs after its last cell; imported when there is time for it.
LATER = (
    "delta.tables",
    "medallion.runtime.page",
    "medallion.runtime.jar",
    "medallion.runtime.dbt",
    "medallion.runtime.pipelines.update",
)
IDLE_LOOK = 2.0  # seconds between looks at the clock and the home folder
REQUEST_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How a spare process runs.

    :param address: path of its socket.
    :param home: the project's home; when it is gone the spare ends.
    :param idle_seconds: without a request or a child for so long the spare ends.
    """

    address: Path
    home: Path
    idle_seconds: float


class Spare:
    """The server. One request per connection: start a task, or stop."""

    def __init__(self, plan: Plan, listener: socket.socket) -> None:
        self._plan = plan
        self._listener = listener
        self._children: dict[int, socket.socket] = {}
        self._later = list(LATER)
        self._used = time.monotonic()
        self._stopping = False
        self._wake, self._waker = socket.socketpair()

    def serve(self) -> None:
        """Answer requests until it is time to end. Children that still run are left to their workers."""
        for end in (self._wake, self._waker, self._listener):
            end.setblocking(False)  # noqa: FBT003  socket's own signature
        adopt_orphans()
        signal.set_wakeup_fd(self._waker.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._stop())
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._wake, selectors.EVENT_READ)
            while not self._is_over():
                if self._stopping and self._listener.fileno() >= 0:
                    selector.unregister(self._listener)
                    self._listener.close()
                ready = selector.select(timeout=0.2 if self._later else IDLE_LOOK)
                for key, _ in ready:
                    if key.fileobj is self._listener:
                        self._accept()
                    else:
                        self._wake.recv(4096)
                self._reap()
                if not ready:
                    self._prepare_more()

    def _stop(self) -> None:
        """Take no more requests; end when the last child has."""
        self._stopping = True
        self._plan.address.unlink(missing_ok=True)

    def _is_over(self) -> bool:
        if self._children:
            self._used = time.monotonic()
        idle = time.monotonic() - self._used > self._plan.idle_seconds
        gone = not self._plan.home.is_dir() or not self._plan.address.exists()
        return (self._stopping and not self._children) or idle or (gone and not self._stopping)

    def _prepare_more(self) -> None:
        """Import one more of what tasks need at their end, while nobody waits."""
        if self._later:
            prepare(self._later.pop(0))
            gc.collect()
            gc.freeze()

    def _accept(self) -> None:
        with contextlib.suppress(OSError, ValueError, KeyError):
            connection, _ = self._listener.accept()
            connection.settimeout(REQUEST_SECONDS)
            self._used = time.monotonic()
            request, descriptors = receive(connection)
            if request.get("stop"):
                self._stop()
                connection.close()
                return
            if is_closed(connection):  # the worker gave up and started the task in another way
                for descriptor in descriptors:
                    os.close(descriptor)
                return
            self._start(connection, request, descriptors)

    def _start(self, connection: socket.socket, request: dict[str, Any], descriptors: list[int]) -> None:
        # Until the child has its own handlers, this process's would swallow a signal that is meant to end it.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        pid = os.fork()
        if pid == 0:
            self._become_task(connection, request, descriptors)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        for descriptor in descriptors:
            os.close(descriptor)
        self._children[pid] = connection
        tell(connection, {"pid": pid})

    def _become_task(self, connection: socket.socket, request: dict[str, Any], descriptors: list[int]) -> None:
        """In the child: lead a process group, let go of the server's sockets, run the task. Does not return."""
        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
            for end in (self._listener, self._wake, self._waker, connection, *self._children.values()):
                end.close()
            if "numpy" in sys.modules:
                sys.modules["numpy"].random.seed()  # a fork would repeat its siblings' numbers
            process.run(Path(request["context"]), Pipes(*descriptors), request["environment"], request["asked"])
        finally:
            os._exit(1)

    def _reap(self) -> None:
        """Tell the workers of tasks that have ended, and end what dead tasks have left: it came to this process."""
        for pid, status in ended_children():
            connection = self._children.pop(pid, None)
            if connection is not None:
                end_below(os.getpid(), but=self._children)
                tell(connection, {"status": os.waitstatus_to_exitcode(status)})
                connection.close()
                self._used = time.monotonic()


def ended_children() -> Iterator[tuple[int, int]]:
    """Pid and wait status of each child that has ended."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield pid, status


def tell(connection: socket.socket, message: dict[str, Any]) -> None:
    """One JSON line to a worker that may be gone."""
    with contextlib.suppress(OSError):
        connection.sendall(json.dumps(message).encode() + b"\n")


def receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """A request's JSON line and the descriptors that came with it."""
    data, descriptors, _, _ = socket.recv_fds(connection, 65536, 4)
    while data and not data.endswith(b"\n"):
        piece = connection.recv(65536)
        if not piece:
            break
        data += piece
    request: dict[str, Any] = json.loads(data)
    return request, list(descriptors)


def is_closed(connection: socket.socket) -> bool:
    """Whether the other side has closed the connection. It sends nothing after its request."""
    connection.setblocking(False)  # noqa: FBT003  socket's own signature
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except OSError:
        return False
    finally:
        connection.settimeout(REQUEST_SECONDS)


def import_quietly(name: str) -> Any:
    """Import a module; a task that needs it and cannot have it will say so itself."""
    try:
        return importlib.import_module(name)
    except Exception as error:  # noqa: BLE001  a broken package must not cost every task its spare
        sys.stderr.write(f"the spare process could not import {name}: {error}\n")
        return None


def prepare(name: str) -> None:
    """Import a module, and have it make what each task would make anew: its `warm` does."""
    module = import_quietly(name)
    if hasattr(module, "warm"):
        module.warm()


def bind(address: Path) -> socket.socket:
    """A listening socket that only this user can open."""
    address.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        listener.bind(str(address))
    finally:
        os.umask(mask)
    listener.listen(64)
    return listener


def detach() -> None:
    """Leave the starter: its wait ends at once, its terminal and session are no longer ours."""
    if os.fork():
        os._exit(0)
    os.setsid()
    os.chdir("/")


def main(arguments: list[str]) -> None:
    """`python -m medallion.runtime.spare ADDRESS HOME IDLE_SECONDS`."""
    plan = Plan(Path(arguments[0]), Path(arguments[1]), float(arguments[2]))
    detach()
    name_process(SPARE)
    warnings.filterwarnings("ignore", message=".*multi-threaded.*fork", category=DeprecationWarning)
    for name in FIRST:
        prepare(name)
    gc.collect()
    gc.freeze()  # the collector would write to every page that children share
    listener = bind(plan.address)
    inode = plan.address.stat().st_ino
    try:
        Spare(plan, listener).serve()
    finally:
        with contextlib.suppress(OSError):
            if plan.address.stat().st_ino == inode:
                plan.address.unlink()


if __name__ == "__main__":
    main(sys.argv[1:])

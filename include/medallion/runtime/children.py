"""The two ways to start a task's process: a fresh Python, or a fork of the spare one. Runs on the worker."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from medallion.core.descendants import adopt_orphans, children, end_below, is_task, keep_apart

ANSWER_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Order:
    """What a child needs to start.

    :param descriptors: output pipe, inner pipe (read, write), control socket: the child's ends.
    :param asked: `time.time()` of the request.
    :param python: the interpreter of a fresh process.
    """

    context_file: Path
    descriptors: tuple[int, int, int, int]
    environment: Mapping[str, str]
    asked: float
    python: str = sys.executable


class Child(Protocol):
    """A started task process. It leads a process group of its own."""

    pid: int

    def status(self, seconds: float) -> int | None:
        """The exit status, negative for a signal; None when it has not ended within the seconds or nobody knows."""
        ...

    def forget(self) -> None:
        """Let it end by itself."""
        ...

    def end_left_over(self) -> None:
        """It died: end what it has left running."""
        ...


class FreshChild:
    """A Python process started for this task alone."""

    def __init__(self, order: Order) -> None:
        # In a task's process that starts another its own threads have children too; it ends all of them at its own end.
        self._before = frozenset(children(os.getpid())) if not is_task() and adopt_orphans() else None
        command = [order.python, "-P", "-m", "medallion.runtime.process", str(order.context_file)]
        command += [*map(str, order.descriptors), str(order.asked)]
        self._process = subprocess.Popen(
            command,
            env=dict(order.environment),
            pass_fds=order.descriptors,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
        )
        self.pid = self._process.pid
        keep_apart(self.pid)

    def status(self, seconds: float) -> int | None:
        """As `Child.status`."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(seconds)
        return None

    def forget(self) -> None:
        """Let it end by itself; a thread takes its status."""
        if self._before is not None:
            adopt_orphans(wanted=False)
        threading.Thread(target=self._process.wait, name="medallion-reaper", daemon=True).start()

    def end_left_over(self) -> None:
        """As `Child.end_left_over`: it came to this process."""
        self.status(1.0)
        if self._before is not None:
            end_below(os.getpid(), but=self._before)


class ForkedChild:
    """A fork of the spare process. The spare tells its pid and later its status over the connection."""

    def __init__(self, connection: socket.socket, order: Order) -> None:
        message = {
            "context": str(order.context_file),
            "environment": dict(order.environment),
            "asked": order.asked,
        }
        data = json.dumps(message).encode() + b"\n"
        sent = socket.send_fds(connection, [data[:1]], list(order.descriptors))
        connection.sendall(data[sent:])
        self._connection = connection
        self._replies = connection.makefile("rb")
        try:
            self.pid = int(self._reply(seconds=ANSWER_SECONDS)["pid"])
        except BaseException:
            self.forget()  # a spare that wakes up later sees it and does not start the task a second time
            raise

    def status(self, seconds: float) -> int | None:
        """As `Child.status`."""
        with contextlib.suppress(OSError, ValueError, KeyError):
            return int(self._reply(seconds)["status"])
        return None

    def forget(self) -> None:
        """The spare takes its status."""
        self._replies.close()
        self._connection.close()

    def end_left_over(self) -> None:
        """The spare does that."""

    def _reply(self, seconds: float) -> dict[str, Any]:
        self._connection.settimeout(max(seconds, 0.001))
        line = self._replies.readline()
        if not line:
            raise OSError("the spare process is gone")
        answer: dict[str, Any] = json.loads(line)
        return answer


def start_detached(command: list[str], **options: Any) -> None:
    """Start a process that nobody waits for."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, **options)
    keep_apart(process.pid)
    threading.Thread(target=process.wait, name="medallion-reaper", daemon=True).start()

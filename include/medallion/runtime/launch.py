"""Starts a task's process and stays with it until its end. Runs on the worker.

One thread does all: it reads the process's output, answers its questions and watches the clock.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from medallion.compute.processes import is_running, started_at
from medallion.core.environment import for_user_code
from medallion.errors import MedallionError
from medallion.runtime.channel import answer_question
from medallion.runtime.children import Child, ForkedChild, FreshChild, Order, start_detached
from medallion.runtime.death import Death, failure_of
from medallion.runtime.failures import is_hidden
from medallion.runtime.lines import Lines, take
from medallion.runtime.masks import REDACTED, Masks
from medallion.runtime.protocol import (
    CONTEXT_FILE,
    NOTEBOOK_FILE,
    RESULT_FILE,
    Answers,
    TaskContext,
    TaskResult,
    write_whole,
)
from medallion.runtime.spare_start import connect
from medallion.runtime.task_limits import LimitWatch
from medallion.settings import Settings

GRACE_SECONDS = 5.0
DRAIN_SECONDS = 5.0
# Options of a context that ask for packages of its own: `python`, an interpreter that has Medallion installed, and
# `site`, folders that go first on sys.path. What the spare process has imported may not be what they hold, unless
# `forkable` says that they replace nothing.
OWN_ENVIRONMENT = {"python", "site"}
CRASH_FRAME = re.compile(r'\s*File "(.+)", line \d+ in ')  # as faulthandler writes it


def launch(
    context: TaskContext,
    settings: Settings,
    *,
    answers: Answers,
    on_output: Callable[[str], None],
    timeout: float | None = None,
    spare: bool = True,
    masks: Iterable[str] = (),
) -> TaskResult:
    """Run a task in a process of its own and give its result, whatever way it ends.

    :param on_output: gets each line that the task writes, without its newline.
    :param timeout: seconds from the process's start after which its whole group is ended; the failure is a `Timeout`.
    :param spare: False to start a fresh process even where a spare one would do.
    :param masks: secrets that the task knows from elsewhere, to be masked like those it asks for.
    """
    process = TaskProcess(context, settings, answers=answers, on_output=on_output, masks=masks)
    return process.run(timeout=timeout, spare=spare)


class TaskProcess:
    """One task's process as the worker sees it. `run` blocks; `terminate` may come from a signal or another thread."""

    def __init__(
        self,
        context: TaskContext,
        settings: Settings,
        *,
        answers: Answers,
        on_output: Callable[[str], None],
        masks: Iterable[str] = (),
    ) -> None:
        self._context = context
        self._settings = settings
        self._answers = answers
        self._on_output = on_output
        self._masks = Masks(masks)
        self._output = Lines(self._emit, self._masks)
        self._control = Lines(self._heard, longest=None)
        self._child: Child | None = None
        self._connection: socket.socket | None = None
        self._cell: dict[str, Any] | None = None
        self._stopped: str | None = None
        self._kill_at = float("inf")
        self._finished = False
        self._status: int | None = None
        self._told: str | None = None
        self._watch: LimitWatch | None = None
        self._limit = ""

    def run(self, *, timeout: float | None = None, spare: bool = True) -> TaskResult:
        """Start the process, stay with it until it has a result or is dead, and give the result."""
        asked = time.time()
        folder = Path(self._context.output)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RESULT_FILE).unlink(missing_ok=True)
        write_whole(folder / CONTEXT_FILE, self._masks.in_json(without_values(self._context).to_json()), private=True)
        output, output_end = os.pipe()
        raw, raw_end = os.pipe()
        self._connection, control_end = socket.socketpair()
        try:
            with control_end:
                descriptors = (output_end, raw, raw_end, control_end.fileno())
                environment = for_user_code(extra=self._context.environment)
                python = str(self._context.options.get("python", sys.executable))
                order = Order(folder / CONTEXT_FILE, descriptors, environment, asked, python)
                options = self._context.options
                own = not OWN_ENVIRONMENT.isdisjoint(options) and not options.get("forkable")
                self._child = start_child(order, self._settings, spare=spare and not own)
            os.close(output_end)
            os.close(raw_end)
            self._stay(output, time.monotonic() + timeout if timeout else float("inf"))
            self._drain(output, raw)
            result = self._outcome()
        except BaseException:
            self.terminate()
            self._doubt_driver()
            raise
        finally:
            self._close(output, raw)
        if not result.success:
            self._doubt_driver()
        return result

    def terminate(self) -> None:
        """End the process group: SIGTERM, then SIGKILL after five seconds; then cancel its Spark work."""
        if self._child is None or self._finished:
            return
        self._stopped = self._stopped or "Killed"
        self._signal(signal.SIGTERM)
        limit = time.monotonic() + GRACE_SECONDS
        while self._alive() and time.monotonic() < limit:
            time.sleep(0.02)
        self._signal(signal.SIGKILL)
        self._child.end_left_over()
        self._cancel_spark()

    def _stay(self, output: int, deadline: float) -> None:
        """Read and answer until the process says that it has finished, or its control socket ends, or it is dead.

        A process that it forked may hold the socket for ever.
        """
        assert self._connection is not None  # noqa: S101  `run` made it
        assert self._child is not None  # noqa: S101
        started = started_at(self._child.pid) or "ended"
        self._watch = LimitWatch(self._child.pid, self._settings)
        os.set_blocking(output, False)
        self._connection.setblocking(False)  # noqa: FBT003  socket's own signature
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ, self._output)
            selector.register(self._connection, selectors.EVENT_READ, self._control)
            while not self._finished:
                dead = not is_running(self._child.pid, started)
                ready = selector.select(timeout=0 if dead else min(0.5, max(0.0, deadline - time.monotonic())))
                for key, _ in ready:
                    if not take(key.fd, key.data):
                        selector.unregister(key.fileobj)
                if self._connection not in selector.get_map() or (dead and not ready):
                    return
                self._check_limits()
                deadline = self._check_clock(deadline)

    def _check_limits(self) -> None:
        """End a task whose processes have too much memory, or are too many: its group at once, then the others."""
        if self._watch is None or self._stopped is not None or self._child is None:
            return
        broken = self._watch.broken(time.monotonic())
        if broken is not None:
            self._stopped, self._limit = "Limit", broken
            self._signal(signal.SIGKILL)

    def _check_clock(self, deadline: float) -> float:
        """Time out, and after the grace kill. The next moment to look at the clock."""
        now = time.monotonic()
        if now < deadline:
            return deadline
        if self._stopped is None:
            self._stopped = "Timeout"
            self._signal(signal.SIGTERM)
            return now + GRACE_SECONDS
        self._signal(signal.SIGKILL)
        return now + GRACE_SECONDS

    def _drain(self, output: int, raw: int) -> None:
        """What is left in the pipes. The inner one is read only after a death: a living process empties it itself."""
        if not self._finished and self._child is not None:
            self._status = self._child.status(DRAIN_SECONDS)
            if self._status is None:
                self._signal(signal.SIGKILL)
                self._status = self._child.status(1.0)
            self._child.end_left_over()
        while take(output, self._output, once=True):
            pass
        self._output.close()
        if not self._finished:
            os.set_blocking(raw, False)
            rest = Lines(self._emit_unless_ours, self._masks)
            while take(raw, rest, once=True):
                pass
            rest.close()

    def _heard(self, line: str) -> None:
        """One message of the process: a question or an event."""
        message = json.loads(line)
        event = message.get("event")
        if event == "cell":
            self._cell = message
        elif event == "result":
            self._told = str(message["text"])
        elif event == "finished":
            self._finished = True
        elif "ask" in message and self._connection is not None:
            self._connection.setblocking(True)  # noqa: FBT003  socket's own signature
            with contextlib.suppress(OSError):
                self._connection.sendall(self._answer(message))
            self._connection.setblocking(False)  # noqa: FBT003

    def _answer(self, message: dict[str, Any]) -> bytes:
        if message["ask"] == "hello":
            facts = {
                "context": self._context.to_json(),
                "masks": list(self._masks),
                "settings": self._settings.model_dump(mode="json"),
            }
            return json.dumps({"id": message["id"], "value": facts}).encode() + b"\n"
        return answer_question(message, self._answers, self._masks)

    def _emit_unless_ours(self, line: str) -> None:
        """A dead process's last words, without the frames of Medallion and IPython that a crash lists."""
        frame = CRASH_FRAME.match(line)
        if frame is None or not is_hidden(frame[1], spark=False):
            self._emit(line)

    def _emit(self, line: str) -> None:
        self._on_output(self._masks.apply(line))

    def _outcome(self) -> TaskResult:
        """The result that the process wrote or told, or one made up from how it died."""
        if self._told is not None:
            return TaskResult.from_json(self._told)
        with contextlib.suppress(OSError, ValueError, TypeError):
            return TaskResult.from_json((Path(self._context.output) / RESULT_FILE).read_text(encoding="utf-8"))
        self._signal(signal.SIGKILL)  # what the process may have left in its group
        self._cancel_spark()
        if self._stopped is None and self._status == 0 and self._context.kind in {"python", "wheel"}:
            return self._kept(TaskResult(success=True))
        death = Death(
            self._stopped, self._status, self._limit, self._watch is not None and self._watch.memory_ran_out()
        )
        failure = failure_of(death, self._context.kind, self._cell or {})
        self._on_output(f"{failure.kind}: {failure.message}")
        if (Path(self._context.output) / NOTEBOOK_FILE).is_file():
            start_detached([sys.executable, "-P", "-m", "medallion.runtime.page", self._context.output])
        return self._kept(TaskResult(success=False, failure=failure))

    def _kept(self, result: TaskResult) -> TaskResult:
        """A result that the process could not write, written for it: records and messages look there."""
        with contextlib.suppress(OSError):  # a full disk takes no record, and hides no failure
            write_whole(Path(self._context.output) / RESULT_FILE, self._masks.in_json(result.to_json()))
        return result

    def _alive(self) -> bool:
        return self._child is not None and self._child.status(0.0) is None and group_exists(self._child.pid)

    def _signal(self, number: signal.Signals) -> None:
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._child.pid, number)

    def _cancel_spark(self) -> None:
        """Cancel what the dead process left running in its driver. The driver may be gone as well."""
        if self._context.driver and self._context.tag:
            from medallion.compute.connection import Connection

            try:
                Connection.load(Path(self._context.driver)).cancel(self._context.tag)
            except Exception as error:  # noqa: BLE001  nothing more can be done from here
                self._on_output(f"medallion: could not cancel the task's Spark jobs: {error}")

    def _doubt_driver(self) -> None:
        """The task failed: nobody gets its driver before the driver's host has looked whether it still works."""
        if self._context.driver:
            from medallion.compute.folder import DriverFolder

            DriverFolder(Path(self._context.driver).parent).doubt()

    def _close(self, *descriptors: int) -> None:
        for descriptor in descriptors:
            os.close(descriptor)
        if self._connection is not None:
            self._connection.close()
        if self._child is not None:
            self._child.forget()


def without_values(context: TaskContext) -> TaskContext:
    """The context with the names of its environment variables only: files of variables hold passwords."""
    return replace(context, environment=dict.fromkeys(context.environment, REDACTED))


def start_child(order: Order, settings: Settings, *, spare: bool) -> Child:
    """A fork of the spare process, or a fresh process where there is none."""
    if spare:
        with contextlib.suppress(OSError, ValueError, MedallionError):
            connection = connect(settings)
            if connection is not None:
                return ForkedChild(connection, order)
    return FreshChild(order)


def group_exists(pid: int) -> bool:
    """Whether a process group has a member."""
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

"""Everything that a task writes: Python's streams and the file descriptors 1 and 2. Runs in the task process.

`sys.stdout` writes straight to the worker's pipe, line by line, so a line is out even if the process dies right after.
Descriptors 1 and 2, where child processes and C code write, lead to a second pipe that a thread reads; the worker holds
its other end too and reads what a dead process left there. Both go to the record of the running cell.
"""

from __future__ import annotations

import contextlib
import io
import os
import select
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

CHUNK = 65536


class Output:
    """The way out of a task process.

    :param pipe: descriptor of the worker's pipe.
    :param raw: read end of the pipe whose write end is descriptors 1 and 2.
    """

    def __init__(self, pipe: int, raw: int) -> None:
        self._pipe = pipe
        self._raw = raw
        self._lock = threading.RLock()
        self._rest = b""
        self.sink: Callable[[str, str], None] = ignore

    def install(self) -> None:
        """Put the streams in place of Python's and start to read the descriptors."""
        os.set_blocking(self._raw, False)
        sys.stdout = Stream(self, "stdout", 1)
        sys.stderr = Stream(self, "stderr", 2)
        threading.Thread(target=self._pump, name="medallion-output", daemon=True).start()

    def write(self, name: str, text: str) -> None:
        """Send text to the worker and to the record."""
        with self._lock:
            self._take_raw()
            self._send(text.encode("utf-8", "backslashreplace"))
            self.sink(name, text)

    def log(self, text: str) -> None:
        """Send text to the worker only: what the record keeps in another form."""
        with self._lock:
            self.drain()
            self._send(text.encode("utf-8", "backslashreplace"))

    def drain(self) -> None:
        """Bring out what the streams hold and what child processes wrote until now."""
        with self._lock:
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(ValueError):
                    stream.flush()
            self._take_raw()

    def _send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._pipe, view) :]
            except OSError:  # the worker is gone; the channel ends this process
                return

    def _take_raw(self) -> None:
        while True:
            try:
                data = os.read(self._raw, CHUNK)
            except (BlockingIOError, OSError):
                return
            if not data:
                return
            self._send(data)
            data = self._rest + data
            text = data.decode("utf-8", "replace") if whole(data) else data[: cut(data)].decode("utf-8", "replace")
            self._rest = b"" if whole(data) else data[cut(data) :]
            self.sink("stdout", text)

    def _pump(self) -> None:
        while True:
            select.select([self._raw], [], [])
            with self._lock:
                self._take_raw()


def whole(data: bytes) -> bool:
    """Whether the data does not end within a UTF-8 character."""
    return cut(data) == len(data)


def cut(data: bytes) -> int:
    """Length of the data without a UTF-8 character that has only begun."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 == 0xC0:
            size = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(data) - back if size > back else len(data)
        if byte < 0x80:
            return len(data)
    return len(data)


def ignore(_name: str, _text: str) -> None:
    """Sink of a task without a record."""


class Stream(io.TextIOBase):
    """`sys.stdout` or `sys.stderr`: whole lines go out at once, a part of a line when it is flushed."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, output: Output, name: str, descriptor: int) -> None:
        self._output = output
        self._descriptor = descriptor
        self._held = ""
        self._lock = threading.RLock()
        self.name = f"<{name}>"
        self._name = name
        self.buffer = Bytes(self)

    def write(self, text: str) -> int:
        """Take text; what ends in a newline goes out."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        with self._lock:
            self._held += text
            if "\n" in text or len(self._held) > CHUNK:
                self.flush()
        return len(text)

    def flush(self) -> None:
        """Bring out what is held."""
        with self._lock:
            text, self._held = self._held, ""
            if text:
                self._output.write(self._name, text)

    def fileno(self) -> int:
        """The descriptor that child processes inherit."""
        return self._descriptor

    def writable(self) -> bool:
        """Always."""
        return True

    def isatty(self) -> bool:
        """Never."""
        return False


class Bytes(io.RawIOBase):
    """`sys.stdout.buffer`."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def write(self, data: ReadableBuffer) -> int:
        """Take bytes as UTF-8 text."""
        view = memoryview(data)
        self._stream.write(view.tobytes().decode("utf-8", "replace"))
        return view.nbytes

    def flush(self) -> None:
        """Bring out what the stream holds."""
        self._stream.flush()

    def fileno(self) -> int:
        """The stream's descriptor."""
        return self._stream.fileno()

    def writable(self) -> bool:
        """Always."""
        return True

"""Reads a pipe or socket line by line without waiting. Runs on the worker."""

from __future__ import annotations

import os
from collections.abc import Callable

CHUNK = 65536
LONGEST_LINE = 1_000_000


class Lines:
    """Bytes in, whole lines of text out."""

    def __init__(self, emit: Callable[[str], None]) -> None:
        self._emit = emit
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Give out the lines that are whole now. A line beyond a million bytes is cut in pieces."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            whole, self._rest = [*whole, self._rest], b""
        for line in whole:
            self._emit(overwritten(line.decode("utf-8", "replace")))

    def close(self) -> None:
        """Give out what has no newline yet."""
        if self._rest:
            self.feed(b"\n")


def overwritten(line: str) -> str:
    """What a terminal shows of a line in the end: after a carriage return text is written over, as progress bars do."""
    if "\r" not in line:
        return line
    shown = ""
    for part in line.split("\r"):
        shown = part + shown[len(part) :]
    return shown


def take(descriptor: int, lines: Lines, *, once: bool = False) -> bool:
    """Read what is there. False at the end, and with `once` also when there is nothing."""
    try:
        data = os.read(descriptor, CHUNK)
    except BlockingIOError:
        return not once
    except OSError:
        return False
    lines.feed(data)
    return bool(data)

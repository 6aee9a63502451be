"""Reads a pipe or socket line by line without waiting. Runs on the worker."""

from __future__ import annotations

import os
from collections.abc import Callable

from medallion.runtime.masks import Masks

CHUNK = 65536
LONGEST_LINE = 1_000_000


class Lines:
    """Bytes in, whole lines of text out.

    :param masks: secrets to replace, while a line is still as it was written: what is cut or written over is no longer
        known for a secret.
    :param longest: a longer line is cut in pieces.
    """

    def __init__(
        self, emit: Callable[[str], None], masks: Masks | None = None, longest: int | None = LONGEST_LINE
    ) -> None:
        self._emit = emit
        self._masks = masks or Masks()
        self._longest = longest
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Give out the lines that are whole now, and of a line that is too long what cannot be part of a secret."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        for line in whole:
            self._emit(overwritten(self._masks.apply(line.decode("utf-8", "replace"))))
        if self._longest is not None and len(self._rest) > self._longest:
            self._cut()

    def _cut(self) -> None:
        """Give out a piece of the line. What may be the beginning of a secret or of a character waits for the rest."""
        text = self._masks.apply(self._rest.decode("utf-8", "surrogateescape"))
        place = len(text) - self._masks.longest - 4
        if place > 0:
            head, self._rest = text[:place], text[place:].encode("utf-8", "surrogateescape")
            self._emit(overwritten(head.encode("utf-8", "surrogateescape").decode("utf-8", "replace")))

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

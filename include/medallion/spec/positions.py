"""Places in the files that the user wrote: the protocol, and the one for JSON. Runs where source.py runs; pure."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol

JsonPath = tuple[str | int, ...]
"""Steps from the root of a document: keys of objects and indexes of lists."""

Place = tuple[Path | None, int, int]
"""File, 1-based line, 1-based column."""


class Positions(Protocol):
    """Where the parts of a document stand in the files that the user wrote. JSON and bundles each have one."""

    def find(self, path: JsonPath, *, key: bool = False) -> Place | None:
        """The place of the value at `path`, or of the key that names it; None when it is unknown."""
        ...


LONGEST_STEP = 300


def format_path(path: Sequence[str | int]) -> str:
    """A JSON path as people read it: `$.tasks[3].tags["a b"]`. A key of unreasonable length is cut."""
    parts = ["$"]
    for step in path:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        elif len(step) > LONGEST_STEP:
            parts.append(f"[{json.dumps(step[:LONGEST_STEP])}…]")
        elif re.fullmatch(r"\w[\w-]*", step):
            parts.append(f".{step}")
        else:
            parts.append(f"[{json.dumps(step, ensure_ascii=True)}]")
    return "".join(parts)


def locate(positions: Positions | None, path: JsonPath, *, key: bool = False) -> Place | None:
    """The place of `path`, or of the nearest part around it that is known."""
    if positions is None:
        return None
    found = positions.find(path, key=key)
    while found is None and path:
        path = path[:-1]
        found = positions.find(path)
    return found


PART = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)


MOST_DUPLICATES = 100


class JsonPositions:
    """Places in one JSON text that has been read without error.

    :param text: the text; it is scanned at the first question.
    :param file: the file it came from.
    """

    def __init__(self, text: str, file: Path | None = None) -> None:
        self.text = text
        self.file = file

    def find(self, path: JsonPath, *, key: bool = False) -> Place | None:
        """The place of a value, or of its key. A duplicate key counts at its last place, as the parser reads it."""
        offsets = self._offsets.get(path)
        if offsets is None:
            return None
        offset = offsets[0] if key else offsets[1]
        return (self.file, *self.line_and_column(offset))

    @property
    def duplicates(self) -> list[tuple[JsonPath, int, int]]:
        """The repeated keys, up to MOST_DUPLICATES: path, line and column."""
        self._offsets  # noqa: B018 - the scan fills the list
        return [(path, *self.line_and_column(offset)) for path, offset in self._duplicates[:MOST_DUPLICATES]]

    def line_and_column(self, offset: int) -> tuple[int, int]:
        """1-based line and column, in characters, of an offset."""
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer("\n", self.text))]

    @cached_property
    def _offsets(self) -> dict[JsonPath, tuple[int, int]]:
        self._duplicates: list[tuple[JsonPath, int]] = []
        offsets: dict[JsonPath, tuple[int, int]] = {}
        for path, key_offset, value_offset, repeats in scan(self.text):
            if repeats:
                self._duplicates.append((path, key_offset))
            offsets[path] = (key_offset, value_offset)
        return offsets


def scan(text: str) -> Iterator[tuple[JsonPath, int, int, bool]]:
    """For each value of a valid JSON text, in text order: its path, the offsets of its key and of itself, and whether
    its key stood before in the same object.

    A value without a key (the root, an element of a list) has its own offset as the key's.
    """
    path: list[str | int] = []
    around: list[set[str] | None] = []  # the keys so far of each open object; None for a list
    key: str | None = None
    key_offset = 0
    expects_key = False
    for match in PART.finditer(text):
        part, offset = match.group(), match.start()
        if part in "}]":
            around.pop()
            path.pop()
            expects_key = False
        elif part == ",":
            expects_key = around[-1] is not None
            if not expects_key:
                path[-1] = int(path[-1]) + 1
        elif part == ":":
            expects_key = False
        elif expects_key:
            path[-1] = key = json.loads(part) if "\\" in part else part[1:-1]
            key_offset = offset
        else:
            seen = around[-1] if around else None
            yield tuple(path), offset if key is None else key_offset, offset, seen is not None and key in seen
            if seen is not None and key is not None:
                seen.add(key)
            key = None
            if part in "{[":
                around.append(set() if part == "{" else None)
                path.append("" if part == "{" else 0)
                expects_key = part == "{"

"""Text on its way out: into files, databases, pages, terminals. Runs everywhere; pure.

Python's text may hold what UTF-8 and PostgreSQL do not: halves of surrogate pairs, which is how Python reads file names
that are no UTF-8, and NUL. Both are written as Python's own escapes, `\\udcff` and `\\x00`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""What no store holds."""

CONTROLS = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""What a terminal obeys instead of showing it: escape sequences, backspaces, the direction of what follows."""


COLOURS = re.compile("\x1b\\[[0-9;:]*m")
"""Sequences that colour text and do nothing else."""


def escaped(found: re.Match[str]) -> str:
    """A character as Python writes it in source."""
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def storable(text: str) -> str:
    """The text as every file, database and page can hold it."""
    return UNSTORABLE.sub(escaped, text)


def storable_json(value: Any) -> Any:
    """A JSON-able value with all its texts storable, the names of members too."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {storable_json(name): storable_json(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [storable_json(item) for item in value]
    return value


def for_terminal(text: str) -> str:
    """The text without anything that a terminal obeys, newlines and tabs excepted. Colours go without a trace."""
    return CONTROLS.sub(escaped, COLOURS.sub("", text))


def json_for_terminal(text: str) -> str:
    """JSON text without anything that a terminal obeys: as escapes of JSON, so that its reader gets what was there."""
    return CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)

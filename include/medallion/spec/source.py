"""Reading JSON text with the place of every key and value. Runs at parse, in the CLI and in tests; pure.

Text is read by the standard library's parser. Places are worked out only when there is something to report,
by a second scan of the text, so a file without problems pays nothing for them.
"""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from medallion.spec.positions import JsonPath, JsonPositions, format_path
from medallion.spec.problems import Problem, Severity

MAX_BYTES = 10 * 1024 * 1024
MAX_DEPTH = 100


class SourceError(ValueError):
    """A text that cannot be read; `problem` says why and where."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


@dataclass(frozen=True)
class JsonDocument:
    """A JSON text that was read: its value, and places when they are asked for."""

    value: Any
    text: str
    file: Path | None = None

    @cached_property
    def positions(self) -> JsonPositions:
        """Places of keys and values."""
        return JsonPositions(self.text, self.file)


def read_json(file: Path) -> tuple[JsonDocument | None, list[Problem]]:
    """The document of a file and what is wrong with it as JSON; no document when it cannot be used."""
    try:
        data = read_bytes(file)
        text = decode(data, file)
        return parse_json(text, file)
    except SourceError as error:
        return None, [error.problem]


def read_bytes(file: Path) -> bytes:
    """The bytes of a file that is not too big.

    :raises SourceError: it is missing, unreadable or bigger than MAX_BYTES.
    """
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            raise SourceError(Problem(Severity.ERROR, "not a regular file", file))
        if status.st_size > MAX_BYTES:
            message = f"the file has {status.st_size:,} bytes; a definition may have {MAX_BYTES:,}"
            raise SourceError(Problem(Severity.ERROR, message, file))
        return file.read_bytes()
    except OSError as error:
        raise SourceError(Problem(Severity.ERROR, f"cannot read the file: {error.strerror or error}", file)) from None


def decode(data: bytes, file: Path | None = None) -> str:
    """Bytes as text: UTF-8, or UTF-16 and UTF-32 by their mark (PowerShell's `>` writes UTF-16).

    :raises SourceError: the bytes are not text in that encoding.
    """
    encoding = json.detect_encoding(data)
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, column = before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1
        message = f"the file is not {encoding.upper()} text: byte 0x{data[error.start]:02x}"
        raise SourceError(Problem(Severity.ERROR, message, file, line, column, hint="save it as UTF-8")) from None


def parse_json(text: str, file: Path | None = None) -> tuple[JsonDocument | None, list[Problem]]:
    """The document of a text, with a warning for each repeated key.

    Not JSON, or nested deeper than MAX_DEPTH: no document and one error.
    """
    repeated = False

    def as_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal repeated
        found = dict(pairs)
        repeated = repeated or len(found) != len(pairs)
        return found

    try:
        value = json.loads(text, object_pairs_hook=as_object, parse_constant=refuse_constant)
    except json.JSONDecodeError as error:
        return None, [syntax_problem(error, file)]
    except RecursionError:
        return None, [too_deep(file)]
    except ValueError as error:  # a constant that JSON lacks, or a number of thousands of digits
        return None, [Problem(Severity.ERROR, f"not JSON: {error}", file)]
    if text.count("{") + text.count("[") > MAX_DEPTH and is_deeper(value, MAX_DEPTH):
        return None, [too_deep(file)]
    if has_half_pair(text, value):
        return None, [Problem(Severity.ERROR, "an escape such as \\ud800 is half of a character", file)]
    document = JsonDocument(value, text, file)
    return document, [
        duplicate_problem(document, *found) for found in document.positions.duplicates
    ] if repeated else []


def refuse_constant(name: str) -> None:
    """JSON has no NaN and no infinity, though Python's parser reads them."""
    raise ValueError(f"{name} is not a JSON value")


def too_deep(file: Path | None) -> Problem:
    """The problem of a document that is nested too deeply."""
    return Problem(Severity.ERROR, f"nested deeper than {MAX_DEPTH} levels", file)


def is_deeper(value: object, levels: int) -> bool:
    """Whether lists and objects are nested in more than so many levels; looks breadth first, without recursion."""
    layer: list[Any] = [value]
    for _ in range(levels):
        layer = [child for item in layer for child in children(item) if isinstance(child, (dict, list))]
        if not layer:
            return False
    return True


def children(value: object) -> Sequence[Any]:
    """The values that an object or a list holds."""
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else ()


def has_half_pair(text: str, value: object) -> bool:
    """Whether an escape gave half of a surrogate pair, which no file or database can store."""
    if not re.search(r"\\u[dD][89a-fA-F]", text):
        return False
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


SYNTAX_HINTS = {
    "'": "JSON wants double quotes",
    "}": "is there a comma before it that should go?",
    "]": "is there a comma before it that should go?",
    "/": "JSON has no comments",
    "#": "JSON has no comments",
    '"': "is a comma missing before it?",
}


def syntax_problem(error: json.JSONDecodeError, file: Path | None) -> Problem:
    """The parser's complaint with its place."""
    text, at = error.doc, error.pos
    if not text.strip():
        return Problem(Severity.ERROR, "the file is empty", file, 1, 1)
    found = f" at {text[at]!r}" if at < len(text) else " at the end of the text"
    message = f"not JSON: {error.msg[:1].lower()}{error.msg[1:]}{found}"
    is_object = text.lstrip().startswith(("{", "["))
    hint = SYNTAX_HINTS.get(text[at : at + 1]) if is_object else "a definition begins with {"
    return Problem(Severity.ERROR, message, file, error.lineno, error.colno, hint=hint)


def duplicate_problem(document: JsonDocument, path: JsonPath, line: int, column: int) -> Problem:
    """A key that stands twice in one object: the last one is what counts."""
    message = f"the key {path[-1]!r} stands twice in one object; the last one counts"
    return Problem(Severity.WARNING, message, document.file, line, column, format_path(path))

"""What a check found: one problem, with its place. Runs everywhere; pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Severity(StrEnum):
    """How bad a problem is. Errors stop a job from loading; `--strict` makes warnings errors."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a definition.

    :param message: what is wrong, one sentence without a full stop.
    :param file: the file that the user wrote.
    :param line: 1-based line in that file.
    :param column: 1-based column in that file.
    :param path: JSON path from the root of the document, such as `$.tasks[3].notebook_task.notebook_path`;
        in a bundle `$.resources.jobs.load.tasks[0]`.
    :param hint: what to do, for example "did you mean max_retries?".
    """

    severity: Severity
    message: str
    file: Path | None = None
    line: int | None = None
    column: int | None = None
    path: str | None = None
    hint: str | None = None

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        parts = [
            f"{place}: " if place else "",
            f"{self.severity}: ",
            f"{self.path}: " if self.path else "",
            self.message,
        ]
        return "".join(parts) + (f" ({self.hint})" if self.hint else "")

    def as_json(self) -> dict[str, object]:
        """The problem as `medallion check --json` prints it."""
        return {
            "severity": str(self.severity),
            "message": self.message + (f" ({self.hint})" if self.hint else ""),
            "file": str(self.file) if self.file else None,
            "line": self.line,
            "column": self.column,
            "path": self.path,
        }


LONGEST_WORD = 200
"""A longer word is no misspelt one, and comparing it would take long."""


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A hint with the nearest known word, or None when nothing is near. Case and separators do not count."""
    near = nearest(word, known)
    return f"did you mean {near}?" if near else None


def nearest(word: str, known: Iterable[str], *, likeness: float = 0.6) -> str | None:
    """The known word that is most like `word`; None when none is.

    :param likeness: from 0 (anything) to 1 (the same but for case and separators).
    """
    if len(word) > LONGEST_WORD:
        return None
    folded = {fold(name): name for name in known}
    near = get_close_matches(fold(word), list(folded), n=1, cutoff=likeness)
    return folded[near[0]] if near else None


def fold(word: str) -> str:
    """A word without case and separators, so that maxRetries is near max_retries."""
    return word.lower().replace("_", "").replace("-", "")

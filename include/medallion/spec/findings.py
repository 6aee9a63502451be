"""Collects the problems of one job with their places. Runs where jobs are checked; pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from medallion.spec.positions import JsonPath, Positions, format_path, locate
from medallion.spec.problems import Problem, Severity

MOST = 200
"""Problems that are kept of one job. More help nobody, and finding a hint for each would take long."""


@dataclass
class Findings:
    """The problems found so far.

    :param file: the file to name where the positions do not know one.
    :param positions: places in that file; without them problems have paths only.
    :param at: path of the job in its document.
    :param lenient: the job comes from a bundle, where Databricks' own tool warns of what the API refuses.
    :param resources: what the document itself defines, such as `resources.jobs.child`.
    """

    file: Path | None = None
    positions: Positions | None = None
    at: JsonPath = ()
    lenient: bool = False
    resources: frozenset[str] = frozenset()
    found: list[Problem] = field(default_factory=list)
    left_out: int = 0

    def error(self, path: JsonPath, message: str, hint: str | None = None, *, key: bool = False) -> None:
        """What is wrong everywhere."""
        self.add(Severity.ERROR, path, message, hint, key=key)

    def warning(self, path: JsonPath, message: str, hint: str | None = None, *, key: bool = False) -> None:
        """What is odd and does not stop the job."""
        self.add(Severity.WARNING, path, message, hint, key=key)

    def note(self, path: JsonPath, message: str, hint: str | None = None, *, key: bool = False) -> None:
        """What is worth knowing and no fault."""
        self.add(Severity.NOTE, path, message, hint, key=key)

    def refused(self, path: JsonPath, message: str, hint: str | None = None, *, key: bool = False) -> None:
        """What the Jobs API refuses: an error in JSON, a warning in a bundle."""
        self.add(Severity.WARNING if self.lenient else Severity.ERROR, path, message, hint, key=key)

    def add(
        self, severity: Severity, path: JsonPath, message: str, hint: str | None = None, *, key: bool = False
    ) -> None:
        """One problem of the part of the job at `path`; `key` places it at the key instead of the value."""
        if len(self.found) >= MOST:
            self.left_out += 1
            return
        whole = self.at + path
        file, line, column = locate(self.positions, whole, key=key) or (None, None, None)
        self.found.append(Problem(severity, message, file or self.file, line, column, format_path(whole), hint))

    @property
    def full(self) -> bool:
        """Whether there is no room for more, so that looking further is a waste."""
        return len(self.found) >= MOST

    def problems(self) -> list[Problem]:
        """All problems in the order of the text."""
        ordered = sorted(self.found, key=lambda problem: (str(problem.file), problem.line or 0, problem.column or 0))
        if self.left_out:
            ordered.append(Problem(Severity.NOTE, f"{self.left_out} more problems are not shown", self.file))
        return ordered


def shown(value: object) -> str:
    """A value as JSON, cut to fit a message."""
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    text = json.dumps(value[:80] if isinstance(value, str) else value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}…"

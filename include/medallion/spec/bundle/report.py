"""Collects what is wrong with a bundle while the stages go on. Runs wherever bundles are read; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from medallion.spec.bundle.tree import Node, Places
from medallion.spec.positions import JsonPath, format_path
from medallion.spec.problems import Problem, Severity

Spot = Node | Places | None


@dataclass(slots=True)
class Report:
    """The problems of one bundle, in the order in which they were found; the same one is kept once."""

    problems: list[Problem] = field(default_factory=list)
    seen: set[object] = field(default_factory=set)

    @property
    def failed(self) -> bool:
        """Whether an error was found."""
        return any(problem.severity is Severity.ERROR for problem in self.problems)

    def add(
        self,
        severity: Severity,
        message: str,
        spot: Spot = None,
        path: JsonPath | None = None,
        hint: str | None = None,
    ) -> None:
        """Note a problem at the first place of a node, or at a place."""
        places = spot.places if isinstance(spot, Node) else spot
        file, line, column = places[0] if places else (None, None, None)
        shown = format_path(path) if path is not None else None
        mark = (severity, message, file, line, column, None if line else shown)
        if mark not in self.seen:
            self.seen.add(mark)
            self.problems.append(Problem(severity, message, file, line, column, shown, hint))

    def error(self, message: str, spot: Spot = None, path: JsonPath | None = None, hint: str | None = None) -> None:
        """Note something that stops the bundle."""
        self.add(Severity.ERROR, message, spot, path, hint)

    def warning(self, message: str, spot: Spot = None, path: JsonPath | None = None, hint: str | None = None) -> None:
        """Note something that is probably a mistake."""
        self.add(Severity.WARNING, message, spot, path, hint)

    def note(self, message: str, spot: Spot = None, path: JsonPath | None = None, hint: str | None = None) -> None:
        """Note a recommendation."""
        self.add(Severity.NOTE, message, spot, path, hint)

    def error_everywhere(self, message: str, places: Sequence[tuple[JsonPath, Places]]) -> None:
        """Note one error at each of several places."""
        for path, spots in places:
            for spot in spots:
                self.error(message, (spot,), path)

"""Patterns of `sync.include` and `sync.exclude` that match no file, or leave none: probably mistakes. Runs at parse.

They read as lines of a .gitignore: without a slash in front a pattern may match at any depth, `**` spans folders, and
what matches a folder matches all that is in it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from medallion.spec.bundle.report import Report
from medallion.spec.bundle.tree import EMPTY, Node

MOST_FILES = 20_000
"""In a larger folder nothing is said: looking for a match would take longer than the advice is worth."""

PART = re.compile(r"^/\*\*/|/\*\*/|\*\*/|/\*\*|\*|\\.|.", re.DOTALL)
SPANS = {"/**/": "(?:/|/.+/)", "**/": "(?:|.*/)", "/**": "(?:|/.*)", "*": "[^/]*"}


@dataclass(frozen=True, slots=True)
class Line:
    """One pattern of `sync.include` or `sync.exclude`."""

    key: str
    index: int
    node: Node
    pattern: re.Pattern[str]

    @property
    def brings_back(self) -> bool:
        """Whether it takes files out of what the lines before it matched."""
        return str(self.node.value).startswith("!")


def check_patterns(tree: Node, folder: Path, report: Report) -> None:
    """Warn of patterns without a match, and when they leave nothing to deploy."""
    lines = [
        Line(key, index, item, pattern_of(str(item.value).removeprefix("!")))
        for key in ("exclude", "include")
        for index, item in enumerate((tree.at("sync", key) or EMPTY).elements())
        if item.kind == "string" and item.value
    ]
    waiting = list(lines)
    nothing = any(line.key == "exclude" for line in lines)
    for count, name in enumerate(files_below(folder) if lines else ()):
        if count >= MOST_FILES or not (waiting or nothing):
            return
        waiting = [line for line in waiting if not line.pattern.match(name)]
        nothing = nothing and (is_in(lines, "exclude", name) and not is_in(lines, "include", name))
    for line in waiting:
        at = ("sync", line.key, line.index)
        report.warning(f"the pattern {line.node.value} matches no file", line.node, at)
    if nothing:
        report.warning("no file is left to deploy", tree.at("sync", "exclude"), ("sync", "exclude"))


def is_in(lines: Sequence[Line], key: str, name: str) -> bool:
    """Whether the patterns of one list match a file, the later ones having the last word."""
    return next(
        (not line.brings_back for line in reversed(lines) if line.key == key and line.pattern.match(name)), False
    )


def files_below(folder: Path) -> Iterator[str]:
    """The regular files below a folder, by their path from it."""
    for base, _, names in os.walk(folder):
        for name in names:
            file = Path(base, name)
            if file.is_file() and not file.is_symlink():
                yield file.relative_to(folder).as_posix()


def pattern_of(line: str) -> re.Pattern[str]:
    """A line of a .gitignore as an expression for paths. A star that a suffix follows, below a folder, counts from the
    top, as a slash in front does."""
    if re.search(r"[^/]/.*\*\.", line) and not line.startswith("/"):
        line = "/" + line
    line = line.removeprefix("/") if line.startswith("/**/") else line
    anchored = line.startswith("/")
    body = PART.sub(lambda found: SPANS.get(found[0], re.escape(found[0].removeprefix("\\"))), line.removeprefix("/"))
    end = ".*" if line.endswith("/") else "(?:|/.*)"
    return re.compile(f"{'' if anchored else '(?:|.*/)'}{body}{end}$", re.DOTALL)

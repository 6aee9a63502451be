"""Patterns of `sync.include` and `sync.exclude` that match no file, which is probably a mistake. Runs at parse.

They read as lines of a .gitignore: without a slash in front a pattern may match at any depth, `**` spans folders, and
what matches a folder matches all that is in it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from medallion.spec.bundle.report import Report
from medallion.spec.bundle.tree import EMPTY, Node

MOST_FILES = 20_000
"""In a larger folder nothing is said: looking for a match would take longer than the advice is worth."""

PART = re.compile(r"^/\*\*/|/\*\*/|\*\*/|/\*\*|\*|\\.|.", re.DOTALL)
SPANS = {"/**/": "(?:/|/.+/)", "**/": "(?:|.*/)", "/**": "(?:|/.*)", "*": "[^/]*"}


def check_patterns(tree: Node, folder: Path, report: Report) -> None:
    """Warn of patterns without a match."""
    listed = [
        ((*("sync", key), index), item)
        for key in ("exclude", "include")
        for index, item in enumerate((tree.at("sync", key) or EMPTY).elements())
        if item.kind == "string" and item.value
    ]
    open_patterns = {at: pattern_of(str(item.value).removeprefix("!")) for at, item in listed}
    files = files_below(folder) if listed else iter(())
    for count, name in enumerate(files):
        if not open_patterns or count >= MOST_FILES:
            return
        open_patterns = {at: pattern for at, pattern in open_patterns.items() if not pattern.match(name)}
    for at, item in listed:
        if at in open_patterns:
            report.warning(f"the pattern {item.value} matches no file", item, at)


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

"""New commits of one Delta table, from its log alone: no Spark, no listing while nothing happens. Runs in the triggerer.

Versions follow each other, so the next commit has a known file name: one attempt to open it tells whether it is there.
The log is listed once when the watch begins, and again only when the last known commit file is no longer the same one.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from medallion.runs.writes import metadata_of

IDENTITY_LOOKS = 20
"""Every so many looks the last known commit file is compared: a table that was dropped and made anew starts at 0."""

GROWING_SECONDS = 2.0
"""A writer without atomic puts may still be at a file that is this young."""

Identity = tuple[int, int]
"""Time of change (ns) and size of a commit file."""


@dataclass(frozen=True, slots=True)
class TableCommit:
    """One commit.

    :param at: commit time, seconds since the epoch.
    :param changes_data: False for OPTIMIZE, VACUUM and changes of properties alone.
    :param own: a task of ours made it.
    """

    version: int
    at: float
    changes_data: bool
    operation: str = ""
    own: bool = False

    @property
    def timestamp(self) -> str:
        """The commit time, ISO 8601 in UTC."""
        return datetime.fromtimestamp(self.at, UTC).isoformat()


@dataclass
class LogCursor:
    """Reads a table's commits one after the other.

    :param table: the table's folder; it need not exist yet.
    :param version: the last version that was read; -1 before the first.
    :param identity: of that version's file.
    """

    table: str
    version: int = -1
    identity: Identity | None = None
    looks: int = 0

    def __post_init__(self) -> None:
        self.log = os.path.join(self.table, "_delta_log")  # noqa: PTH118  opened twice a second for each table
        self.upcoming = self.place(self.version + 1)

    def place(self, version: int) -> str:
        """The file of a commit."""
        return f"{self.log}/{version:020d}.json"

    def start(self) -> None:
        """Take the table as it is: what is there is not new."""
        self.go_to(max(self.versions(), default=-1))

    def resume(self) -> None:
        """Go on after a time without looks: the log may have been cleaned up, or the table made anew."""
        if self.version >= 0 and self.is_other_table():
            self.go_to(-1)
        found = self.versions()
        if found and min(found) > self.version + 1:
            self.go_to(min(found) - 1)

    def look(self) -> list[TableCommit]:
        """The commits since the last look, oldest first."""
        self.looks += 1
        if self.looks % IDENTITY_LOOKS == 0 and self.version >= 0 and self.is_other_table():
            self.go_to(-1)
            self.resume()
        found = []
        while (commit := self.read_next()) is not None:
            found.append(commit)
        return found

    def read_next(self) -> TableCommit | None:
        """The next commit, or None when it is not there yet or not whole."""
        try:
            with open(self.upcoming, encoding="utf-8") as stream:  # noqa: PTH123  as above
                status = os.fstat(stream.fileno())
                commit = commit_of(self.version + 1, stream, status.st_mtime)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except ValueError:  # a writer without atomic puts is in the middle of it
            return None
        if not commit.changes_data and self.may_grow(status.st_mtime):
            return None
        self.version, self.identity = commit.version, (status.st_mtime_ns, status.st_size)
        self.upcoming = self.place(self.version + 1)
        return commit

    def may_grow(self, written: float) -> bool:
        """Whether a commit file without data may be half written: it is young, and no commit follows it."""
        return time.time() - written < GROWING_SECONDS and not os.path.exists(self.place(self.version + 2))  # noqa: PTH110

    def go_to(self, version: int) -> None:
        """Take a version as the last one that was read."""
        self.version = version
        self.identity = identity_of(self.place(version)) if version >= 0 else None
        self.upcoming = self.place(version + 1)

    def is_other_table(self) -> bool:
        """Whether the last commit that was read is gone or another one: Delta never removes or rewrites the latest."""
        now = identity_of(self.place(self.version))
        if now is None and max(self.versions(), default=-1) > self.version:
            return False  # older commits are cleaned up after a month
        return self.identity is not None and now != self.identity

    def versions(self) -> list[int]:
        """The versions whose commit files are there. The one listing."""
        try:
            with os.scandir(self.log) as entries:
                names = [entry.name for entry in entries]
        except OSError:
            return []
        return [int(name[:-5]) for name in names if name.endswith(".json") and name[:-5].isdigit()]


def identity_of(place: str) -> Identity | None:
    """What tells a commit file from another of its name; None when it is not there."""
    try:
        status = os.stat(place)  # noqa: PTH116
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def commit_of(version: int, lines: Iterable[str], written: float) -> TableCommit:
    """A commit from the lines of its file.

    :param written: the file's time of change, for writers that state no commit time.
    :raises ValueError: a line is not whole.
    """
    info: dict[str, Any] = {}
    changes = False
    for action in actions_of(lines):
        info = action.get("commitInfo") or info
        changes = changes or any((action.get(name) or {}).get("dataChange") for name in ("add", "remove"))
    stamp = info.get("inCommitTimestamp") or info.get("timestamp")
    at = stamp / 1000 if isinstance(stamp, (int, float)) else written
    own = metadata_of(info) is not None
    return TableCommit(version, at, changes_data=changes, operation=str(info.get("operation", "")), own=own)


def actions_of(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The actions of a commit file. Statistics of files are text within them and are not parsed."""
    for line in lines:
        if line.strip():
            action = json.loads(line)
            if isinstance(action, dict):
                yield action


@dataclass(frozen=True, slots=True)
class TablePlace:
    """Where a table of the lake lies.

    :param folder: None when it cannot be watched.
    :param problem: why, and what to do.
    """

    folder: str | None
    problem: str = ""


def table_place(lake: Path, name: str) -> TablePlace:
    """The folder of a table by its full name. A table that does not exist yet has the folder where it will be."""
    parts = name.lower().split(".")
    if len(parts) != 3 or not all(parts):
        return TablePlace(None, f"{name} is not a full table name: write catalog.schema.table")
    schema, table = lake / parts[0] / parts[1], parts[2]
    if (schema / f"{table}.view.json").is_file():
        return TablePlace(None, f"{name} is a view: name the tables that it reads")
    external = schema / f"{table}.table.json"
    if external.is_file():
        return external_place(name, external)
    return TablePlace(str(schema / table))


def external_place(name: str, file: Path) -> TablePlace:
    """The folder of a table with a location of its own."""
    told: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError):
        told = json.loads(file.read_text(encoding="utf-8"))
    location, provider = str(told.get("location", "")), told.get("provider")
    if provider != "delta":
        return TablePlace(None, f"{name} is a {provider} table: only Delta tables tell of their commits")
    if location.startswith("file:"):
        location = "/" + location.removeprefix("file:").lstrip("/")
    if not location.startswith("/"):
        return TablePlace(None, f"{name} lies at {location}: only tables in local folders are watched")
    return TablePlace(location)

"""Commits to tables: `table_update`. Runs in the triggerer, in threads."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from medallion.triggers.delta_log import LogCursor, TableCommit, table_place
from medallion.triggers.sources.base import Source
from medallion.triggers.store import State, Store

if TYPE_CHECKING:
    from medallion.settings import Settings
    from medallion.triggers.entries import Entry


class Tables(Source):
    """Commits to tables that change data."""

    def __init__(self, cursors: Mapping[str, LogCursor], problems: Collection[str], *, every: bool) -> None:
        super().__init__()
        self.cursors = dict(cursors)
        self.every = every
        self.problem = "; ".join(problems)
        self.pending: dict[str, TableCommit] = {}
        self.taken = {name: (cursor.version, cursor.identity) for name, cursor in self.cursors.items()}

    @classmethod
    def make(cls, entry: Entry, state: State | None, store: Store, dag_id: str, settings: Settings) -> Tables:
        """The source of an entry; a table that was not watched before begins with what is there."""
        before = (state or {}).get("tables", {})
        cursors, problems = {}, []
        for name in dict.fromkeys(str(name).lower() for name in entry.settings["table_names"]):
            place = table_place(settings.lake, name)
            if place.folder is None:
                problems.append(place.problem)
                continue
            cursors[name] = cursor_of(place.folder, before.get(name))
        return cls(cursors, problems, every=entry.settings.get("condition") == "ALL_UPDATED")

    @override
    def look(self, now: float) -> None:
        for name, cursor in self.cursors.items():
            for commit in cursor.look():
                if commit.changes_data:
                    self.pending[name] = commit
                    self.changed = now

    @property
    @override
    def ready(self) -> bool:
        return bool(self.pending) and (not self.every or (len(self.pending) == len(self.cursors) and not self.problem))

    @override
    def facts(self) -> dict[str, Any]:
        return {
            "tables": {
                name: {"version": commit.version, "commit_timestamp": commit.timestamp, "own": commit.own}
                for name, commit in sorted(self.pending.items())
            }
        }

    @override
    def state(self, *, taken: bool) -> State:
        told = dict(self.taken)
        for name, cursor in self.cursors.items():
            # Commits that changed no data need no second look; those before a pending one must be read again.
            if taken or name not in self.pending:
                told[name] = (cursor.version, cursor.identity)
        return {"tables": {name: [version, *(identity or ())] for name, (version, identity) in told.items()}}

    @override
    def clear(self) -> None:
        self.taken = {name: (cursor.version, cursor.identity) for name, cursor in self.cursors.items()}
        self.pending = {}

    @override
    def seen(self) -> dict[str, Any]:
        return {
            "tables": {
                name: {"version": cursor.version if cursor.version >= 0 else None, "updated": name in self.pending}
                for name, cursor in self.cursors.items()
            }
        }


def cursor_of(folder: str, before: list[int] | None) -> LogCursor:
    """A cursor at the version that was taken last, or at the table's latest."""
    if before is None:
        cursor = LogCursor(folder)
        cursor.start()
        return cursor
    version, *identity = before
    cursor = LogCursor(folder, version, (identity[0], identity[1]) if len(identity) == 2 else None)
    cursor.resume()
    return cursor

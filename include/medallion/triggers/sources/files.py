"""New files below a place: `file_arrival`. Runs in the triggerer, in threads."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from medallion.triggers.listing import Listing, listing_of
from medallion.triggers.sources.base import Source
from medallion.triggers.store import State, Store

if TYPE_CHECKING:
    from medallion.settings import Settings
    from medallion.triggers.entries import Entry

SHOWN_FILES = 10
"""New files that a firing names."""

SWEEP_SECONDS = 60.0
"""A file that is missing in two looks so far apart is forgotten; a file of its name is new again."""


class Files(Source):
    """New names below a place."""

    def __init__(self, url: str, listing: Listing, known: set[str] | None) -> None:
        super().__init__()
        self.url = url
        self.listing = listing
        self.remote = listing.remote
        self.known = known
        self.pending: dict[str, float] = {}
        self.missing: set[str] = set()
        self.swept = 0.0

    @classmethod
    def make(cls, entry: Entry, state: State | None, store: Store, dag_id: str, settings: Settings) -> Files:
        """The source of an entry; a place that was not watched before begins with what is there."""
        url = str(entry.settings["url"])
        same = state is not None and state.get("url") == url
        return cls(url, listing_of(url, settings), store.names(dag_id, entry.key) if same else None)

    @override
    def look(self, now: float) -> None:
        if self.known is None:
            self.known = set(self.listing.names())
            return
        new = [name for name in self.listing.names() if name not in self.known and name not in self.pending]
        if new:
            self.pending |= dict.fromkeys(new, now)
            self.changed = now
        if now - self.swept >= SWEEP_SECONDS:
            self.sweep(now)

    def sweep(self, now: float) -> None:
        """Forget names whose files are gone for good. A folder that is not there, as when a disk is away, tells nothing."""
        self.swept = now
        there = self.listing.all_names()
        if there is None:
            return
        missing = (self.known or set()) - there
        self.gone |= missing & self.missing
        self.missing = missing - self.gone
        if self.known is not None:
            self.known -= self.gone

    @property
    @override
    def ready(self) -> bool:
        return bool(self.pending)

    @override
    def facts(self) -> dict[str, Any]:
        return {"location": self.url, "count": len(self.pending), "files": sorted(self.pending)[:SHOWN_FILES]}

    @override
    def state(self, *, taken: bool) -> State:
        return {"url": self.url}

    @override
    def names(self) -> Collection[str]:
        return tuple(self.pending)

    @override
    def clear(self) -> None:
        if self.known is not None:
            self.known |= self.pending.keys()
        self.pending = {}

    @override
    def seen(self) -> dict[str, Any]:
        return {"location": self.url, "known_files": len(self.known or ()), "new_files": len(self.pending)}

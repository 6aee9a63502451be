"""The clock, for schedules with a `sql_condition`. Runs in the triggerer, in threads."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from medallion.triggers.sources.base import Source
from medallion.triggers.store import State, Store

if TYPE_CHECKING:
    from medallion.settings import Settings
    from medallion.triggers.entries import Entry


class Times(Source):
    """The clock, for schedules with a `sql_condition`."""

    def __init__(self, next_fire: Callable[[datetime], datetime | None], last: float | None) -> None:
        super().__init__()
        self.next_fire = next_fire
        self.last = last
        self.upcoming: float | None = None
        self.due: float | None = None
        self.begun = False

    @classmethod
    def make(cls, entry: Entry, state: State | None, store: Store, dag_id: str, settings: Settings) -> Times:
        """The source of an entry. Fires that were missed are not made up for."""
        from medallion.triggers.watched import next_fire_of

        return cls(next_fire_of(entry.kind, entry.settings), (state or {}).get("last"))

    @override
    def look(self, now: float) -> None:
        if not self.begun:
            self.begun = True
            self.plan(max(now - 1, self.last or 0))
        if self.upcoming is not None and now >= self.upcoming:
            self.due = self.changed = self.upcoming
            self.plan(now)

    def plan(self, after: float) -> None:
        """Work out the next fire."""
        found = self.next_fire(datetime.fromtimestamp(after, UTC))
        self.upcoming = None if found is None else found.timestamp()

    @property
    @override
    def ready(self) -> bool:
        return self.due is not None

    @override
    def facts(self) -> dict[str, Any]:
        return {"time": datetime.fromtimestamp(self.due or 0, UTC).isoformat()}

    @override
    def state(self, *, taken: bool) -> State:
        return {"last": self.due if taken and self.due is not None else self.last}

    @override
    def clear(self) -> None:
        self.last, self.due = self.due, None

    @override
    def seen(self) -> dict[str, Any]:
        return {"next": self.upcoming}

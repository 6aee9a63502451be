"""Watches the triggers of one job and decides when they fire. Runs in the triggerer, in threads; the clock is given."""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from medallion.errors import MedallionError
from medallion.triggers.entries import Entry
from medallion.triggers.firing import Firing
from medallion.triggers.sources import SOURCES
from medallion.triggers.sources.base import Source
from medallion.triggers.store import Change, State, Store
from medallion.triggers.timers import Timers

if TYPE_CHECKING:
    from medallion.settings import Settings

log = logging.getLogger(__name__)

LOCAL_SECONDS = 0.5
REMOTE_SECONDS = 5.0
SHARE = 25
"""A look may take a twenty-fifth of the time between looks: what is slow to look at is looked at less often."""

ERROR_SECONDS = 30.0
"""After a look that failed, and after a query that failed, the next try comes so much later."""

Ask = Callable[[Entry, Any], tuple[bool, Any]]
"""Asks an entry's `sql_condition`, given the value it had last: whether to start, and the value now."""


class EntryWatch:
    """One trigger.

    :param source: what it looks at; None when it cannot be looked at, see `problem`.
    """

    def __init__(self, entry: Entry, source: Source | None, state: State | None, problem: str = "") -> None:
        self.entry = entry
        self.source = source
        self.timers = Timers(entry.between, entry.wait)
        self.new = state is None
        self.fired: float | None = (state or {}).get("fired")
        self.value: Any = (state or {}).get("value")
        self.broken = problem
        self.asking = False
        self.not_before = 0.0
        self.due_look = 0.0
        self.told: State = {}

    def look(self, now: float) -> None:
        """Look when it is time to. A look that fails is told and tried again later."""
        if self.source is None or self.asking or now < self.due_look:
            return
        begun = time.perf_counter()
        try:
            self.source.look(now)
            self.broken = ""
        except Exception as error:  # noqa: BLE001  drivers of object stores raise what they like
            self.broken = f"{type(error).__name__}: {error}"
            self.due_look = now + ERROR_SECONDS
            log.warning("%s: %s", self.entry.words, self.broken)
            return
        spent = time.perf_counter() - begun
        self.due_look = now + max(REMOTE_SECONDS if self.source.remote else LOCAL_SECONDS, spent * SHARE)

    def fire_at(self) -> float | None:
        """When it fires for what was seen so far; None while there is nothing to fire for."""
        if self.source is None or not self.source.ready:
            return None
        return max(self.timers.fire_at(self.source.changed, self.fired), self.not_before)

    def is_due(self, now: float) -> bool:
        """Whether to fire now."""
        at = self.fire_at()
        return at is not None and at <= now and not self.asking

    def state(self, *, taken: bool) -> State:
        """What must be known after a restart."""
        own = self.source.state(taken=taken) if self.source else {}
        return {**own, "fired": self.fired, "value": self.value}

    def seen(self) -> State:
        """What people are shown."""
        if self.source is None:
            return {"problem": self.broken}
        problem = self.broken or self.source.problem
        return {**self.source.seen(), "fire_at": self.fire_at(), **({"problem": problem} if problem else {})}


class JobWatch:
    """All watched triggers of one job.

    :param config: the entries as JSON text; tells an edit from a pause.
    """

    def __init__(self, dag_id: str, entries: Sequence[Entry], store: Store, settings: Settings) -> None:
        self.dag_id = dag_id
        self.store = store
        self.config = json.dumps([entry.to_json() for entry in entries], sort_keys=True)
        self.settings = settings
        self.entries = entries
        self.watches: list[EntryWatch] = []

    def open(self, now: float) -> list[Firing]:
        """Begin, from what is known of earlier times; gives firings that Airflow was not told of."""
        self.store.begin(self.dag_id, self.config, now)
        self.watches = [self.watch_of(entry) for entry in self.entries]
        for watch in self.watches:
            watch.look(now)
            if watch.new:
                self.save(watch, taken=False)
        self.tell()
        return self.store.unsettled(self.dag_id)

    def watch_of(self, entry: Entry) -> EntryWatch:
        """The watch of one entry. An entry that cannot be watched says so and hurts no other."""
        state = self.store.read(self.dag_id, entry.key)
        try:
            source = SOURCES[entry.kind](entry, state, self.store, self.dag_id, self.settings)
        except (MedallionError, OSError) as error:
            log.warning("%s: %s", self.dag_id, error)
            return EntryWatch(entry, None, state, str(error))
        return EntryWatch(entry, source, state)

    def close(self, now: float) -> None:
        """The job is paused, edited or gone."""
        self.store.stop(self.dag_id, self.config, now)

    def look(self, now: float, *, remote: bool = False) -> list[EntryWatch]:
        """Look at the sources of one sort; the triggers that are due.

        :param remote: those whose looks may take long, or the others.
        """
        chosen = [watch for watch in self.watches if watch.source is not None and watch.source.remote is remote]
        for watch in chosen:
            watch.look(now)
            if watch.source is not None and watch.source.gone:
                self.save(watch, taken=False)
        return [watch for watch in chosen if watch.is_due(now)]

    def fire(self, watch: EntryWatch, now: float) -> Firing:
        """Take what was seen, and write it down with the firing before anyone is told."""
        source = watch.source
        facts = source.facts() if source else {}
        firing = Firing(uuid.uuid4().hex, self.dag_id, watch.entry.key, watch.entry.kind, now, facts)
        watch.fired = now
        self.save(watch, taken=True, firing=firing)
        return firing

    def dismiss(self, watch: EntryWatch) -> None:
        """Take what was seen, and start nothing: the query said no."""
        self.save(watch, taken=True)

    def save(self, watch: EntryWatch, *, taken: bool, firing: Firing | None = None) -> None:
        """Write one entry's state."""
        source = watch.source
        names = source.names() if source and taken else self.first_names(watch)
        gone = tuple(source.gone) if source else ()
        change = Change(watch.state(taken=taken), names=names, gone=gone, firing=firing)
        self.store.write(self.dag_id, watch.entry.key, change)
        watch.new = False
        if source:
            source.gone = set()
            if taken:
                source.clear()

    def first_names(self, watch: EntryWatch) -> tuple[str, ...]:
        """The names that a new watch begins with."""
        return tuple(getattr(watch.source, "known", None) or ()) if watch.new else ()

    def tell(self) -> None:
        """Keep what people are shown, when it changed."""
        for watch in self.watches:
            seen = watch.seen()
            if seen != watch.told:
                self.store.tell(self.dag_id, watch.entry.key, seen)
                watch.told = seen

"""What watchers must not forget: `<home>/triggers/state.db`, SQLite. Runs in the triggerer; others read.

A firing and what it covers (names of files, versions of tables) are written in one transaction before Airflow is told,
so a firing is known for good: after a crash it is told again when Airflow has no event of it, and only then.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medallion.core.databases import open_database
from medallion.triggers.firing import Firing

KEPT_FIRINGS = 100
"""Firings kept of a job."""

EDIT_SECONDS = 10.0
"""A job that was unwatched for no longer than this, and is watched again with other settings, was edited."""

TABLES = """
CREATE TABLE IF NOT EXISTS job (dag_id TEXT PRIMARY KEY, config TEXT NOT NULL, stopped REAL);
CREATE TABLE IF NOT EXISTS entry (
    id INTEGER PRIMARY KEY, dag_id TEXT NOT NULL, key TEXT NOT NULL, state TEXT NOT NULL, seen TEXT NOT NULL DEFAULT '{}',
    UNIQUE (dag_id, key));
CREATE TABLE IF NOT EXISTS name (entry INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (entry, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS firing (
    firing TEXT PRIMARY KEY, dag_id TEXT NOT NULL, at REAL NOT NULL, payload TEXT NOT NULL, settled INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS firing_of ON firing (dag_id, at);
"""

State = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """What one transaction writes of one entry.

    :param names: names that are known from now on.
    :param gone: names that are forgotten.
    :param firing: what Airflow is told after this.
    """

    state: State
    names: Collection[str] = ()
    gone: Collection[str] = ()
    firing: Firing | None = None


@dataclass
class Store:
    """The database. Threads of one process may share it; they take turns."""

    path: Path
    turn: threading.RLock = field(default_factory=threading.RLock)
    base: sqlite3.Connection = field(init=False)

    def __post_init__(self) -> None:
        self.base = open_database(self.path, TABLES, seconds=30, synchronous="FULL", autocommit=False)

    def close(self) -> None:
        """Close the database."""
        with self.turn:
            self.base.close()

    def begin(self, dag_id: str, config: str, now: float) -> None:
        """A job is watched from now on. What was known counts unless it was paused since.

        :param config: the triggers as JSON. The same text again after `stop` means that the job was paused; another
            one soon after means that it was edited.
        """
        with self.turn, self.base:
            found = self.base.execute("SELECT config, stopped FROM job WHERE dag_id = ?", (dag_id,)).fetchone()
            if found is not None and found[1] is not None and (found[0] == config or now - found[1] > EDIT_SECONDS):
                self.forget(dag_id)
            self.base.execute("INSERT OR REPLACE INTO job VALUES (?, ?, NULL)", (dag_id, config))

    def stop(self, dag_id: str, config: str, now: float) -> None:
        """A job is watched no longer: paused, edited or gone. Of no effect when it is watched with other settings."""
        with self.turn, self.base:
            self.base.execute("UPDATE job SET stopped = ? WHERE dag_id = ? AND config = ?", (now, dag_id, config))

    def forget(self, dag_id: str) -> None:
        """Drop all that is known of a job's triggers, but not what they fired."""
        self.base.execute("DELETE FROM name WHERE entry IN (SELECT id FROM entry WHERE dag_id = ?)", (dag_id,))
        self.base.execute("DELETE FROM entry WHERE dag_id = ?", (dag_id,))
        self.base.execute("UPDATE firing SET settled = 1 WHERE dag_id = ?", (dag_id,))

    def read(self, dag_id: str, key: str) -> State | None:
        """The state of an entry; None when it was never written."""
        with self.turn:
            found = self.base.execute("SELECT state FROM entry WHERE dag_id = ? AND key = ?", (dag_id, key)).fetchone()
        return None if found is None else dict(json.loads(found[0]))

    def names(self, dag_id: str, key: str) -> set[str]:
        """The names that an entry knows."""
        query = "SELECT name FROM name WHERE entry = (SELECT id FROM entry WHERE dag_id = ? AND key = ?)"
        with self.turn:
            return {name for (name,) in self.base.execute(query, (dag_id, key))}

    def write(self, dag_id: str, key: str, change: Change) -> None:
        """Write one change, whole or not at all."""
        with self.turn, self.base:
            (number,) = self.base.execute(
                "INSERT INTO entry (dag_id, key, state) VALUES (?, ?, ?) "
                "ON CONFLICT (dag_id, key) DO UPDATE SET state = excluded.state RETURNING id",
                (dag_id, key, json.dumps(change.state)),
            ).fetchone()
            rows = ((number, name) for name in change.names)
            self.base.executemany("INSERT OR IGNORE INTO name VALUES (?, ?)", rows)
            old = ((number, name) for name in change.gone)
            self.base.executemany("DELETE FROM name WHERE entry = ? AND name = ?", old)
            if change.firing is not None:
                self.add(change.firing)

    def add(self, firing: Firing) -> None:
        """Keep a firing, and drop the oldest settled ones."""
        payload = json.dumps(firing.to_payload())
        self.base.execute(
            "INSERT INTO firing VALUES (?, ?, ?, ?, 0)", (firing.firing, firing.dag_id, firing.at, payload)
        )
        self.base.execute(
            "DELETE FROM firing WHERE dag_id = ?1 AND settled = 1 AND at < "
            "(SELECT min(at) FROM (SELECT at FROM firing WHERE dag_id = ?1 ORDER BY at DESC LIMIT ?2))",
            (firing.dag_id, KEPT_FIRINGS),
        )

    def tell(self, dag_id: str, key: str, seen: State) -> None:
        """Keep what people are shown of an entry."""
        with self.turn, self.base:
            self.base.execute("UPDATE entry SET seen = ? WHERE dag_id = ? AND key = ?", (json.dumps(seen), dag_id, key))

    def unsettled(self, dag_id: str | None = None) -> list[Firing]:
        """Firings of which it is not known that Airflow has their event, oldest first."""
        query = "SELECT payload FROM firing WHERE settled = 0 AND dag_id = coalesce(?, dag_id) ORDER BY at"
        with self.turn:
            found = [Firing.from_payload(json.loads(text)) for (text,) in self.base.execute(query, (dag_id,))]
        return [firing for firing in found if firing is not None]

    def settle(self, firings: Iterable[str]) -> None:
        """Airflow has the events of these firings."""
        with self.turn, self.base:
            self.base.executemany("UPDATE firing SET settled = 1 WHERE firing = ?", ((name,) for name in firings))


@dataclass(frozen=True, slots=True)
class Shown:
    """What people are shown of a job's triggers: by key what was seen and the state, and the latest firings.

    :param watching: whether a watcher has begun and was not stopped; one whose process died counts.
    """

    entries: dict[str, tuple[State, State]]
    firings: list[Firing]
    watching: bool = False


def shown(path: Path, dag_id: str, limit: int = 10) -> Shown:
    """What the file tells of a job. Reads only; empty when there is no file yet."""
    if not path.is_file():
        return Shown({}, [])
    base = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
    try:
        rows = base.execute("SELECT key, seen, state FROM entry WHERE dag_id = ?", (dag_id,)).fetchall()
        told = base.execute(
            "SELECT payload FROM firing WHERE dag_id = ? ORDER BY at DESC LIMIT ?", (dag_id, limit)
        ).fetchall()
        job = base.execute("SELECT stopped FROM job WHERE dag_id = ?", (dag_id,)).fetchone()
    except sqlite3.DatabaseError:  # no tables yet, or damaged: the watchers make it anew
        return Shown({}, [])
    finally:
        base.close()
    firings = [firing for (text,) in told if (firing := Firing.from_payload(json.loads(text)))]
    entries = {key: (json.loads(seen), json.loads(state)) for key, seen, state in rows}
    return Shown(entries, firings, watching=job is not None and job[0] is None)


def state_file(home: Path) -> Path:
    """Where the watchers keep what they know."""
    return home / "triggers" / "state.db"

"""How far the followers of runs are: `<home>/jobs_service/<name>.db`, an SQLite file. Runs in the jobs service.

A change is put into the queue of every consumer in the same transaction that notes it as told, and leaves the queue when
the consumer has taken it. So a crash at any moment repeats at most the last ones.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medallion.core.databases import open_database
from medallion.runs.transitions import Told

SCHEMA = """
CREATE TABLE IF NOT EXISTS consumers (name TEXT PRIMARY KEY, since REAL NOT NULL);
CREATE TABLE IF NOT EXISTS runs (
    name TEXT PRIMARY KEY, mark TEXT NOT NULL, done INTEGER NOT NULL, told TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS looks (look INTEGER PRIMARY KEY AUTOINCREMENT, seen TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS changes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, look INTEGER NOT NULL, run TEXT NOT NULL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS changes_by_look ON changes (look);
CREATE TABLE IF NOT EXISTS queue (
    consumer TEXT NOT NULL, seq INTEGER NOT NULL, run TEXT NOT NULL, PRIMARY KEY (consumer, seq)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS queue_by_change ON queue (seq);
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """One run as it was last seen.

    :param run: names the run (`run_name`).
    :param mark: state, number of clears and end; another mark means that the run changed.
    :param done: the run had ended and all of it was told.
    """

    run: str
    mark: str
    done: bool
    told: Told


@dataclass(frozen=True, slots=True)
class Queued:
    """A change that a consumer has to be told.

    :param look: the look that saw it; changes of one look share a snapshot.
    :param body: the change as JSON (`runs.stored`).
    """

    seq: int
    run: str
    look: int
    body: Mapping[str, Any]


def run_name(dag_id: str, run_id: str) -> str:
    """Names a run. Airflow's own number would name another run when its database was made anew."""
    return f"{dag_id}\x1f{run_id}"


class Progress:
    """The file, shared by the threads of one process.

    :param place: the file; made when it is not there.
    """

    def __init__(self, place: Path) -> None:
        self.lock = threading.RLock()
        # A power failure may repeat a change; a killed process loses nothing with NORMAL. A file that is made anew is
        # filled from Airflow's database: consumers know by key what they were told before.
        self.database = open_database(place, SCHEMA, seconds=30, synchronous="NORMAL", autocommit=True)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of it or nothing."""
        with self.lock:
            self.database.execute("BEGIN IMMEDIATE")
            try:
                yield self.database
            except BaseException:
                self.database.execute("ROLLBACK")
                raise
            self.database.execute("COMMIT")

    def marks(self) -> dict[str, str]:
        """The mark of every run that was seen to its end."""
        with self.lock:
            return dict(self.database.execute("SELECT name, mark FROM runs WHERE done").fetchall())

    def seen(self, run: str) -> Seen | None:
        """A run as it was last seen; None for one that is new."""
        with self.lock:
            row = self.database.execute("SELECT mark, done, told FROM runs WHERE name = ?", (run,)).fetchone()
        return Seen(run, row[0], bool(row[1]), Told.from_json(json.loads(row[2]))) if row else None

    def register(self, consumer: str, since: float) -> float:
        """Note a consumer; gives the time (seconds since the epoch) from which on it is told, fixed at its first start."""
        with self.transaction() as database:
            database.execute("INSERT OR IGNORE INTO consumers VALUES (?, ?)", (consumer, since))
            (found,) = database.execute("SELECT since FROM consumers WHERE name = ?", (consumer,)).fetchone()
        return float(found)

    def advance(
        self, seen: Seen, look: Mapping[str, Any], bodies: Sequence[Mapping[str, Any]], consumers: Collection[str]
    ) -> None:
        """Note a run as it is now, and queue its changes.

        :param look: what was seen, as JSON (`runs.stored`).
        :param bodies: the changes, in order.
        :param consumers: who is to be told.
        """
        with self.transaction() as database:
            row = (seen.run, seen.mark, seen.done, json.dumps(seen.told.to_json()))
            database.execute("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?)", row)
            if not bodies or not consumers:
                return
            number = database.execute("INSERT INTO looks (seen) VALUES (?)", (json.dumps(look),)).lastrowid
            for body in bodies:
                statement = "INSERT INTO changes (look, run, body) VALUES (?, ?, ?)"
                seq = database.execute(statement, (number, seen.run, json.dumps(body))).lastrowid
                rows = [(name, seq, seen.run) for name in consumers]
                database.executemany("INSERT INTO queue VALUES (?, ?, ?)", rows)

    def queued(self, consumer: str, without: Collection[str] = (), limit: int = 500) -> list[Queued]:
        """What a consumer has to be told, the oldest first.

        :param without: runs to leave out.
        """
        marks = ", ".join("?" * len(without))
        statement = (
            "SELECT queue.seq, queue.run, look, body FROM queue JOIN changes USING (seq) "  # noqa: S608  marks only
            f"WHERE consumer = ? AND queue.run NOT IN ({marks}) ORDER BY queue.seq LIMIT ?"
        )
        with self.lock:
            rows = self.database.execute(statement, (consumer, *without, limit)).fetchall()
        return [Queued(seq, run, look, json.loads(body)) for seq, run, look, body in rows]

    def look(self, look: int) -> Mapping[str, Any]:
        """What a look saw, as JSON."""
        with self.lock:
            (text,) = self.database.execute("SELECT seen FROM looks WHERE look = ?", (look,)).fetchone()
        found: Mapping[str, Any] = json.loads(text)
        return found

    def taken(self, consumer: str, changes: Iterable[Queued]) -> None:
        """A consumer has taken these changes. What nobody waits for is forgotten."""
        done = list(changes)
        seqs = [(item.seq,) for item in done]
        looks = [(look,) for look in {item.look for item in done}]
        with self.transaction() as database:
            database.executemany(
                "DELETE FROM queue WHERE consumer = ? AND seq = ?", [(consumer, item.seq) for item in done]
            )
            database.executemany(
                "DELETE FROM changes WHERE seq = ?1 AND NOT EXISTS (SELECT 1 FROM queue WHERE queue.seq = ?1)", seqs
            )
            database.executemany(
                "DELETE FROM looks WHERE look = ?1 AND NOT EXISTS (SELECT 1 FROM changes WHERE look = ?1)", looks
            )

    def waiting(self, consumers: Collection[str]) -> int:
        """How many changes these consumers have not taken."""
        statement = f"SELECT count(*) FROM queue WHERE consumer IN ({', '.join('?' * len(consumers))})"  # noqa: S608
        with self.lock:
            return int(self.database.execute(statement, tuple(consumers)).fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        with self.lock:
            self.database.close()

"""Messages on their way, in SQLite: `<home>/notifications/outbox.db`. In the jobs service, a sender, the command line.

A message is put in once for each change and recipient, however often the change is told. It stays after it was sent, as
the record of what was sent and of what could not be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from medallion.core.databases import open_database
from medallion.runs.notifications.events import Recipient
from medallion.runs.notifications.message import Message

FILE_NAME = "outbox.db"
BUSY_SECONDS = 10.0
KEEP_SECONDS = 60 * 86400.0
"""Databricks keeps runs for 60 days."""

FIRST_DELAY, LONGEST_DELAY = 5.0, 600.0
"""Seconds between attempts: doubled each time, up to the longest."""

TABLES = """
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL, recipient TEXT NOT NULL, message TEXT NOT NULL,
    created REAL NOT NULL, due REAL NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT '', ended REAL, told INTEGER NOT NULL DEFAULT 0,
    UNIQUE (key, recipient)
);
CREATE INDEX IF NOT EXISTS messages_due ON messages (state, due);
CREATE TABLE IF NOT EXISTS watches (
    key TEXT PRIMARY KEY, owner TEXT NOT NULL, due REAL NOT NULL, watch TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS watches_owner ON watches (owner);
CREATE TABLE IF NOT EXISTS first_attempts (key TEXT PRIMARY KEY, attempt INTEGER NOT NULL, seen REAL NOT NULL);
"""


class Stage(StrEnum):
    """Where a message is on its way."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Letter:
    """One message to one recipient.

    :param created: seconds since the epoch, like all times here.
    :param due: when it is tried next.
    :param error: why the last attempt failed; empty when it did not.
    """

    id: int
    key: str
    recipient: Recipient
    message: Message
    created: float
    due: float
    stage: Stage
    attempts: int
    error: str
    ended: float | None


class Outbox:
    """The messages of one home. Several processes may use it at once; each thread needs its own.

    :raises OSError, sqlite3.Error: the folder cannot be written.
    """

    def __init__(self, home: Path, *, limit: float = 86400.0) -> None:
        self.file = home / "notifications" / FILE_NAME
        self.limit = limit
        self._database = open_database(self.file, TABLES, seconds=BUSY_SECONDS, synchronous="FULL", autocommit=True)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    @contextmanager
    def whole(self) -> Iterator[None]:
        """All of the changes within, or none."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def put(self, key: str, recipients: Iterable[Recipient], message: Message, now: float) -> None:
        """A message for some recipients; one that was put in before for the same key stays as it is."""
        rows = [(key, str(item), message.to_json(), now, now, Stage.PENDING) for item in recipients]
        statement = "INSERT OR IGNORE INTO messages (key, recipient, message, created, due, state) VALUES (?,?,?,?,?,?)"
        self._database.executemany(statement, rows)

    def due(self, now: float, most: int = 50) -> list[Letter]:
        """Messages to try now, oldest first."""
        return self._letters("WHERE state = ? AND due <= ? ORDER BY created, id LIMIT ?", (Stage.PENDING, now, most))

    def next_due(self) -> float | None:
        """When the next message is to be tried; None when all is done."""
        (found,) = self._database.execute("SELECT min(due) FROM messages WHERE state = ?", (Stage.PENDING,)).fetchone()
        return None if found is None else float(found)

    def sent(self, letter: Letter, now: float) -> None:
        """It was delivered."""
        self._end(letter, Stage.SENT, "", now)

    def failed(self, letter: Letter, error: str, now: float, *, for_good: bool) -> Stage:
        """It was not delivered: it is tried again later, unless that is useless or the time is over."""
        attempts = letter.attempts + 1
        due = now + min(FIRST_DELAY * 2 ** min(letter.attempts, 20), LONGEST_DELAY)
        if for_good or due > letter.created + self.limit:
            self._end(letter, Stage.FAILED, error, now)
            return Stage.FAILED
        statement = "UPDATE messages SET attempts = ?, due = ?, error = ? WHERE id = ? AND state = ?"
        self._database.execute(statement, (attempts, due, error, letter.id, Stage.PENDING))
        return Stage.PENDING

    def hurry(self, now: float) -> int:
        """Make every waiting message due now; gives how many there are."""
        statement = "UPDATE messages SET due = ? WHERE state = ?"
        return self._database.execute(statement, (now, Stage.PENDING)).rowcount

    def waiting(self) -> int:
        """How many messages are still to be sent."""
        statement = "SELECT count(*) FROM messages WHERE state = ?"
        return int(self._database.execute(statement, (Stage.PENDING,)).fetchone()[0])

    def letters(self, *, failed: bool = False, most: int = 200) -> list[Letter]:
        """The latest messages, newest first.

        :param failed: those alone that could not be sent, for good or so far.
        """
        where = "WHERE error <> '' AND state <> 'sent'" if failed else ""
        return self._letters(f"{where} ORDER BY id DESC LIMIT ?", (most,))

    def untold_failures(self) -> list[Letter]:
        """Messages that failed for good since the last call."""
        found = self._letters("WHERE state = ? AND told = 0 ORDER BY id", (Stage.FAILED,))
        self._database.executemany("UPDATE messages SET told = 1 WHERE id = ?", [(item.id,) for item in found])
        return found

    def forget_old(self, now: float) -> None:
        """Drop what ended long ago."""
        self._database.execute("DELETE FROM messages WHERE ended < ?", (now - KEEP_SECONDS,))
        self._database.execute("DELETE FROM first_attempts WHERE seen < ?", (now - KEEP_SECONDS,))

    def first_attempt(self, key: str, attempt: int, now: float) -> int:
        """The first attempt that was told for this key; the given one when there was none yet."""
        statement = "INSERT OR IGNORE INTO first_attempts (key, attempt, seen) VALUES (?,?,?)"
        self._database.execute(statement, (key, attempt, now))
        (first,) = self._database.execute("SELECT attempt FROM first_attempts WHERE key = ?", (key,)).fetchone()
        return int(first)

    def watch(self, key: str, owner: str, due: float, watch: str) -> None:
        """Look at something at a moment; a watch of the same key stays as it is.

        :param owner: whose end ends the watch.
        :param watch: what to look at, JSON text.
        """
        self._database.execute("INSERT OR IGNORE INTO watches VALUES (?,?,?,?)", (key, owner, due, watch))

    def watches(self, due: float) -> list[tuple[str, str]]:
        """Key and text of the watches that are due."""
        found = self._database.execute("SELECT key, watch FROM watches WHERE due <= ? ORDER BY due", (due,))
        return [(str(key), str(watch)) for key, watch in found]

    def watches_of(self, owner: str) -> list[tuple[str, str]]:
        """Key and text of the watches of something."""
        found = self._database.execute("SELECT key, watch FROM watches WHERE owner = ?", (owner,))
        return [(str(key), str(watch)) for key, watch in found]

    def postpone(self, key: str, due: float, watch: str) -> None:
        """Look again at another moment."""
        self._database.execute("UPDATE watches SET due = ?, watch = ? WHERE key = ?", (due, watch, key))

    def unwatch(self, key: str) -> None:
        """Look no more."""
        self._database.execute("DELETE FROM watches WHERE key = ?", (key,))

    def unwatch_all(self, owner: str) -> None:
        """Look no more at anything of something that has ended."""
        self._database.execute("DELETE FROM watches WHERE owner = ?", (owner,))

    def _end(self, letter: Letter, stage: Stage, error: str, now: float) -> None:
        statement = "UPDATE messages SET state = ?, attempts = attempts + 1, error = ?, ended = ? WHERE id = ?"
        self._database.execute(statement, (stage, error, now, letter.id))

    def _letters(self, rest: str, values: tuple[object, ...]) -> list[Letter]:
        columns = "id, key, recipient, message, created, due, state, attempts, error, ended"
        rows = self._database.execute(f"SELECT {columns} FROM messages {rest}", values)  # noqa: S608  our own words
        return [
            Letter(number, key, Recipient.parse(who), Message.from_json(text), created, due, Stage(state), *others)
            for number, key, who, text, created, due, state, *others in rows
        ]


def open_existing(home: Path) -> Outbox | None:
    """The outbox of a home, or None when there is none yet."""
    return Outbox(home) if (home / "notifications" / FILE_NAME).is_file() else None

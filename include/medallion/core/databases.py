"""Small SQLite files of ours: opened, and kept aside when they are damaged. Runs wherever such a file is used."""

from __future__ import annotations

import logging
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Literal

log = logging.getLogger(__name__)

DAMAGED = ".damaged-"
"""In the name of a file that was kept aside; its time follows."""
PARTS = ("", "-wal", "-shm")
BROKEN = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def open_database(
    place: Path, schema: str, *, seconds: float, synchronous: str, autocommit: bool
) -> sqlite3.Connection:
    """The database of a file, made when it is not there. A damaged one is kept aside and made anew.

    :param schema: statements that make the tables where they are missing.
    :param seconds: how long a writer is waited for.
    :param synchronous: SQLite's word for what is synced.
    :param autocommit: whether transactions are begun by the caller alone.
    :raises OSError, sqlite3.Error: the folder cannot be written, or the file is held.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(2):
        try:
            return opened(place, schema, seconds, synchronous, autocommit=autocommit)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            keep_aside(place, str(error))
    return opened(place, schema, seconds, synchronous, autocommit=autocommit)


def opened(place: Path, schema: str, seconds: float, synchronous: str, *, autocommit: bool) -> sqlite3.Connection:
    """A connection to a database that is whole."""
    level: Literal["DEFERRED"] | None = None if autocommit else "DEFERRED"
    base = sqlite3.connect(place, timeout=seconds, check_same_thread=False, isolation_level=level)
    try:
        base.execute("PRAGMA journal_mode=WAL")
        base.execute(f"PRAGMA synchronous={synchronous}")
        require_whole(base)
        base.executescript(schema)
    except BaseException:
        base.close()
        raise
    return base


def require_whole(base: sqlite3.Connection) -> None:
    """:raises sqlite3.DatabaseError: a page is damaged."""
    (told,) = base.execute("PRAGMA quick_check(1)").fetchone()
    if told != "ok":
        error = sqlite3.DatabaseError(told)
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error says that the file is damaged, and not that it is held or the disk full."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in BROKEN


def keep_aside(place: Path, why: str) -> None:
    """Rename a damaged file, so that nothing of it is lost, and say so."""
    mark = f"{DAMAGED}{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}"
    for part in PARTS:
        file = place.with_name(place.name + part)
        if file.exists():
            file.replace(place.with_name(f"{place.name}{mark}{part}"))
    log.error("%s is damaged (%s): it is kept as %s%s and made anew", place, why, place.name, mark)


def damage(place: Path) -> str | None:
    """What is wrong with a database file; None when it is whole or not there. Reads only."""
    if not place.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"{place.as_uri()}?mode=ro", uri=True, timeout=5)) as base:
            require_whole(base)
    except sqlite3.DatabaseError as error:
        return str(error) if is_damage(error) else None
    return None


def kept_aside(folder: Path) -> list[Path]:
    """Damaged files that were kept in a folder."""
    return sorted(file for file in folder.glob(f"*{DAMAGED}*") if not file.name.endswith(PARTS[1:]))

"""A full disk in words: which folder, how much room there is, what to do. Runs in the task process, workers, the shell."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from medallion.errors import DiskFullError, MedallionError

if TYPE_CHECKING:
    from medallion.settings import Settings

REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the limit of a file's size is reached (ulimit -f)",
}
SPOKEN = {
    "No space left on device": errno.ENOSPC,
    "database or disk is full": errno.ENOSPC,
    "Disk quota exceeded": errno.EDQUOT,
    "File too large": errno.EFBIG,
}
SAID = re.compile("|".join(SPOKEN))
# In texts of Spark, which hold data of users: after the name of the exception that says it.
SAID_BY_JAVA = re.compile(rf"(?:IOException|FSError|FileSystemException|OSError)\b[^\n]*?({SAID.pattern})")
NATIVE = frozenset({"_internal", "deltalake", "duckdb", "_duckdb", "pyarrow", "sqlite3"})
"""Modules of exceptions that carry no number of the system; `_internal` is what delta-rs calls its own."""
JAVA = frozenset({"pyspark", "py4j"})
LOCATION = re.compile(r"(?:file:/*)?(/[^\s,;:'\"()]+)")
PLACES = (("lake", "the lake"), ("volumes", "/Volumes"), ("dbfs", "dbfs:/"), ("home", "the home folder"))
"""Settings that name a folder which grows, and what it is called."""
TABLE_DEPTH = 3


def disk_full(error: BaseException, settings: Settings) -> DiskFullError | None:
    """The error in words when a disk has no room; None for any other.

    :param error: as Python, Spark, Delta or SQLite raised it; one that it says it came from counts too.
    """
    for one in causes(error):
        if isinstance(one, DiskFullError):
            return one
        reason = reason_of(one)
        if reason is not None:
            return told(reason, place_of(one, settings), settings)
    return None


def in_words(error: BaseException, settings: Settings) -> MedallionError | None:
    """An error of ours as it is, that of a full disk as one of ours; None for any other."""
    return error if isinstance(error, MedallionError) else disk_full(error, settings)


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and those that it was raised from."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__


def reason_of(error: BaseException) -> int | None:
    """The number of the system's error, when it is one of a full disk."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno if error.errno in REASONS else None
    kind = type(error).__module__.partition(".")[0]
    if kind in JAVA and (found := SAID_BY_JAVA.search(text_of(error))):
        return SPOKEN[found[1]]
    if kind in NATIVE and (found := SAID.search(str(error))):
        return SPOKEN[found[0]]
    return None


def text_of(error: BaseException) -> str:
    """All that an error says, of Spark's with Java's causes."""
    return f"{type(error).__name__}: {error}\n{getattr(error, '_stackTrace', None) or ''}"


def place_of(error: BaseException, settings: Settings) -> Path | None:
    """The path that could not be written, when the error names one below a folder of Medallion."""
    from medallion.compute.paths import to_local
    from medallion.runtime.protocol import Places

    if isinstance(error, OSError) and isinstance(error.filename, str):
        places = Places(str(settings.lake), str(settings.volumes), str(settings.dbfs))
        return Path(to_local(error.filename, places)).absolute()
    for found in LOCATION.finditer(text_of(error)):
        path = Path(found[1].rstrip("."))
        if any(path.is_relative_to(getattr(settings, name)) for name, _ in PLACES):
            return path
    return None


def told(reason: int, path: Path | None, settings: Settings) -> DiskFullError:
    """What is said of a path; without one, of the disk that has the least room."""
    places = setting_of(path, settings) if path else least_room(settings)
    folder: Path = getattr(settings, places[0][0]) if places else nearest(path or settings.home)
    called = " or ".join(f"{name} {getattr(settings, setting)}" for setting, name in places)
    hint = "free some"
    if places:
        hint += (
            f", or set `{'`, `'.join(setting for setting, _ in places)}` in medallion.toml to a folder on another disk"
        )
    if table := table_of(path, settings.lake):
        called, hint = f"table {table} in {called}", f"the table stays as it was; {hint}"
    return DiskFullError(f"{REASONS[reason]}: {called or path} has {room(folder)}", hint=f"{hint}, then try again")


def setting_of(path: Path, settings: Settings) -> list[tuple[str, str]]:
    """The setting that a path is below, and what it is called; none for a path elsewhere."""
    return [place for place in PLACES if path.is_relative_to(getattr(settings, place[0]))][:1]


def least_room(settings: Settings) -> list[tuple[str, str]]:
    """The settings on the disk that has the least room; the home alone where it is among them."""
    rooms = {place: free_bytes(getattr(settings, place[0])) for place in PLACES}
    least = [place for place, free in rooms.items() if free == min(rooms.values())]
    return [place for place in least if place[0] == "home"] or least


def table_of(path: Path | None, lake: Path) -> str:
    """The name of the table that a path lies in; empty for a path elsewhere."""
    if path is None or not path.is_relative_to(lake):
        return ""
    parts = path.relative_to(lake).parts
    return ".".join(parts[:TABLE_DEPTH]) if len(parts) >= TABLE_DEPTH else ""


def nearest(path: Path) -> Path:
    """The path or the nearest folder above it that exists."""
    return next((folder for folder in (path, *path.parents) if folder.is_dir()), Path("/"))


def free_bytes(folder: Path) -> int:
    """Bytes that this user may still write there."""
    found = os.statvfs(nearest(folder))
    return found.f_bavail * found.f_frsize


def room(folder: Path) -> str:
    """How much room the folder's disk has now: a failed write may have given some back."""
    found = os.statvfs(nearest(folder))
    return f"{spoken(free_bytes(folder))} of {spoken(found.f_blocks * found.f_frsize)} free"


def spoken(count: float) -> str:
    """A number of bytes as people say it."""
    for unit in ("bytes", "KB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"

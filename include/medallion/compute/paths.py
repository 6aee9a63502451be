"""Where paths of Databricks are on this machine: /Volumes, /dbfs, /Workspace, dbfs:/, file:/. Runs in the task process.

`to_local`, `to_user` and `to_spark` are pure. `install` makes Python's own file functions understand the same paths.

A path is made plain (`..` and `.` worked out as text) before it is mapped, so it never names a neighbour of the local
folder. `dbfs:/../x` is `dbfs:/x`. `/Volumes/../x` leads out of /Volumes and is refused, as is the like of /dbfs and
/Workspace.
"""

from __future__ import annotations

import posixpath
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from medallion.errors import MedallionError, UnsupportedError

if TYPE_CHECKING:
    from medallion.runtime.protocol import Places

Table = tuple[tuple[str, str], ...]

SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+):(?!\\)")
VOLUMES, DBFS, FILE_STORE, DATASETS = "/Volumes", "/dbfs", "/FileStore", "/databricks-datasets"
ROOTS = frozenset({VOLUMES, DBFS, FILE_STORE, DATASETS, "/Workspace"})
"""First folders that `..` lead out of no path."""


def prefix_table(places: Places) -> Table:
    """Mapped prefixes and their local folders, the longest prefix first."""
    dbfs = places.dbfs.rstrip("/")
    pairs = {
        VOLUMES: places.volumes,
        DBFS + VOLUMES: places.volumes,
        DBFS: dbfs,
        FILE_STORE: dbfs + FILE_STORE,
        DATASETS: dbfs + DATASETS,
        **places.workspace,
    }
    return sort_table(tuple((prefix.rstrip("/"), folder.rstrip("/")) for prefix, folder in pairs.items()))


@lru_cache(maxsize=8)
def sort_table(pairs: Table) -> Table:
    """The pairs, the longest prefix first, so that the nearest one counts."""
    return tuple(sorted(pairs, key=lambda pair: (-len(pair[0]), pair[0])))


def plain(path: str) -> str:
    """An absolute path without `.`, `..` and double slashes; `..` above the root stays at the root."""
    return "/" + posixpath.normpath(path).lstrip("/")


def within(path: str, prefix: str) -> bool:
    """Whether a plain path is the prefix or below it."""
    return path == prefix or path.startswith(prefix + "/")


def first_folder(path: str) -> str:
    """The first folder of an absolute path."""
    return "/" + path.lstrip("/").partition("/")[0]


def left_root(path: str) -> str | None:
    """The root that an absolute path begins in and that its `..` lead out of; None for a path that stays."""
    if ".." not in path:
        return None
    root = first_folder(path)
    return root if root in ROOTS and not within(plain(path), root) else None


def refuse_outside(path: str) -> None:
    """Refuse a path that leads out of its root by `..`.

    :raises MedallionError: it does.
    """
    root = left_root(split_scheme(path)[1] if path.startswith("file:") else path)
    if root is not None:
        raise MedallionError(f"the path {path!r} leads out of {root}", hint="take the '..' out of it")


def mapped(path: str, table: Table) -> str | None:
    """The local path of an absolute path, or None when no prefix is its."""
    flat = plain(path)
    for prefix, folder in table:
        if within(flat, prefix):
            return folder + flat[len(prefix) :]
    return None


def named(path: str, table: Table) -> str | None:
    """The user's name of a local absolute path, by the deepest folder and its shortest prefix, or None."""
    flat = plain(path)
    for prefix, folder in sorted(table, key=lambda pair: (-len(pair[1]), len(pair[0]))):
        if within(flat, folder):
            return prefix + flat[len(folder) :]
    return None


def split_scheme(path: str) -> tuple[str, str]:
    """Scheme in lower case (empty when there is none) and path. `dbfs:/x`, `dbfs:///x` and `dbfs:x` all give `/x`."""
    found = SCHEME.match(path)
    if found is None:
        return "", path
    rest = path[found.end() :]
    return found[1].lower(), "/" + rest.lstrip("/")


def to_local(path: str, places: Places) -> str:
    """The local path that a path of Databricks stands for. What no prefix maps stays as it is.

    :param path: a path with or without the scheme `dbfs:` or `file:`.
    :raises UnsupportedError: another scheme, such as s3.
    :raises MedallionError: `..` lead out of /Volumes, /dbfs or a mapped prefix.
    """
    scheme, rest = split_scheme(path)
    table = prefix_table(places)
    if scheme == "dbfs":
        flat = plain(rest)
        return mapped(flat if within(flat, VOLUMES) else DBFS + flat, table) or flat
    if scheme not in {"", "file"}:
        raise UnsupportedError(f"{path}: there is no local folder for {scheme}:", hint="use /Volumes, dbfs:/ or file:/")
    if not rest.startswith("/"):
        return rest
    refuse_outside(path)
    return mapped(rest, table) or (rest if not scheme else plain(rest))


def to_user(path: str, places: Places) -> str:
    """The name that a notebook knows a local path by: the reverse of `to_local`; other paths stay as they are."""
    return named(path, prefix_table(places)) or path


def to_spark(path: str, places: Places) -> str:
    """The path as Spark of a local driver reads it. `/Volumes` and `dbfs:/` it knows by itself (`driver.file_systems`).

    A path under `/dbfs` becomes `dbfs:/`; one under a mapped `/Workspace` prefix becomes `file:` and the local path.
    """
    scheme, rest = split_scheme(path)
    if scheme not in {"", "file"} or not rest.startswith("/"):
        return path
    flat = plain(rest)
    if within(flat, DBFS):
        return "dbfs:" + (flat[len(DBFS) :] or "/")
    if within(flat, VOLUMES):
        return flat
    if scheme == "file" or any(within(flat, prefix) for prefix in places.workspace):
        return "file:" + to_local(flat, places)
    return path


def install(places: Places) -> None:
    """Make Python's file functions, `import`, pandas, pyarrow, sqlite3 and deltalake understand mapped prefixes.

    For this process. A second call only changes the folders.
    """
    from medallion.compute import path_patches

    path_patches.install(prefix_table(places))

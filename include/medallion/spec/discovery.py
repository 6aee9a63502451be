"""Finds the definitions below a folder: bundles, and JSON files that are jobs. Runs at parse and in the CLI; pure."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from medallion.spec.source import MAX_BYTES

BUNDLE_FILES = ("databricks.yml", "databricks.yaml", "bundle.yml", "bundle.yaml")
"""Names of a bundle's root file (Databricks CLI)."""

JOB_KEYS = frozenset({"tasks", "settings", "new_settings", "resources"})
"""An object with one of these at the top is a definition; other JSON files (schemas, data) are none."""

SKIPPED = frozenset({"node_modules", "__pycache__", "venv"})
"""Folders that hold other people's files. Folders whose name starts with a dot are skipped too."""


def bundle_file(folder: Path) -> Path | None:
    """The root file of the bundle in a folder."""
    return next((file for name in BUNDLE_FILES if (file := folder / name).is_file()), None)


def discover(folder: Path) -> tuple[Path, ...]:
    """Every definition below a folder, in the order of the paths: bundles' folders, and JSON files that are jobs.

    Nothing below a bundle's folder is a definition of its own. A JSON file that cannot be parsed counts, so that
    loading it says what is wrong. Each folder is searched once, however many links lead to it: by its own place where
    it is below the folder, else by the first link.
    """
    folder = folder.absolute()
    if not folder.is_dir():
        return ()
    seen: set[str] = set()
    links: list[Path] = []
    found = list(definitions(folder, seen, links))
    while links:
        found += definitions(links.pop(0), seen, links)
    return tuple(sorted(found))


def definitions(folder: Path, seen: set[str], links: list[Path]) -> Iterator[Path]:
    """The definitions of one folder and those below it.

    :param seen: real paths of the folders that were searched; grows.
    :param links: links to folders, for later; grows.
    """
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    try:
        with os.scandir(folder) as entries:
            found = list(entries)
    except OSError:
        return
    if any(entry.name in BUNDLE_FILES and Path(entry.path).is_file() for entry in found):
        yield folder
        return
    for entry in found:
        if entry.name.startswith(".") or entry.name in SKIPPED:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from definitions(Path(entry.path), seen, links)
        elif os.path.isdir(entry.path):  # noqa: PTH112  quicker; a circle of links is no folder and no error
            links.append(Path(entry.path))
        elif entry.name.lower().endswith(".json") and is_definition(entry):
            yield Path(entry.path)


def is_definition(entry: os.DirEntry[str]) -> bool:
    """Whether a JSON file is a job's, by its state on disk."""
    try:
        status = entry.stat()
        return entry.is_file() and looks_like_job(entry.path, status.st_mtime_ns, status.st_size)
    except OSError:
        return False


@lru_cache(maxsize=20_000)
def looks_like_job(file: str, changed: int, size: int) -> bool:
    """Whether a JSON file is an object with a job's keys, or neither JSON nor rows of JSON."""
    if size > MAX_BYTES:
        return False
    try:
        data = Path(file).read_bytes()
    except OSError:
        return False
    try:
        return has_job_keys(json.loads(data))
    except (ValueError, RecursionError):
        return not any(is_row(line) for line in data.splitlines()[:ROWS_LOOKED_AT])


def has_job_keys(value: object) -> bool:
    """Whether a value is an object that a definition may be."""
    return isinstance(value, dict) and not JOB_KEYS.isdisjoint(value)


ROWS_LOOKED_AT = 20


def is_row(line: bytes) -> bool:
    """Whether a line is a row of data: an object of its own, as files of JSON lines have them (some rows may be bad)."""
    try:
        return line.startswith(b"{") and not has_job_keys(json.loads(line))
    except (ValueError, RecursionError):
        return False

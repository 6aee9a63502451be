"""Finds the definitions below a folder: bundles, JSON and YAML files that are jobs. Runs at parse and in the CLI; pure."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from medallion.core.file_states import State, state_of
from medallion.spec.source import MAX_BYTES, SourceError, decode

BUNDLE_FILES = ("databricks.yml", "databricks.yaml", "bundle.yml", "bundle.yaml")
"""Names of a bundle's root file (Databricks CLI)."""

JOB_KEYS = frozenset({"tasks", "settings", "new_settings", "resources"})
"""An object with one of these at the top is a definition; other JSON files (schemas, data) are none."""

SUFFIXES = (".json", ".yml", ".yaml")
RESOURCES = re.compile(rb"""^["']?resources["']?\s*:""", re.MULTILINE)
JOBS = re.compile(rb"""^\s+["']?jobs["']?\s*:|[{,]\s*["']?jobs["']?\s*:""", re.MULTILINE)
"""What a YAML file must say to be looked at: most files of that kind are none of ours."""

SKIPPED = frozenset({"node_modules", "__pycache__", "venv"})
"""Folders that hold other people's files. Folders whose name starts with a dot are skipped too."""


def bundle_file(folder: Path) -> Path | None:
    """The root file of the bundle in a folder."""
    return next((file for name in BUNDLE_FILES if (file := folder / name).is_file()), None)


@dataclass(frozen=True, slots=True)
class Search:
    """What was found below a folder.

    :param definitions: bundles' folders, JSON and YAML files that are jobs, in the order of the paths.
    :param looked_at: every folder that was searched, and every file that decided: a change of the answer shows in one.
    """

    definitions: tuple[Path, ...] = ()
    looked_at: tuple[str, ...] = ()


def discover(folder: Path) -> tuple[Path, ...]:
    """Every definition below a folder; see `search`."""
    return search(folder).definitions


def search(folder: Path) -> Search:
    """Look for definitions below a folder.

    Nothing below a bundle's folder is a definition of its own. A file that cannot be parsed counts, so that
    loading it says what is wrong. Each folder is searched once, however many links lead to it: by its own place where
    it is below the folder, else by the first link.
    """
    folder = folder.absolute()
    if not folder.is_dir():
        return Search(looked_at=(str(folder),))
    searcher = Searcher()
    found = list(searcher.below(folder))
    while searcher.links:
        found += searcher.below(searcher.links.pop(0))
    return Search(tuple(sorted(found)), tuple(searcher.looked_at))


@dataclass(slots=True)
class Searcher:
    """One search.

    :param seen: real paths of the folders that were searched.
    :param links: links to folders, for later.
    :param looked_at: see `Search`.
    """

    seen: set[str] = field(default_factory=set)
    links: list[Path] = field(default_factory=list)
    looked_at: list[str] = field(default_factory=list)

    def below(self, folder: Path) -> Iterator[Path]:
        """The definitions of one folder and those below it."""
        self.looked_at.append(str(folder))
        real = os.path.realpath(folder)
        if real in self.seen:
            return
        self.seen.add(real)
        try:
            with os.scandir(folder) as entries:
                found = list(entries)
        except OSError:
            return
        roots = [entry.path for entry in found if entry.name in BUNDLE_FILES]
        self.looked_at += roots
        if any(Path(root).is_file() for root in roots):
            yield folder
            return
        for entry in found:
            if not entry.name.startswith(".") and entry.name not in SKIPPED:
                yield from self.at(entry)

    def at(self, entry: os.DirEntry[str]) -> Iterator[Path]:
        """The definitions of one entry of a folder."""
        if entry.is_dir(follow_symlinks=False):
            yield from self.below(Path(entry.path))
        elif os.path.isdir(entry.path):  # noqa: PTH112  quicker; a circle of links is no folder and no error
            # A link to `/` or another folder around this one would have the whole disk searched.
            if not Path(os.path.realpath(Path(entry.path).parent)).is_relative_to(os.path.realpath(entry.path)):
                self.links.append(Path(entry.path))
        elif entry.name.lower().endswith(SUFFIXES):
            self.looked_at.append(entry.path)
            if is_definition(entry):
                yield Path(entry.path)
        elif entry.is_symlink():
            self.looked_at.append(entry.path)  # what it leads to may become a folder


def is_definition(entry: os.DirEntry[str]) -> bool:
    """Whether a JSON or YAML file is a job's, by its state on disk."""
    try:
        return entry.is_file() and looks_like_job(entry.path, state_of(entry.path))
    except OSError:
        return False


@lru_cache(maxsize=20_000)
def looks_like_job(file: str, state: State) -> bool:
    """Whether a JSON file is an object with a job's keys, or neither JSON nor rows of JSON; of YAML see `has_jobs`.

    :param state: of the file now: the answer is kept for it.
    """
    if state[3] > MAX_BYTES:
        return False
    try:
        data = Path(file).read_bytes()
    except OSError:
        return False
    if not file.lower().endswith(".json"):
        return has_jobs(data)
    try:
        return has_job_keys(json.loads(data))
    except (ValueError, RecursionError):
        return not any(is_row(line) for line in data.splitlines()[:ROWS_LOOKED_AT])


def has_jobs(data: bytes) -> bool:
    """Whether a YAML text holds `resources` with `jobs`, or looks so and cannot be read."""
    if not (RESOURCES.search(data) and JOBS.search(data)):
        return False
    from medallion.spec.bundle.yaml import parse_yaml

    try:
        tree, _ = parse_yaml(decode(data))
    except SourceError:
        return True
    jobs = tree.at("resources", "jobs")
    return jobs is not None and isinstance(jobs.value, dict)


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

"""Keeps loaded definitions in memory and on disk: a parse reads only what changed. Runs at parse and in the CLI.

An entry holds the state (times of change, size, inode) of every file that it depends on, and counts while all are the same.
On disk an entry is JSON, not pickle: reading it back runs no code, and building the models again is as fast
(0.1 ms for a job of 8 tasks). One file per definition, replaced as a whole: no lock, no index that grows with the number
of jobs.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import medallion
from medallion.core.file_states import State, is_current, state_of
from medallion.spec.definition import JobDefinition, Loaded
from medallion.spec.job import Job
from medallion.spec.problems import Problem, Severity

if TYPE_CHECKING:
    from medallion.settings import Settings

SETTLED_SECONDS = 0.05
"""A file that changed this short before it was read may change again within one tick of the disk's clock."""


class JobCache:
    """Loaded definitions by path.

    :param keeps: False writes nothing.
    :param settings: `home` holds the cache; target and user are those that bundles are loaded with.
    """

    def __init__(self, settings: Settings, *, keeps: bool = True) -> None:
        self._keeps = keeps
        self.folder = settings.home / "cache" / "definitions"
        self._given: dict[str, Any] = {
            "target": settings.bundle_target,
            "user": settings.user,
            "lookups": settings.lookups,
        }
        self._context = json.dumps([PROGRAM_STATE, self._given, bundle_environment(os.environ)])
        self._memory: dict[Path, tuple[tuple[State, ...], Loaded]] = {}

    def load(self, path: Path) -> Loaded:
        """What `loading.load` gives for a path, from the cache while nothing changed."""
        path = path.absolute()
        known = self._memory.get(path) or self._read(path)
        if known is None or not is_current(known[0]):
            known = self._load(path)
        self._memory[path] = known
        return known[1]

    def _load(self, path: Path) -> tuple[tuple[State, ...], Loaded]:
        from medallion.spec.loading import load

        started = time.time_ns()
        loaded = load(path, **self._given)
        states = tuple(state_of(file) for file in dict.fromkeys((path, *loaded.read)))
        if self._keeps and max(state[1] for state in states) < started - SETTLED_SECONDS * 1e9:
            self._write(path, states, loaded)
        return states, loaded

    def _read(self, path: Path) -> tuple[tuple[State, ...], Loaded] | None:
        entry = read_json(self._entry(path))
        try:
            if entry is None or entry["context"] != self._context or entry["path"] != str(path):
                return None
            states = tuple(
                (file, changed, entered, size, inode) for file, changed, entered, size, inode in entry["states"]
            )
            return (states, from_entry(entry["loaded"])) if is_current(states) else None
        except (LookupError, TypeError, ValueError):
            return None

    def _write(self, path: Path, states: tuple[State, ...], loaded: Loaded) -> None:
        entry = {"context": self._context, "path": str(path), "states": states, "loaded": to_entry(loaded)}
        # A home that cannot be written to must not stop a job from loading.
        with suppress(OSError):
            write_json(self._entry(path), entry)

    def _entry(self, path: Path) -> Path:
        return self.folder / f"{digest(str(path))}.json"


def digest(text: str) -> str:
    """A short name for a file that stands for a text."""
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:24]


def newest_change(folder: str) -> int:
    """When a module below the folder was last changed, ns."""
    newest = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                newest = max(newest, newest_change(entry.path))
            elif entry.name.endswith(".py"):
                newest = max(newest, entry.stat().st_mtime_ns)
    return newest


PROGRAM_STATE = f"{medallion.__version__} {sys.version_info[:3]} {newest_change(os.path.dirname(__file__))}"  # noqa: PTH120
"""Versions of this program and of Python, and the newest change of the modules that read definitions, as they are loaded."""


def bundle_environment(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """The environment variables that bundles read."""
    return sorted((name, text) for name, text in environ.items() if name.startswith(("BUNDLE_", "DATABRICKS_")))


def read_json(file: Path) -> Any:
    """The value of a cache file; None when it is missing, damaged or not this user's own."""
    try:
        with file.open("rb") as stream:
            if os.fstat(stream.fileno()).st_uid != os.getuid():
                return None
            return json.load(stream)
    except (OSError, ValueError, RecursionError):
        return None


def write_json(file: Path, value: object) -> None:
    """Replaces a cache file as a whole; only this user can read it."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=file.parent, prefix=".", suffix=".part")  # made with mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(value, stream, separators=(",", ":"))
        Path(draft).replace(file)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def to_entry(loaded: Loaded) -> dict[str, Any]:
    """A result as plain JSON."""
    return {
        "jobs": [
            [job.job.to_json(), job.key, str(job.file), str(job.root), job.deployed, job.job_id, job.target]
            for job in loaded.jobs
        ],
        "problems": [
            [p.severity.value, p.message, p.file and str(p.file), p.line, p.column, p.path, p.hint]
            for p in loaded.problems
        ],
        "resources": loaded.resources,
        "read": [str(file) for file in loaded.read],
        "artifacts": loaded.artifacts,
    }


def from_entry(entry: Mapping[str, Any]) -> Loaded:
    """The result that `to_entry` took."""
    return Loaded(
        tuple(
            JobDefinition(Job.from_json(job), key, Path(file), Path(root), deployed, job_id, target)
            for job, key, file, root, deployed, job_id, target in entry["jobs"]
        ),
        tuple(
            Problem(Severity(severity), message, Path(file) if file else None, line, column, path, hint)
            for severity, message, file, line, column, path, hint in entry["problems"]
        ),
        entry["resources"],
        tuple(Path(file) for file in entry["read"]),
        entry["artifacts"],
    )

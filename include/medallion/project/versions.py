"""Versions of jobs by content: `<home>/definitions/<ab>/<version>.json`. Runs everywhere; no Airflow, no Spark.

A run keeps the job that it was started with. What is kept of a job is resolved and checked, so a run does not look at the
user's files again, and a broken or deleted definition is the matter of later runs. The name of a version is a digest of its
content: an unchanged job is written once, and a version never changes.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from medallion.project.registry import source_path
from medallion.spec.cache import JobCache, read_json, write_json
from medallion.spec.definition import Beside, JobDefinition
from medallion.spec.job import Job

DIGITS = 20
ASKED_FOR = ("pipelines", "alerts")
"""Resources of a bundle that tasks look up when they run."""
FRESH_SECONDS = 3600.0
"""A version that was written or asked for this short ago is kept: a run of it may just be starting."""
PLAIN = tuple(item.name for item in fields(JobDefinition) if item.compare and item.name not in {"job", "file", "root"})
"""Fields of a definition that are JSON as they are."""


@dataclass(frozen=True, slots=True)
class JobVersion:
    """One job as it was at some time.

    :param name: the digest of all else.
    """

    name: str
    dag_id: str
    definition: JobDefinition


def version_of(dag_id: str, definition: JobDefinition, beside: Beside | None = None) -> JobVersion:
    """The version that a job is now.

    :param beside: what its tasks ask for of its bundle.
    """
    kept = replace(definition, beside=beside or definition.beside or Beside())
    return JobVersion(digest_of(to_json(dag_id, kept)), dag_id, kept)


def current_version(dag_id: str, definition: JobDefinition, cache: JobCache) -> JobVersion:
    """The version that a job of the project is now, with what its bundle holds beside it."""
    found = cache.load(source_path(definition.file))
    resources = {kind: found.resources[kind] for kind in ASKED_FOR if found.resources.get(kind)}
    return version_of(dag_id, definition, Beside(resources, found.artifacts))


def digest_of(content: Mapping[str, Any]) -> str:
    """The name of a content."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:DIGITS]


def digest_of_settings(job: Job) -> str:
    """A digest of a job's settings alone, as DAGs stated it before versions were kept."""
    text = json.dumps(job.to_json(), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def to_json(dag_id: str, definition: JobDefinition) -> dict[str, Any]:
    """A job as plain JSON."""
    beside = definition.beside or Beside()
    return {
        "dag_id": dag_id,
        "job": definition.job.to_json(),
        "file": str(definition.file),
        "root": str(definition.root),
        **{name: getattr(definition, name) for name in PLAIN},
        "resources": dict(beside.resources),
        "artifacts": beside.artifacts,
    }


def from_json(name: str, raw: Mapping[str, Any]) -> JobVersion:
    """The version that `to_json` took."""
    definition = JobDefinition(
        job=Job.from_json(raw["job"]),
        file=Path(raw["file"]),
        root=Path(raw["root"]),
        **{item: raw[item] for item in PLAIN},
        beside=Beside(raw["resources"], raw["artifacts"]),
    )
    return JobVersion(name, raw["dag_id"], definition)


class VersionStore:
    """The versions of a home folder."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "definitions"
        self._known: dict[str, JobVersion] = {}

    def place(self, name: str) -> Path:
        """Where a version is kept."""
        return self.folder / name[:2] / f"{name}.json"

    def put(self, version: JobVersion) -> None:
        """Keep a version; one that is there stays as it is, and counts as asked for.

        :raises OSError: the folder cannot be written.
        """
        place = self.place(version.name)
        try:
            if time.time() - place.stat().st_mtime > FRESH_SECONDS / 2:
                os.utime(place)
        except FileNotFoundError:
            write_json(place, to_json(version.dag_id, version.definition))

    def has(self, name: str) -> bool:
        """Whether a version is kept."""
        return is_name(name) and (name in self._known or self.place(name).is_file())

    def get(self, name: str | None) -> JobVersion | None:
        """A version; None when none of this name is kept."""
        if name is None or not is_name(name):
            return None
        if name not in self._known:
            raw = read_json(self.place(name))
            with suppress(LookupError, TypeError, ValueError):
                self._known[name] = from_json(name, raw)
        return self._known.get(name)

    def forget(self, keep: Collection[str], now: float | None = None) -> list[str]:
        """Delete the versions that nobody needs; gives their names.

        :param keep: those of runs, and those that jobs are now.
        """
        before = (time.time() if now is None else now) - FRESH_SECONDS
        gone = []
        for place in self.folder.glob("??/*.json"):
            with suppress(OSError):
                if place.stem not in keep and place.stat().st_mtime < before:
                    place.unlink()
                    self._known.pop(place.stem, None)
                    gone.append(place.stem)
        return sorted(gone)


def is_name(text: str) -> bool:
    """Whether a text can name a version; it is used as a file's name."""
    return len(text) == DIGITS and all(letter in "0123456789abcdef" for letter in text)

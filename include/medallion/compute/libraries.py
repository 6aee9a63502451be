"""From what a task asks for to files on this machine: recipe of its Python environment, JARs of its driver.

Runs on the worker. Paths are as on Databricks: relative to the bundle or job, `/Workspace`, `/Volumes`, `dbfs:`.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from glob import has_magic
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.compute import artifacts
from medallion.compute.archives import check_archive
from medallion.compute.environments import Recipe
from medallion.compute.paths import to_local
from medallion.spec.libraries import LibraryError
from medallion.spec.problems import did_you_mean
from medallion.spec.requirement_lines import Sources, refuse_options
from medallion.spec.source import SourceError, decode, read_bytes

if TYPE_CHECKING:
    from medallion.runtime.protocol import Places
    from medallion.settings import Settings
    from medallion.spec.libraries import Wanted

INCLUDE = re.compile(r"(-r|--requirement|-c|--constraint|-e|--editable)[ =](.+)")
PATH_LINE = re.compile(r"(?:\.{0,2}/|dbfs:|file:)\S*")
DEPTH = 10

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Shelf:
    """Where libraries of a task are looked for.

    :param root: folder that relative paths count from.
    :param built: the bundle's `artifacts`; None for a job outside bundles.
    """

    settings: Settings
    places: Places
    root: Path
    built: Mapping[str, Any] | None
    progress: Progress

    def recipe(self, wanted: Wanted) -> Recipe:
        """The recipe of the Python environment.

        :raises LibraryError: a file is missing, or a wheel could not be built.
        """
        lines = list(self.expanded(wanted.packages, self.root))
        for path in wanted.requirements:
            lines += self.included(self.local(path, self.root), 0)
        if wanted.base is not None:
            lines += self.based_on(self.local(wanted.base, self.root))
        for pattern in wanted.wheels:
            lines += [str(file) for file in self.files(pattern)]
        sources = Sources()
        packages = [line for line in dict.fromkeys(lines) if is_constraint(line) or not sources.take(line)]
        files = [file for file in map(file_of, packages) if file is not None]
        for file in files:
            check_archive(file)
        return Recipe(tuple(packages), tuple((str(file), content_of(file)) for file in files), wanted.indexes, sources)

    def expanded(self, lines: Iterable[str], folder: Path, depth: int = 0) -> Iterator[str]:
        """Requirement lines with included files put in and with local paths absolute.

        :raises LibraryError: a file is missing, or a line has an option of pip that is not taken from a job.
        """
        for raw in lines:
            line = re.sub(r"(^|\s)#.*", "", raw).strip()
            if not line:
                continue
            if found := INCLUDE.fullmatch(line):
                flag, named = found[1], found[2].strip().strip("\"'")
                if flag.startswith(("-e", "--e")) and "://" in named:
                    yield named
                    continue
                path = self.local(named, folder)
                if flag.startswith(("-r", "--r")):
                    yield from self.included(path, depth + 1)
                elif flag.startswith(("-e", "--e")):
                    yield str(existing(path))
                else:
                    yield f"-c {existing(path)}"
            elif PATH_LINE.fullmatch(line) or (line.endswith(".whl") and "://" not in line):
                yield from (str(file) for file in self.files(line, folder))
            else:
                if not Sources().take(line):
                    refuse_options(line)
                yield line

    def included(self, file: Path, depth: int) -> list[str]:
        """The lines of a requirements file."""
        if depth > DEPTH:
            raise LibraryError(f"{file}: requirements files include each other")
        text = text_of(existing(file)).replace("\\\n", " ")
        return list(self.expanded(text.splitlines(), file.parent, depth))

    def based_on(self, file: Path) -> list[str]:
        """The dependencies of a base environment, a YAML file."""
        import yaml

        told = yaml.safe_load(text_of(existing(file)))
        lines = (told or {}).get("dependencies") if isinstance(told, dict) else None
        return list(self.expanded([str(line) for line in lines or ()], file.parent))

    def local(self, path: str, folder: Path) -> Path:
        """A stated path on this machine."""
        here = to_local(path, self.places)
        return Path(here) if here.startswith("/") else folder / here

    def files(self, pattern: str, folder: Path | None = None) -> list[Path]:
        """The files of a path or pattern; what the bundle builds comes before what lies on disk.

        :raises LibraryError: there is none.
        """
        base = self.root if folder is None else folder
        path = self.local(pattern, base)
        built = [item.file for item in self.outputs if matches(item.stated, path)]
        if built:
            return built
        found = sorted(path.parent.glob(path.name)) if has_magic(str(path)) else [path]
        if found and all(file.exists() for file in found):
            return found
        there = [item.stated.name for item in self.outputs]
        there += [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        near = did_you_mean(path.name, sorted(set(there)))
        raise LibraryError(
            f"library {pattern!r} not found: looked for {path}",
            hint=near or "build it first, or let the bundle build it by an entry of artifacts",
        )

    @cached_property
    def outputs(self) -> list[artifacts.Built]:
        """What the bundle builds. Worked out when a library path is first looked for."""
        if self.built is None:
            return []
        every = artifacts.artifacts_of(self.built, self.root)
        return [item for entry in every for item in artifacts.build(entry, self.settings, self.progress)]

    def jars(self, patterns: Iterable[str]) -> list[Path]:
        """JARs as files whose names change with their content, so that a driver with an old one is not taken."""
        kept = []
        for pattern in patterns:
            for file in self.files(pattern):
                place = self.settings.cache / "jars" / "tasks" / content_of(file)[:24] / file.name
                if not place.is_file():
                    place.parent.mkdir(parents=True, exist_ok=True)
                    draft = place.with_name(f".{place.name}.part")
                    shutil.copy2(file, draft)
                    draft.replace(place)
                kept.append(place)
        return kept


def driver_conf(shelf: Shelf, wanted: Wanted) -> dict[str, str]:
    """Spark settings that bring a task's JARs and Maven coordinates to its driver; Spark's own resolver gets the latter.

    :raises LibraryError: a JAR is missing.
    """
    conf = {}
    if wanted.jars:
        conf["spark.jars"] = ",".join(file.as_uri() for file in shelf.jars(wanted.jars))
    if wanted.maven:
        conf["spark.jars.packages"] = ",".join(item.coordinates for item in wanted.maven)
        conf["spark.jars.ivy"] = str(shelf.settings.cache / "ivy")
        repositories = [item.repo for item in wanted.maven if item.repo]
        repositories += [shelf.settings.maven_repository] if shelf.settings.maven_repository else []
        excluded = [name for item in wanted.maven for name in item.exclusions or ()]
        if repositories:
            conf["spark.jars.repositories"] = ",".join(dict.fromkeys(repositories))
        if excluded:
            conf["spark.jars.excludes"] = ",".join(excluded)
    return conf


UPLOADED = ".internal"
"""The folder below `${workspace.artifact_path}` that Databricks' tool puts built files in."""


def matches(stated: Path, pattern: Path) -> bool:
    """Whether a built file is what a path or pattern names: where it is built, or where Databricks' tool puts it."""
    same = pattern.parent.name == UPLOADED or stated.parent.resolve() == pattern.parent.resolve()
    return same and Path(stated.name).match(pattern.name)


def file_of(line: str) -> Path | None:
    """The local file of a requirement line, without its extras; None for other lines."""
    text = line.removeprefix("-c ").partition("[")[0]
    return Path(text) if text.startswith("/") else None


def is_constraint(line: str) -> bool:
    """Whether a line of a recipe names a file of constraints."""
    return line.startswith("-c ")


def text_of(file: Path) -> str:
    """The text of a file of requirements.

    :raises LibraryError: it is no regular file, or no text.
    """
    try:
        return decode(read_bytes(file), file).removeprefix("\ufeff")
    except SourceError as error:
        raise LibraryError(f"{file}: {error.problem.message}", hint=error.problem.hint) from None


def existing(path: Path) -> Path:
    """:raises LibraryError: there is no such file or folder."""
    if path.exists():
        return path
    there = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    raise LibraryError(f"{path} not found", hint=did_you_mean(path.name, there))


def content_of(path: Path) -> str:
    """Digest of a file, or of the sources in a folder."""
    if path.is_dir():
        return artifacts.digest_of(artifacts.Artifact(path.name, "whl", path, None, ()))
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

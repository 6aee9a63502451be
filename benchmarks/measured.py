"""What each result measures: digests of that code go into the result, and tell when it is older than the code."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parent.parent
PACKAGE = "include/medallion"

PARSE = ("core", "spec", "project", "factory", "triggers", "settings.py")
TASK = ("core", "runtime", "compute", "settings.py")
RUN = (*PARSE, "runtime", "compute", "runs", "components")

CODE: Mapping[str, tuple[str, ...]] = {
    "auto_loader_1000000": TASK,
    "auto_loader_files_100000": TASK,
    "chain": RUN,
    "environments": ("compute",),
    "for_each": RUN,
    "for_each_1000": RUN,
    "idle": RUN,
    "notebook_start": TASK,
    "parse": PARSE,
    "pipeline_10000": RUN,
    "pipeline_1000000": RUN,
    "pipelines_task": TASK,
    "processor": (*PARSE, "components"),
    "shapes": RUN,
    "starts_burst": (*RUN, "web"),
    "starts_gaps": (*RUN, "web"),
    "statements": TASK,
    "system_tables": ("runs", "components"),
    "triggers": ("triggers", "components"),
}
"""Parts of the package by result. A result without a row is measured by the whole package."""

SUFFIXES = frozenset({".py", ".jar", ".json", ".sql"})


def code_of(name: str, package: Path = PROJECT / PACKAGE) -> dict[str, str]:
    """A digest of each part of the package that a result measures, as the files are now."""
    parts = CODE.get(name) or parts_of(package)
    return {part: digest_of(package / part) for part in parts}


def parts_of(package: Path = PROJECT / PACKAGE) -> list[str]:
    """Every part of the package."""
    return sorted(item.name for item in package.iterdir() if is_part(item))


def is_part(place: Path) -> bool:
    """Whether a file or folder of the package is code."""
    return place.suffix in SUFFIXES or (place.is_dir() and place.name != "__pycache__")


def digest_of(place: Path) -> str:
    """A digest of the texts of a file or of all below a folder."""
    found = hashlib.sha256()
    for file in files_of(place):
        found.update(f"{file.relative_to(place.parent)}\0".encode() + file.read_bytes() + b"\0")
    return found.hexdigest()[:12]


def files_of(place: Path) -> Iterable[Path]:
    """The files of code, in an order that is always the same."""
    if place.is_file():
        return [place]
    return sorted(file for file in place.rglob("*") if file.suffix in SUFFIXES and file.is_file())


def changed(name: str, result: Mapping[str, Any]) -> list[str]:
    """The parts of the package that are not as they were when a result was measured; all of a result without digests."""
    then = result.get("code")
    then = then if isinstance(then, dict) else {}
    return [part for part, digest in code_of(name).items() if then.get(part) != digest]

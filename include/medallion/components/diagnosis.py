"""What this machine has and lacks to run jobs, and how to get it. In the user's shell; starts nothing."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.components.deployment import other_database
from medallion.components.places import places_of
from medallion.components.ports import holder, is_free
from medallion.components.record import Record
from medallion.core.databases import DAMAGED, damage, kept_aside
from medallion.errors import MedallionError

if TYPE_CHECKING:
    from medallion.settings import Settings

GIB = 1024**3
LEAST_PYTHON = (3, 11)
LEAST_DISK = 5 * GIB
"""pyspark, Java and Airflow take 2 GiB, the JVM's class archive 0.2, the rest is for tables."""
LEAST_MEMORY = 4 * GIB
"""Airflow's components take about 1 GiB, a driver with the default 2 GiB heap up to 2.5."""


class Verdict(StrEnum):
    """How a matter stands. `missing` keeps jobs from running."""

    OK = "ok"
    WARNING = "warning"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of `medallion doctor`.

    :param remedy: what to do; empty when all is well.
    """

    matter: str
    verdict: Verdict
    found: str
    remedy: str = ""

    def as_json(self) -> dict[str, Any]:
        """The row as JSON."""
        return asdict(self)


def ok(matter: str, found: str) -> Finding:
    """All is well."""
    return Finding(matter, Verdict.OK, found)


def examine(settings: Settings) -> Iterator[Finding]:
    """Every finding, in the order in which a newcomer needs them. One that breaks is a finding too."""
    for matter, look in CHECKS.items():
        try:
            yield from look(settings)
        except (MedallionError, OSError) as error:
            yield Finding(matter, Verdict.MISSING, str(error), getattr(error, "hint", None) or "")


def python(_: Settings) -> Iterator[Finding]:
    """Python's version."""
    version = sys.version.split()[0]
    if sys.version_info[:2] >= LEAST_PYTHON:
        yield ok("Python", f"{version} at {sys.executable}")
    else:
        yield Finding("Python", Verdict.MISSING, version, "install Python 3.11 or later and make the environment again")


def packages(_: Settings) -> Iterator[Finding]:
    """The packages that only run time needs."""
    from importlib import metadata

    for name in ("apache-airflow", "pyspark", "delta-spark"):
        try:
            yield ok(name, metadata.version(name))
        except metadata.PackageNotFoundError:
            yield Finding(name, Verdict.MISSING, "not installed", f"{Path(sys.executable).name} -m pip install {name}")


def java(settings: Settings) -> Iterator[Finding]:
    """A Java runtime that Spark can use."""
    from medallion.compute.java import find_java

    found = find_java(settings.java_home)
    yield ok("Java", f"{found.version} at {found.home} ({found.origin})")


def jars(settings: Settings) -> Iterator[Finding]:
    """Delta's JARs."""
    from medallion.compute.jars import PINNED, jars_folder, missing_jars

    lacking = missing_jars(settings)
    if lacking:
        names = ", ".join(jar.file for jar in lacking)
        yield Finding("JARs", Verdict.MISSING, f"{len(lacking)} of {len(PINNED)}: {names}", "medallion doctor --fetch")
    else:
        yield ok("JARs", f"{len(PINNED)} in {jars_folder(settings)}")


def disk(settings: Settings) -> Iterator[Finding]:
    """Free space where the lake is."""
    folder = nearest(settings.home)
    free = shutil.disk_usage(folder).free
    told = f"{free / GIB:.1f} GiB free at {folder}"
    if free >= LEAST_DISK:
        yield ok("Disk", told)
    else:
        yield Finding("Disk", Verdict.WARNING, told, "make room, or set `home` to a folder on another disk")


def memory(settings: Settings) -> Iterator[Finding]:
    """Memory that is free now."""
    import psutil

    free = psutil.virtual_memory().available
    told = f"{free / GIB:.1f} GiB available"
    if free >= LEAST_MEMORY:
        yield ok("Memory", told)
    else:
        heap = settings.targets["default"].memory
        yield Finding("Memory", Verdict.WARNING, told, f"close programs, or lower targets.default.memory (now {heap})")


def home(settings: Settings) -> Iterator[Finding]:
    """The folder of all state."""
    folder = nearest(settings.home)
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        remedy = "set `home` in medallion.toml, or MEDALLION_HOME, to a folder that can be written"
        yield Finding("Home", Verdict.MISSING, f"{folder} cannot be written", remedy)
    else:
        yield ok("Home", str(settings.home) + ("" if settings.home.exists() else " (made at the first run)"))


def jobs_folder(settings: Settings) -> Iterator[Finding]:
    """The jobs folder and whether its files load."""
    folder = settings.jobs_folder
    if not folder.is_dir():
        yield Finding(
            "Jobs", Verdict.WARNING, f"no folder {folder}", "make it, or set `jobs_folder`; see `medallion settings`"
        )
        return
    from medallion.components.jobs import find, read

    found = read(settings, find(settings, []), target=None, variables={})
    wrong = sum(len(entry.loaded.errors) for entry in found)
    told = f"{sum(len(entry.loaded.jobs) for entry in found)} jobs in {folder}"
    if wrong:
        yield Finding("Jobs", Verdict.WARNING, f"{told}, {wrong} errors", "medallion check")
    else:
        yield ok("Jobs", told)


def dags(settings: Settings) -> Iterator[Finding]:
    """The file that makes DAGs of jobs."""
    from medallion.components.places import shipped

    folder = shipped("dags", settings.project)
    if any(folder.glob("*.py")):
        yield ok("DAG file", str(folder))
    else:
        yield Finding("DAG file", Verdict.MISSING, f"no DAG file in {folder}", "install medallion-airflow again")


def database(settings: Settings) -> Iterator[Finding]:
    """Airflow's database, when it is the SQLite file of this home."""
    if other := other_database(places_of(settings), os.environ):
        told = f"another deployment's, set by {other}"
        if settings.api_url:
            yield ok("Database", f"{told}; runs are asked of {settings.api_url}")
        else:
            yield Finding(
                "Database",
                Verdict.WARNING,
                f"{told}; no command runs there",
                f"set MEDALLION_API_URL to the address of its API server, or take {other} away",
            )
        return
    file = places_of(settings).database
    if not file.is_file():
        yield ok("Database", f"{file} (made at the first run)")
        return
    try:
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
            state = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        state = str(error)
    if state == "ok":
        yield ok("Database", f"{file}, {file.stat().st_size / 1024**2:.1f} MiB")
    else:
        yield Finding(
            "Database",
            Verdict.MISSING,
            f"{file}: {state}",
            f"medallion down, then move {file.name} away: runs are lost, tables are not",
        )


def small_files(settings: Settings) -> Iterator[Finding]:
    """Our own small databases, and what was kept aside because it was damaged."""
    places = [
        *sorted((settings.home / "jobs_service").glob("*.db")),
        settings.home / "notifications" / "outbox.db",
        settings.home / "triggers" / "state.db",
    ]
    wrong = [f"{place.relative_to(settings.home)}: {told}" for place in places if (told := damage(place))]
    kept = [file for name in ("jobs_service", "notifications", "triggers") for file in kept_aside(settings.home / name)]
    kept += sorted((settings.home / "runs").glob(f"*/*/run.json{DAMAGED}*"))
    if wrong:
        remedy = "medallion down, then medallion up: it is kept aside and made anew"
        yield Finding("State files", Verdict.WARNING, "; ".join(wrong), remedy)
    if kept:
        told = f"damaged, and kept aside: {', '.join(str(file) for file in kept[:5])}"
        yield Finding("State files", Verdict.WARNING, told, "remove them when nobody needs them")
    if not wrong and not kept:
        yield ok("State files", "whole")


def port(settings: Settings) -> Iterator[Finding]:
    """The UI's port."""
    record = Record.read(places_of(settings).record)
    if record is not None and record.supervisor.alive:
        yield ok("Port", f"Airflow is up at {record.url}")
    elif is_free(settings.host, settings.port):
        yield ok("Port", f"{settings.host}:{settings.port} is free")
    else:
        who = holder(settings.port) or "another user's process"
        yield Finding(
            "Port", Verdict.WARNING, f"{settings.port} is taken by {who}", "medallion up --port N, or set `port`"
        )


def processes(settings: Settings) -> Iterator[Finding]:
    """Processes of ours that nobody looks after any more."""
    record = Record.read(places_of(settings).record)
    if record is None or record.supervisor.alive:
        yield ok("Processes", "none is left over")
        return
    left = [f"{name} ({identity.pid})" for name, identity in record.components.items() if identity.alive]
    told = f"left over: {', '.join(left)}" if left else "a record of an earlier start is left"
    yield Finding("Processes", Verdict.WARNING, told, "medallion down")


def nearest(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next((item for item in (folder, *folder.parents) if item.exists()), folder)


CHECKS: dict[str, Callable[[Settings], Iterator[Finding]]] = {
    "Python": python,
    "Packages": packages,
    "Java": java,
    "JARs": jars,
    "Disk": disk,
    "Memory": memory,
    "Home": home,
    "Jobs": jobs_folder,
    "DAG file": dags,
    "Database": database,
    "State files": small_files,
    "Port": port,
    "Processes": processes,
}

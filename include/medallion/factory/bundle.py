"""The jobs folder as an Airflow DAG bundle: one small DAG file per definition. Runs in the dag processor and on workers.

Why not one DAG file for all jobs: Airflow reports import errors by file and parses by file. With a file for each
definition a wrong job has an import error of its own, and a changed one is parsed alone; `refresh` rewrites the DAG file
of a definition when that changes, and Airflow parses a file that changed at once. Definitions beyond `ALONE` share DAG
files of `SHARD` each, because Airflow starts a process for every file that it parses.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow.dag_processing.bundles.base import BaseDagBundle, BundleVersion

from medallion.compute.processes import draft_of
from medallion.core.file_states import Snapshot, state_of
from medallion.core.garbage import collection_paused
from medallion.factory.version_dags import (
    Going,
    folder_of_names,
    folder_of_version,
    gone_files,
    keep_names,
    look_at_runs,
)
from medallion.project.registry import JobRegistry, environment_of_jobs
from medallion.project.versions import VersionStore
from medallion.settings import Settings
from medallion.spec.definition import Loaded

log = logging.getLogger(__name__)

ALONE = 40
SHARD = 25
LONGEST_NAME = 160
"""Bytes of a definition's path that the name of its DAG file shows; a name has 255 at most."""

FILE = '''"""Airflow DAGs, written by Medallion from the jobs folder; edits are lost. State: {state}"""

# {title}

from pathlib import Path

from airflow.sdk import get_parsing_context

from medallion.factory.dagfile import load_into

load_into(globals(), project=Path({project!r}), only=get_parsing_context().dag_id, paths={paths!r})
'''


class JobsDagBundle(BaseDagBundle):
    """DAG files for the definitions of a project.

    :param project: the project folder; found as the command line finds it when absent.
    """

    supports_versioning = True

    def __init__(self, *, project: str | None = None, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._settings = Settings.load(Path(project) if project else None)
        self._seen: Seen | None = None
        self._version: tuple[Snapshot, str] | None = None

    @property
    def path(self) -> Path:
        """The folder of the DAG files: `<home>/dags`, or that of the version of a job that a run keeps."""
        return self.versions_dir / str(self.version) / "dags" if self.is_pinned else self.living

    @property
    def living(self) -> Path:
        """The folder of the DAG files of the jobs as they are now."""
        return self._settings.home / "dags"

    @property
    def is_pinned(self) -> bool:
        """Whether this is asked for by a run that keeps its job. The version of the whole bundle is none of a job."""
        return self.version is not None and VersionStore(self._settings.home).has(self.version)

    def initialize(self) -> None:
        """Make what a task's process needs: it comes here too, so no more than that."""
        if self.is_pinned:
            self.keep_names()
            folder_of_version(self._settings, self.versions_dir, str(self.version))
        elif not self.living.is_dir():
            with self.lock():
                write_dag_files(self._settings, self.living)
        super().initialize()

    def keep_names(self) -> None:
        """Have a DAG file of versions for each name. `refresh` has written them."""

    def refresh(self) -> None:
        """Write DAG files of new and changed definitions, remove those of removed ones. Unchanged ones stay untouched.

        A job that no definition gives any more, or a wrong one, keeps a DAG while runs of it go on. While nothing changes it
        costs a look at the state of each file and folder that the last refresh looked at.
        """
        from airflow.utils.session import create_session

        with create_session() as session:
            going = look_at_runs(session, self.name, self._settings.home)
        given = (going, *environment_of_jobs(os.environ))
        if self._seen and self._seen.given == given and self._seen.files.is_current():
            return
        started = time.time_ns()
        with self.lock():
            looked_at = write_dag_files(self._settings, self.living, going)
        self._seen = None if looked_at is None else Seen(given, Snapshot.take(looked_at, started))

    def get_current_version(self) -> BundleVersion:
        """What the DAG files are now, as a digest. A run gets the version of its job in its place (`runs.job_versions`).

        Airflow looks for new and removed files when it changes.
        """
        if self.version is not None:
            return BundleVersion(self.version)
        if self._version is None or not self._version[0].is_current():
            started, places = time.time_ns(), sorted(self.living.glob("*.py"))
            name = f"files-{digest_of(places)}"
            self._version = Snapshot.take((self.living, *places), started), name
        return BundleVersion(self._version[1])


@dataclass(frozen=True, slots=True)
class Seen:
    """What a refresh went by.

    :param given: the runs that go on, and the environment.
    :param files: every file and folder that it looked at.
    """

    given: tuple[object, ...]
    files: Snapshot


class RunDagBundle(JobsDagBundle):
    """The DAG files of a run in a process of its own.

    :param path: their folder.
    """

    def __init__(self, *, path: str, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._folder = Path(path)

    @property
    def living(self) -> Path:
        """The folder that was given."""
        return self._folder

    def keep_names(self) -> None:
        """The names of the files in the folder, which nobody refreshes."""
        keep_names(self._settings, [place.name for place in self._folder.glob("*.py")])

    def refresh(self) -> None:
        """Nothing: who starts the run writes them."""


def digest_of(places: Iterable[Path]) -> str:
    """A digest of files' names and texts."""
    found = hashlib.sha256()
    for place in places:
        found.update(f"{place.name}\0{place.read_text(encoding='utf-8')}\0".encode())
    return found.hexdigest()[:16]


def write_dag_files(settings: Settings, folder: Path, going: Going | None = None) -> list[Path | str] | None:
    """Bring the DAG files in `folder` in line with the definitions.

    :param going: what goes on: jobs with runs keep a DAG though their definition is gone or wrong.
    :returns: every file and folder that was looked at: while none of them changes, this would write nothing. None when a
        file could not be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    going = going or Going()
    wanted, ids, looked_at = dag_files(settings)
    known = {dag_id for name, dag_ids in ids.items() if name not in going.wrong for dag_id in dag_ids}
    wanted |= gone_files(settings, {key: name for key, name in going.versions.items() if key not in known})
    keep_names(settings, wanted)
    whole = True
    for name, text in wanted.items():
        place = folder / name
        if not place.is_file() or place.read_text(encoding="utf-8") != text:
            whole &= write_dag_file(place, text)
    for place in folder.glob("*.py"):
        if place.name not in wanted:
            place.unlink(missing_ok=True)
    written = (place / name for place in (folder, folder_of_names(settings)) for name in ("", *wanted))
    versions = (VersionStore(settings.home).place(name) for name in going.versions.values())
    return [*looked_at, *written, *versions] if whole else None


def write_dag_file(place: Path, text: str) -> bool:
    """Replace one DAG file; one that cannot be written is told in the log and hurts no other. Whether it was written."""
    draft = draft_of(place, hidden=True)
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(place)
    except (OSError, ValueError) as error:
        log.error("DAG file %s is left out: %s", ascii(place.name), error)
        return False
    return True


def dag_files(settings: Settings) -> tuple[dict[str, str], dict[str, set[str]], list[Path | str]]:
    """The text of every DAG file, and the ids of its DAGs, by its name; and every file and folder that decided."""
    registry = JobRegistry(settings)
    search = registry.search()
    with collection_paused():
        loaded = {path: registry.cache.load(path) for path in search.definitions}
    jobs = registry.by_ids([job for item in loaded.values() for job in item.jobs])
    of_file: dict[Path, list[str]] = {}
    for dag_id, job in jobs.items():
        of_file.setdefault(job.file, []).append(dag_id)
    groups: dict[str, list[Path]] = {}
    shards = max(len(loaded) // SHARD, 1)
    for path, item in loaded.items():
        name = relative(path, settings.jobs_folder)
        alone = len(loaded) <= ALONE or item.errors
        key = file_name(name) if alone else f"shard_{number_of(name) % shards:03d}.py"
        groups.setdefault(key, []).append(path)
    ids = {path: ids_of(item, of_file) for path, item in loaded.items()}
    states = {path: state(path, item, ids[path]) for path, item in loaded.items()}
    texts = {key: file_text(settings, members, states) for key, members in groups.items()}
    good = {key: [path for path in members if not loaded[path].errors] for key, members in groups.items()}
    looked_at: list[Path | str] = [*search.looked_at, *loaded, registry.ledger.file]
    looked_at += [file for item in loaded.values() for file in item.read]
    ids_of_files = {key: {dag_id for path in members for dag_id in ids[path]} for key, members in good.items()}
    return texts, ids_of_files, looked_at


def ids_of(loaded: Loaded, of_file: Mapping[Path, list[str]]) -> list[str]:
    """The ids of a definition's DAGs."""
    return [dag_id for file in dict.fromkeys(job.file for job in loaded.jobs) for dag_id in of_file.get(file, ())]


def state(path: Path, loaded: Loaded, dag_ids: list[str]) -> str:
    """What decides a definition's DAGs: their ids, and what it was read from."""
    return repr([dag_ids, *(state_of(file) for file in loaded.read or (path,))])


def file_text(settings: Settings, paths: list[Path], states: Mapping[Path, str]) -> str:
    """The text of one DAG file. It changes exactly when one of its definitions does."""
    names = [relative(path, settings.jobs_folder) for path in paths]
    state = hashlib.sha256("".join(states[path] for path in paths).encode()).hexdigest()[:16]
    # A file's name is data: ascii() leaves neither a line's end nor a character that is no text.
    title = ascii(names[0]) if len(names) == 1 else f"{len(names)} definitions"
    return FILE.format(title=title, state=state, project=str(settings.project), paths=[str(path) for path in paths])


def relative(path: Path, base: Path) -> str:
    """The path below the jobs folder, or the whole path of a definition elsewhere."""
    return str(path.relative_to(base)) if path.is_relative_to(base) else str(path)


def file_name(name: str) -> str:
    """A DAG file's name: readable, and different for every definition."""
    plain = "".join(letter if letter.isalnum() else "_" for letter in name).strip("_")
    short = plain.encode()[:LONGEST_NAME].decode(errors="ignore")
    return f"{short}_{number_of(name):08x}.py"


def number_of(name: str) -> int:
    """A number that tells a definition by its path, whose bytes need not be text."""
    return zlib.crc32(os.fsencode(name))

"""The jobs folder as an Airflow DAG bundle: one small DAG file per definition. Runs in the dag processor and on workers.

Why not one DAG file for all jobs: Airflow reports import errors by file and parses by file. With a file for each
definition a wrong job has an import error of its own, and a changed one is parsed alone; `refresh` rewrites the DAG file
of a definition when that changes, and Airflow parses a file that changed at once. Definitions beyond `ALONE` share DAG
files of `SHARD` each, because Airflow starts a process for every file that it parses.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow.dag_processing.bundles.base import BaseDagBundle

from medallion.factory import naming
from medallion.factory.jobs import sources
from medallion.runs.lineage import lineage_file
from medallion.settings import Settings
from medallion.spec.cache import JobCache, state_of

ALONE = 40
SHARD = 25

FILE = '''"""{title}

Written by Medallion from the jobs folder; edits are lost. State: {state}
"""

from pathlib import Path

from airflow.sdk import get_parsing_context

from medallion.factory.dagfile import load_into

load_into(globals(), project=Path({project!r}), only=get_parsing_context().dag_id, paths={paths!r})
'''


class JobsDagBundle(BaseDagBundle):
    """DAG files for the definitions of a project.

    :param project: the project folder; found as the command line finds it when absent.
    """

    supports_versioning = False

    def __init__(self, *, project: str | None = None, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._settings = Settings.load(Path(project) if project else None)

    @property
    def path(self) -> Path:
        """The folder of the DAG files, `<home>/dags`."""
        return self._settings.home / "dags"

    def initialize(self) -> None:
        """Write the DAG files when there are none yet. A task process comes here too, so no more than that."""
        if not self.path.is_dir():
            self.refresh()
        super().initialize()

    def refresh(self) -> None:
        """Write DAG files of new and changed definitions, remove those of removed ones. Unchanged ones stay untouched."""
        with self.lock():
            write_dag_files(self._settings, self.path)

    def get_current_version(self) -> None:
        """Files on disk have no versions."""
        return


def write_dag_files(settings: Settings, folder: Path) -> None:
    """Bring the DAG files in `folder` in line with the definitions."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = dag_files(settings)
    for name, text in wanted.items():
        place = folder / name
        if not place.is_file() or place.read_text(encoding="utf-8") != text:
            draft = folder / f".{name}.part"
            draft.write_text(text, encoding="utf-8")
            draft.replace(place)
    for place in folder.glob("*.py"):
        if place.name not in wanted:
            place.unlink(missing_ok=True)


def dag_files(settings: Settings) -> dict[str, str]:
    """Name and text of every DAG file."""
    cache = JobCache(settings, naming.dag_id)
    paths = sources(settings)
    groups: dict[str, list[Path]] = {}
    shards = max(len(paths) // SHARD, 1)
    for path in paths:
        name = relative(path, settings.jobs_folder)
        alone = len(paths) <= ALONE or cache.load(path).errors
        key = file_name(name) if alone else f"shard_{zlib.crc32(name.encode()) % shards:03d}.py"
        groups.setdefault(key, []).append(path)
    states = {path: repr([state_of(file) for file in files_of(settings, cache, path)]) for path in paths}
    return {key: file_text(settings, members, states) for key, members in groups.items()}


def files_of(settings: Settings, cache: JobCache, path: Path) -> list[Path]:
    """The files that decide a definition's DAGs: what it was read from, and the lineage that runs of its jobs showed."""
    loaded = cache.load(path)
    dag_ids = [naming.dag_id(naming.job_name(item.job.name)) for item in loaded.jobs]
    return [*(loaded.read or (path,)), *(lineage_file(settings.home, dag_id) for dag_id in dag_ids)]


def file_text(settings: Settings, paths: list[Path], states: Mapping[Path, str]) -> str:
    """The text of one DAG file. It changes exactly when one of its definitions does."""
    names = [relative(path, settings.jobs_folder) for path in paths]
    state = hashlib.sha256("".join(states[path] for path in paths).encode()).hexdigest()[:16]
    title = f"Airflow DAGs of {names[0]}." if len(names) == 1 else f"Airflow DAGs of {len(names)} definitions."
    return FILE.format(title=title, state=state, project=str(settings.project), paths=[str(path) for path in paths])


def relative(path: Path, base: Path) -> str:
    """The path below the jobs folder, or the whole path of a definition elsewhere."""
    return str(path.relative_to(base)) if path.is_relative_to(base) else str(path)


def file_name(name: str) -> str:
    """A DAG file's name: readable, and different for every definition."""
    plain = "".join(letter if letter.isalnum() else "_" for letter in name).strip("_")
    return f"{plain[:80]}_{zlib.crc32(name.encode()):08x}.py"

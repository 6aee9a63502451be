"""DAG files of versions: for the tasks of runs that keep their job, and for jobs that are gone while runs go on.

A task's process gets the version of its run and the name of the DAG file of its job. That name may have changed since, so
every name that was ever used has a file in `<home>/dags_of_versions`, and all of these are the same: they build the DAG of
the version that the folder's path names. Runs in the dag processor and in task processes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from medallion.compute.processes import draft_of
from medallion.project.naming import gone_file
from medallion.project.versions import VersionStore

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from medallion.settings import Settings

OF_VERSION = '''"""The DAG of a run by the job as it was for the run. Written by Medallion; edits are lost."""

from pathlib import Path

from medallion.factory.dagfile import load_version

load_version(globals(), project=Path({project!r}), version=Path(__file__).parent.parent.name)
'''

OF_GONE_JOB = '''"""The DAG of {dag_id}, whose definition is gone or wrong while runs of it go on.

Written by Medallion; edits are lost.
"""

from pathlib import Path

from airflow.sdk import DAG

from medallion.factory.dagfile import load_version

load_version(globals(), project=Path({project!r}), version={version!r}, over=True)
'''


def folder_of_names(settings: Settings) -> Path:
    """The folder with a file for each name of a DAG file."""
    return settings.home / "dags_of_versions"


def keep_names(settings: Settings, names: Iterable[str]) -> None:
    """Have a file for each name."""
    folder = folder_of_names(settings)
    folder.mkdir(parents=True, exist_ok=True)
    text = OF_VERSION.format(project=str(settings.project))
    for name in names:
        place = folder / name
        if not place.is_file() or place.read_text(encoding="utf-8") != text:
            draft = draft_of(place, hidden=True)
            draft.write_text(text, encoding="utf-8")
            draft.replace(place)


def folder_of_version(settings: Settings, below: Path, version: str) -> Path:
    """The folder of a version's DAG files: `<below>/<version>/dags`, which leads to the files of all names."""
    folder = below / version / "dags"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            folder.symlink_to(folder_of_names(settings), target_is_directory=True)
    return folder


@dataclass(frozen=True, slots=True)
class Going:
    """What goes on in a bundle, for those who write its DAG files.

    :param versions: the jobs with runs that go on, and the version of the newest of these runs.
    :param wrong: names of the DAG files that Airflow could not import.
    """

    versions: Mapping[str, str] = field(default_factory=dict)
    wrong: frozenset[str] = frozenset()


def look_at_runs(session: Session, bundle: str, home: Path) -> Going:
    """What goes on in a bundle now."""
    from airflow.models.dag import DagModel
    from airflow.models.dagrun import DagRun
    from airflow.models.errors import ParseImportError
    from sqlalchemy import select

    from medallion.runs.job_versions import job_version_of

    query = select(DagRun).join(DagModel, DagModel.dag_id == DagRun.dag_id)
    query = query.where(DagRun.state.in_(("queued", "running")), DagModel.bundle_name == bundle)
    found: dict[str, str] = {}
    for run in session.scalars(query.order_by(DagRun.id)):
        version = job_version_of(session, run, home)
        if version is not None:
            found[run.dag_id] = version.name
    wrong = select(ParseImportError.filename).where(ParseImportError.bundle_name == bundle) if found else None
    return Going(found, frozenset(str(name) for name in session.scalars(wrong)) if wrong is not None else frozenset())


def gone_files(settings: Settings, versions: Mapping[str, str]) -> dict[str, str]:
    """Name and text of the DAG files of jobs that are gone.

    :param versions: their DAG ids and versions.
    """
    store = VersionStore(settings.home)
    return {
        gone_file(dag_id): OF_GONE_JOB.format(dag_id=dag_id, project=str(settings.project), version=version)
        for dag_id, version in versions.items()
        if store.has(version)
    }

"""Which version of its job a run has. Runs in the scheduler, the API server, the jobs service and a run's own process.

Each version of a DAG that Airflow serialised names the version of the job that it was built from. A run is pinned to that
one when it starts: Airflow keeps its tasks and edges, and hands the name to each task's process as the version of the DAG
bundle. A repair pins the run anew. Who tells of a run asks here and never the definition as it is now.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Callable, Collection, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from medallion.project.versions import JobVersion, VersionStore, digest_of_settings, version_of

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from sqlalchemy.orm import Session

    from medallion.settings import Settings
    from medallion.spec.definition import JobDefinition

STATED = re.compile(r"\*\*Version\*\*: `([0-9a-f]+)`")
OLD_DIGEST = re.compile(r"\*\*Digest\*\*: `([0-9a-f]+)`")
"""What DAGs of homes before versions were kept have: a digest of the job's settings alone."""


@cache
def store_of(home: Path) -> VersionStore:
    """The versions of a home folder; what was read once is kept in memory."""
    return VersionStore(home)


def pin(session: Session, run: DagRun, home: Path, *, versioned: bool = False) -> JobVersion | None:
    """Tie a run to the version of the job that its DAG was built from; gives it.

    :param versioned: the run's bundle knows versions; else only where Airflow has noted one for the run.
    """
    if not (versioned or run.bundle_version):
        return None
    found = store_of(home).get(stated_in(session, run.created_dag_version_id))
    if found is not None and run.bundle_version != found.name:
        run.bundle_version = found.name
    return found


def job_version_of(session: Session, run: DagRun, home: Path) -> JobVersion | None:
    """The version of its job that a run has; None for one of which nothing is kept."""
    store = store_of(home)
    found = store.get(run.bundle_version)
    if found is not None:
        return found
    dag_version = newest_dag_version(session, run)
    return store.get(stated_in(session, dag_version)) or unchanged_since(session, run, dag_version, home)


def definition_of_run(session: Session, run: DagRun, home: Path) -> JobDefinition | None:
    """The job as it was for a run; None where nothing is kept of it. The one place that tells it."""
    found = job_version_of(session, run, home)
    return found.definition if found is not None else None


def newest_dag_version(session: Session, run: DagRun) -> Any:
    """The version of the DAG that a run has now: what a run without a pinned one last went on with."""
    from airflow.models.dag_version import DagVersion
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy import select

    if run.bundle_version and run.created_dag_version_id:
        return run.created_dag_version_id
    query = select(DagVersion.id).join(TaskInstance, TaskInstance.dag_version_id == DagVersion.id)
    query = query.where(TaskInstance.dag_id == run.dag_id, TaskInstance.run_id == run.run_id)
    found = session.scalar(query.order_by(DagVersion.version_number.desc()).limit(1))
    return found or run.created_dag_version_id


def version_before_clear(session: Session, run: DagRun, home: Path) -> JobVersion | None:
    """The version that a run had before Airflow cleared tasks of it: that of the cleared attempts."""
    from airflow.models.dag_version import DagVersion
    from airflow.models.taskinstancehistory import TaskInstanceHistory
    from sqlalchemy import select

    query = select(DagVersion.id).join(TaskInstanceHistory, TaskInstanceHistory.dag_version_id == DagVersion.id)
    query = query.where(TaskInstanceHistory.dag_id == run.dag_id, TaskInstanceHistory.run_id == run.run_id)
    dag_version = session.scalar(query.order_by(DagVersion.version_number.desc()).limit(1))
    return store_of(home).get(stated_in(session, dag_version))


def document_of(session: Session, dag_version: Any) -> str:
    """The text of a version of a DAG, which names the job's version; empty when that is gone."""
    from airflow.models.serialized_dag import SerializedDagModel
    from sqlalchemy import select

    if dag_version is None:
        return ""
    row = session.scalar(select(SerializedDagModel).where(SerializedDagModel.dag_version_id == dag_version))
    data: Any = row.data if row is not None else None
    return str((data or {}).get("dag", {}).get("doc_md") or "")


def stated_in(session: Session, dag_version: Any) -> str | None:
    """The name of the job's version that a version of the DAG was built from."""
    found = STATED.findall(document_of(session, dag_version))
    return found[-1] if found else None  # a description, which stands before it, may have such words too


def unchanged_since(session: Session, run: DagRun, dag_version: Any, home: Path) -> JobVersion | None:
    """The job as it is now, where its digest says that a run from before versions were kept had the same one."""
    from medallion.project.projects import settings_of_dag
    from medallion.runs.definitions import Definitions

    found = OLD_DIGEST.search(document_of(session, dag_version))
    if found is None:
        return None
    now = Definitions(settings_of_dag(run.dag_id)).of(run.dag_id)
    if now is None or digest_of_settings(now.job) != found[1]:
        return None
    same = version_of(run.dag_id, now)
    store_of(home).put(same)
    return same


def job_of_look(settings: Settings) -> Callable[[Mapping[str, Any]], JobDefinition | None]:
    """What tells the job of the run that a look of the jobs service saw.

    A look from before versions were kept names none; it is told by the job as it is now.
    """
    from medallion.runs.definitions import Definitions

    store, definitions = store_of(settings.home), Definitions(settings)

    def look_up(look: Mapping[str, Any]) -> JobDefinition | None:
        if "version" not in look:
            return definitions.of(str(look["snapshot"]["dag_id"]))
        found = store.get(look["version"])
        return found.definition if found is not None else None

    return look_up


def versions_in_use(session: Session, home: Path) -> set[str]:
    """The names of the versions that runs have, or had before a repair."""
    from airflow.models.dagrun import DagRun
    from sqlalchemy import select

    from medallion.runs.notes import read_notes

    known, used = names(store_of(home)), set()
    pairs = select(DagRun.bundle_version, DagRun.created_dag_version_id).distinct()
    for name, dag_version in session.execute(pairs):
        used.add(str(name if name in known else stated_in(session, dag_version)))
    repaired = session.execute(select(DagRun.dag_id, DagRun.run_id).where(DagRun.clear_number > 0))
    for dag_id, run_id in repaired:
        notes = read_notes(home, dag_id, run_id)
        parts = [notes.get("original") or {}, *(notes.get("repairs") or ())]
        used |= {str(part["version"]) for part in parts if part.get("version")}
    return used


def names(store: VersionStore) -> set[str]:
    """All versions that are kept."""
    return {place.stem for place in store.folder.glob("??/*.json")}


def versions_in_file(database: Path) -> set[str]:
    """The names of the versions of the runs in another SQLite database of this home; none when there is no such file."""
    if not database.is_file():
        return set()
    with contextlib.closing(sqlite3.connect(f"file:{quote(str(database))}?mode=ro", uri=True, timeout=5)) as found:
        rows = found.execute("SELECT DISTINCT bundle_version FROM dag_run WHERE bundle_version IS NOT NULL")
        return {str(name) for (name,) in rows}


def latest_versions(session: Session, known: Collection[str]) -> set[str]:
    """The names of the versions that Airflow has last read of jobs.

    :param known: DAG ids that are not asked for.
    """
    from airflow.models.dag_version import DagVersion
    from sqlalchemy import func, select

    newest = select(DagVersion.dag_id, func.max(DagVersion.version_number)).group_by(DagVersion.dag_id)
    found = set()
    for dag_id, number in session.execute(newest):
        if dag_id not in known:
            one = select(DagVersion.id).where(DagVersion.dag_id == dag_id, DagVersion.version_number == number)
            found.add(stated_in(session, session.scalar(one)))
    return {name for name in found if name}

"""What a DAG file of ours does when Airflow reads it. Runs at parse time."""

from __future__ import annotations

import logging
import os
import re
import zlib
from collections.abc import Iterable, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from airflow.sdk import DAG

from medallion.core.garbage import collection_paused
from medallion.core.text import storable
from medallion.errors import RunError, SettingsError
from medallion.factory.jobs import BrokenJobsError, collect
from medallion.project.naming import BROKEN
from medallion.project.projects import is_named, keep, project_here, project_of, taken
from medallion.project.versions import VersionStore
from medallion.settings import ENVIRONMENT_PREFIX, FILE_NAME, PROJECT_VARIABLE, Settings
from medallion.spec.problems import Problem, Severity

log = logging.getLogger(__name__)


def load_into(
    namespace: MutableMapping[str, Any],
    *,
    project: Path | None = None,
    only: str | None = None,
    paths: Iterable[str] | None = None,
) -> None:
    """Put the DAGs where Airflow looks for them.

    :param namespace: the DAG file's `globals()`.
    :param project: the project folder, unless the environment names another; when absent the nearest above the DAG file,
        then above the working directory. The DAGs are this project's wherever they run.
    :param only: the one DAG that a task process wants.
    :param paths: the definitions that this file stands for; every one when absent.
    :raises BrokenJobsError: when the file stands for given definitions and none of them could be built. Else a DAG
        says what is wrong, because an error would take the others away.
    """
    if project is None or is_named() or (paths is None and not is_project(project)):
        # The environment names one; or the DAG file is not a project's own, such as that of the wheel.
        try:
            project = project_here(namespace.get("__file__"))
        except SettingsError as error:
            namespace[BROKEN] = broken(str(error))
            return
    settings = Settings.load(project)
    if paths is None and not is_project(settings.project):
        namespace[BROKEN] = broken(f"{settings.project} is no project; name one with {PROJECT_VARIABLE}")
        return
    given = None if paths is None else [Path(text) for text in paths]
    with collection_paused():
        dags, problems = collect(settings, only, given)
    problems += own(dags, settings, str(namespace.get("__file__")))
    namespace.update(dags)
    if not problems or (only is not None and dags):
        return
    # Airflow hands it on as UTF-8 and keeps it in its database; a file's name may be neither text nor printable.
    text = storable("\n".join(str(problem) for problem in problems))
    if given is not None and not dags:
        raise BrokenJobsError(text)
    # Other jobs share this file, and an error of it would take them away.
    own_id = BROKEN if given is None else f"{BROKEN}.{zlib.crc32(repr(given).encode(errors='surrogateescape')):08x}"
    namespace[BROKEN] = broken(text, own_id)


def is_project(folder: Path) -> bool:
    """Whether a folder holds settings or jobs, or the environment says where the jobs are."""
    jobs = os.environ.get(f"{ENVIRONMENT_PREFIX}JOBS_FOLDER")
    return bool(jobs) or (folder / FILE_NAME).is_file() or (folder / "jobs").is_dir()


def broken(text: str, dag_id: str = BROKEN) -> DAG:
    """A DAG that says what is wrong."""
    log.error("%s", text)
    return DAG(
        dag_id,
        description="Job definitions that could not be read",
        doc_md=as_block(text),
        tags=["import error"],
    )


def as_block(text: str) -> str:
    """Text as a block of Markdown that nothing in it ends."""
    marks = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{marks}\n{text}\n{marks}"


def own(dags: dict[str, DAG], settings: Settings, file: str) -> list[Problem]:
    """Note whose the DAGs are. Those that another project of this Airflow has are taken out, and said to be."""
    problems = []
    for dag_id, other in taken(dags, settings.project, file).items():
        del dags[dag_id]
        text = f"the project {other} has a DAG {dag_id!r} in this Airflow already"
        problems.append(Problem(Severity.ERROR, text, file=settings.project, hint="give one of the jobs another name"))
    try:
        keep(dags, settings.project, file)
    except OSError as error:
        log.warning("Other processes of Airflow cannot be told whose the DAGs are: %s", error)
    return problems


def load_version(namespace: MutableMapping[str, Any], *, project: Path, version: str, over: bool = False) -> None:
    """Put the DAG of a version of a job where Airflow looks for it: the user's files are not looked at.

    :param namespace: the DAG file's `globals()`.
    :param over: no definition gives the job any more.
    :raises RunError: the version is not kept any more.
    """
    from medallion.factory.jobs import dag_of_version

    settings = Settings.load(None if is_named() else project)
    found = VersionStore(settings.home).get(version)
    if found is None:
        raise RunError(
            f"version {version} of the job is not kept in {VersionStore(settings.home).folder}",
            hint="`medallion repair` runs the job as it is now",
        )
    if project_of(found.dag_id) != settings.project:
        with suppress(OSError):
            keep([found.dag_id], settings.project, str(namespace.get("__file__", "")))
    namespace[found.dag_id] = dag_of_version(found, over=over)

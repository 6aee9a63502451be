"""Find the jobs, build the asked-for DAGs. Runs at parse time, in the dag processor and in each task process."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from medallion.errors import MedallionError, SpecError
from medallion.factory import naming
from medallion.runs import ids
from medallion.spec.cache import JobCache
from medallion.spec.loading import discover
from medallion.spec.problems import Problem, Severity

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from medallion.settings import Settings
    from medallion.spec.definition import JobDefinition

RESOURCE_ID = re.compile(r"\$\{resources\.jobs\.([^.}]+)\.id\}")

EXTRA_JOBS = "MEDALLION_EXTRA_JOBS"
"""Paths of definitions outside the jobs folder, separated as PATH is. `medallion run PATH` sets it."""


class BrokenJobsError(MedallionError):
    """One or more definitions are wrong; the others were built."""

    exit_code = 2


def sources(settings: Settings, environ: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """Every definition: below the jobs folder, and those that the environment adds."""
    extra = tuple(Path(text) for text in environ.get(EXTRA_JOBS, "").split(os.pathsep) if text)
    return (*discover(settings.jobs_folder), *extra)


def belongs(settings: Settings, path: Path) -> bool:
    """Whether a definition that the cache knows is one of this jobs folder, or added by the environment."""
    return path.is_relative_to(settings.jobs_folder) or str(path) in os.environ.get(EXTRA_JOBS, "").split(os.pathsep)


def build_dags(settings: Settings, only: str | None = None, paths: Iterable[Path] | None = None) -> dict[str, DAG]:
    """The DAGs by id.

    :param only: one DAG id: only its job is read and built. Airflow's parsing context gives it in a task process.
    :param paths: definitions to read; all sources when absent.
    :raises BrokenJobsError: after building all that can be built, with the problems of the others.
    """
    dags, problems = collect(settings, only, paths)
    if problems:
        raise BrokenJobsError("\n".join(str(problem) for problem in problems))
    return dags


def collect(
    settings: Settings, only: str | None = None, paths: Iterable[Path] | None = None
) -> tuple[dict[str, DAG], list[Problem]]:
    """The DAGs by id, and the errors of the definitions that gave none."""
    from medallion.factory.dag import build_dag
    from medallion.factory.lineage import state_lineage

    definitions, problems = definitions_by_dag(settings, only, paths)
    dags: dict[str, DAG] = {}
    for dag_id, definition in definitions.items():
        try:
            dags[dag_id] = build_dag(definition)
            state_lineage(dags[dag_id], settings.home)
        except SpecError as error:
            problems.extend(error.problems)
        except MedallionError as error:
            problems.append(Problem(Severity.ERROR, str(error), file=definition.file))
    return dags, problems


def definitions_by_dag(
    settings: Settings, only: str | None = None, paths: Iterable[Path] | None = None
) -> tuple[dict[str, JobDefinition], list[Problem]]:
    """Checked definitions by DAG id; two jobs of one id are an error that names both files."""
    cache = JobCache(settings, naming.dag_id)
    chosen = tuple(path for path in cache.find(only, paths) if belongs(settings, path)) if only is not None else ()
    paths = chosen or (sources(settings) if paths is None else paths)
    found: dict[str, JobDefinition] = {}
    problems: list[Problem] = []
    for path in paths:
        loaded = cache.load(path)
        problems.extend(loaded.errors)
        for definition in () if loaded.errors else loaded.jobs:
            dag_id = naming.dag_id(naming.job_name(definition.job.name))
            if only is not None and dag_id != only:
                continue
            if dag_id in found:
                problems.append(collision(dag_id, found[dag_id], definition))
            else:
                found[dag_id] = definition
    return found, problems


def collision(dag_id: str, first: JobDefinition, second: JobDefinition) -> Problem:
    """Two jobs that would be one DAG."""
    return Problem(
        Severity.ERROR,
        f"the jobs {first.job.name!r} of {first.file} and {second.job.name!r} of {second.file} "
        f"are both the DAG {dag_id!r}",
        file=second.file,
        hint="give one of them another name",
    )


def dag_id_of_job(settings: Settings, caller: JobDefinition, job_id: object) -> str | None:
    """The DAG of the job that a run-job task names; None when there is none.

    :param caller: the job of the task. In a bundle a job is named by `${resources.jobs.<key>.id}` of the same bundle.
    :param job_id: that reference, or the number that the job's definition has or that its DAG id gives.
    """
    for dag_id, definition in definitions_by_dag(settings)[0].items():
        if names_job(job_id, caller, definition):
            return dag_id
    return None


def names_job(job_id: object, caller: JobDefinition, definition: JobDefinition) -> bool:
    """Whether the `job_id` of one of the caller's tasks names a job. See `dag_id_of_job`."""
    text = str(job_id)
    if match := RESOURCE_ID.fullmatch(text):
        return definition.file == caller.file and definition.key == match[1]
    own = ids.job_id(naming.dag_id(naming.job_name(definition.job.name)))
    return text in (str(definition.job_id), str(own))

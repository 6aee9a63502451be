"""Find the jobs, build the asked-for DAGs. Runs at parse time, in the dag processor and in each task process."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from medallion.errors import MedallionError, SpecError
from medallion.project.registry import JobRegistry
from medallion.project.versions import VersionStore, current_version
from medallion.spec.problems import Problem, Severity

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from medallion.project.versions import JobVersion
    from medallion.settings import Settings


log = logging.getLogger(__name__)


class BrokenJobsError(MedallionError):
    """One or more definitions are wrong; the others were built."""

    exit_code = 2


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
    registry, store = JobRegistry(settings), VersionStore(settings.home)
    definitions, problems = registry.all(paths) if only is None else registry.by_dag_id(only, paths)
    dags: dict[str, DAG] = {}
    for dag_id, definition in definitions.items():
        try:
            version = current_version(dag_id, definition, registry.cache)
            dags[dag_id] = dag_of_version(version)
            with suppress(OSError):  # a home that cannot be written to must not stop a job from loading
                store.put(version)
        except SpecError as error:
            problems.extend(error.problems)
        except Exception as error:  # one job's fault hurts no other, whatever it is
            log.debug("The job %s could not be built", dag_id, exc_info=True)
            kind = "" if isinstance(error, MedallionError) else f"{type(error).__name__}: "
            problems.append(Problem(Severity.ERROR, f"{kind}{error}", file=definition.file))
    return dags, problems


def dag_of_version(version: JobVersion, *, over: bool = False) -> DAG:
    """The DAG of a version of a job.

    :param over: no definition gives the job any more.
    """
    from medallion.factory.dag import build_dag
    from medallion.factory.lineage import state_lineage

    dag = build_dag(version, over=over)
    state_lineage(dag)
    return dag

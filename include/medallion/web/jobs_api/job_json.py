"""A job of the jobs folder in the Jobs API's words. Runs in the API server; no Airflow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from medallion.project.projects import projects
from medallion.project.registry import JobRegistry, numbers
from medallion.runs import ids
from medallion.settings import Settings
from medallion.spec.definition import JobDefinition

PAGE = 100
"""Elements of an array in one answer of version 2.2."""
ARRAYS = ("tasks", "job_clusters", "parameters", "environments")
ONLY_IN_BUNDLES = ("permissions", "lifecycle", "access_control_list")
"""What a job's resource has that is no setting of the job."""
DEFAULTS = {
    "email_notifications": {},
    "webhook_notifications": {},
    "timeout_seconds": 0,
    "max_concurrent_runs": 1,
    "format": "MULTI_TASK",
}
TASK_DEFAULTS = {"run_if": "ALL_SUCCESS", "timeout_seconds": 0, "email_notifications": {}, "webhook_notifications": {}}
FROM_SOURCE = ("notebook_task", "spark_python_task", "dbt_task")
"""Tasks that state where their file is: in the workspace, or in the job's Git repository."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A job with what the list needs of it.

    :param created: epoch milliseconds; a file's job counts as created when the file was changed last.
    """

    dag_id: str
    definition: JobDefinition
    user: str
    created: int

    @property
    def job_id(self) -> int:
        """The Jobs API's id."""
        return ids.job_id(self.dag_id)

    @property
    def name(self) -> str:
        """As the job states it."""
        return self.definition.job.name or self.definition.key

    def order(self) -> tuple[int, int]:
        """The place in a list: the newest is the greatest."""
        return self.created, self.job_id


@lru_cache(maxsize=64)
def registry_of(project: Path) -> JobRegistry:
    """The jobs of a project. What it has read stays in memory until a file changes."""
    return JobRegistry(Settings.load(project))


def jobs_of_projects() -> Iterator[Listed]:
    """The jobs of every project that this server knows; a definition with errors has none."""
    for project in projects():
        registry = registry_of(project)
        for dag_id, definition in registry.all()[0].items():
            yield listed(registry, dag_id, definition)


def job_of_number(job_id: str) -> Listed | None:
    """The job with an id: the digest of its DAG id, or the number that its definition states."""
    for project in projects():
        registry = registry_of(project)
        for dag_id, claim in registry.ledger.read().items():
            if job_id in numbers(dag_id, claim.job_id):
                found = registry.by_dag_id(dag_id)[0].get(dag_id)
                if found is not None:
                    return listed(registry, dag_id, found)
    return None


def listed(registry: JobRegistry, dag_id: str, definition: JobDefinition) -> Listed:
    """A definition with what the list needs of it."""
    try:
        created = definition.file.stat().st_mtime_ns // 1_000_000
    except OSError:  # it has just gone
        created = 0
    return Listed(dag_id, definition, registry.settings.user, created)


def job_json(job: Listed, *, page: int | None, tasks: bool = True) -> dict[str, Any]:
    """A job as `jobs/get` and `jobs/list` give it.

    :param page: which part of long arrays, from 0; None for all.
    :param tasks: False leaves the arrays away, as a list without `expand_tasks` does.
    """
    settings = {**DEFAULTS, **job.definition.job.to_json(), "name": job.name, "edit_mode": "UI_LOCKED"}
    for name in ONLY_IN_BUNDLES:
        settings.pop(name, None)
    source = "GIT" if settings.get("git_source") else "WORKSPACE"
    settings["tasks"] = [with_task_defaults(task, source) for task in settings.get("tasks") or ()]
    more = False
    for name in ARRAYS:
        if not tasks:
            settings.pop(name, None)
        elif page is not None and settings.get(name) is not None:
            whole = settings[name]
            settings[name] = whole[page * PAGE : (page + 1) * PAGE]
            more = more or len(whole) > (page + 1) * PAGE
    told: dict[str, Any] = {
        "job_id": job.job_id,
        "creator_user_name": job.user,
        "run_as_user_name": job.user,
        "created_time": job.created,
        "settings": settings,
    }
    if more:
        told |= {"has_more": True, "next_page_token": str((page or 0) + 1)}
    return told


def with_task_defaults(task: dict[str, Any], source: str) -> dict[str, Any]:
    """A task with the defaults that clients know."""
    told = {**TASK_DEFAULTS, **task}
    for kind in FROM_SOURCE:
        if isinstance(told.get(kind), dict):
            told[kind] = {"source": source, **told[kind]}
    return told

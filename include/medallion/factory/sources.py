"""Where the files of a task come from: the definition's folder, the workspace, or one Git commit for the whole run.

Runs in the Airflow task process. The commit is worked out by the first task that needs it and kept in the run's notes
under `git`, so tasks, retries and repairs of one run read the same files, whatever is pushed meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.errors import MedallionError
from medallion.runs.notes import change_notes, read_notes
from medallion.spec.enums import Source
from medallion.spec.problems import did_you_mean

if TYPE_CHECKING:
    from medallion.factory.attempt import Attempt
    from medallion.runs.notes import Notes
    from medallion.settings import Settings
    from medallion.spec.definition import JobDefinition
    from medallion.spec.job import GitSource, Job

NOTE = "git"
GIT_WITHOUT_A_WORD = frozenset({"notebook_task", "sql_task", "dbt_task"})
"""Kinds whose empty `source` means Git when the job has a `git_source` (Jobs API; a Python file must say so)."""


class SourceError(MedallionError):
    """A task's file is not where the job says."""


@dataclass(frozen=True, slots=True)
class Files:
    """Where a task's paths count from.

    :param commit: the Git commit, or None for files of the definition or the workspace.
    """

    root: Path
    commit: str | None = None
    shown: str = ""

    def local(self, path: str) -> str:
        """A stated path as a local one; a workspace path or address as it is. In a repository every path is relative.

        :raises SourceError: the commit has no such file, or the path leads out of the repository.
        """
        if self.commit is None:
            return path if path.startswith(("/", "dbfs:", "file:")) else str(self.root / path)
        found = self.root / path.lstrip("/")
        there = [entry.name for entry in found.parent.iterdir()] if found.parent.is_dir() else []
        meant = [name for name in there if name == found.name or Path(name).stem == found.name]
        for file in (found, *(() if found.exists() else (found.parent / name for name in meant))):
            self.require_inside(file, path)
        if not meant:
            near = did_you_mean(found.name, [*there, *(Path(name).stem for name in there)])
            raise SourceError(
                f"{self.shown} has no {path!r} in commit {self.commit[:12]}",
                hint=near or f"it has {', '.join(sorted(there)[:10]) or 'no such folder'}",
            )
        return str(found)

    def require_inside(self, file: Path, stated: str) -> None:
        """Refuse what `..` or a link of the repository puts outside of it.

        :raises SourceError: the file is elsewhere on this machine.
        """
        if not file.resolve().is_relative_to(self.root.resolve()):
            raise SourceError(
                f"{stated!r} leads out of the repository {self.shown} at commit {(self.commit or '')[:12]}",
                hint="name a file of the repository; links to elsewhere are not followed",
            )


def is_from_git(kind: str, payload: Mapping[str, Any], job: Job) -> bool:
    """Whether a task's file comes from the job's Git repository."""
    holder = payload.get("file") if kind == "sql_task" else payload
    if kind == "sql_task" and not holder:  # a query, an alert or a dashboard
        return False
    source = holder.get("source") if isinstance(holder, Mapping) else None
    if not source:
        return job.git_source is not None and kind in GIT_WITHOUT_A_WORD
    return str(source).upper() == Source.GIT.value


def files_of(
    definition: JobDefinition, kind: str, payload: Mapping[str, Any], attempt: Attempt, settings: Settings
) -> Files:
    """The files of a task; a checkout when they come from Git.

    :raises SourceError: the job has no `git_source`.
    :raises GitError: the repository or its ref cannot be had.
    """
    job = definition.job
    if not is_from_git(kind, payload, job):
        return Files(definition.root)
    if job.git_source is None:
        raise SourceError(
            f"task {attempt.task_key} has the source GIT, and the job has no git_source",
            hint="add git_source to the job, or set the source to WORKSPACE",
        )
    from medallion.compute.git import repository

    found = repository(settings, job.git_source)
    commit = commit_of_run(settings, attempt, job.git_source)
    patterns = job.git_source.sparse_checkout.patterns if job.git_source.sparse_checkout else None
    return Files(found.checkout(commit, patterns or ()), commit, found.shown)


def commit_of_run(settings: Settings, attempt: Attempt, source: GitSource) -> str:
    """The commit that this run reads, worked out once per run."""
    from medallion.compute.git import Ref, repository

    run = (settings.home, attempt.dag_id, attempt.airflow_run_id)
    found, ref = repository(settings, source), Ref.of(source)
    noted = (read_notes(*run).get(NOTE) or {}).get(found.shown)
    if noted is None:
        # Asked for before the lock of the run's notes is taken: the scheduler and the API server wait for that one.
        told = {"used_commit": found.commit_of(ref), ref.kind: ref.name}

        def settle(notes: Notes) -> Notes:
            known = notes.get(NOTE) or {}
            return {**notes, NOTE: {found.shown: told, **known}}  # the first task of the run that had an answer counts

        noted = change_notes(*run, settle)[NOTE][found.shown]
    return str(noted["used_commit"])

"""The jobs of a project by DAG id, by job id and by place. Runs everywhere; no Airflow, no Spark.

A job is told by the place of its definition, file and key. `ledger` says which DAG id each place has.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from medallion.project.ledger import Claim, Ledger, Place, Rules
from medallion.project.naming import dag_id as plain_dag_id
from medallion.project.naming import job_name
from medallion.runs import ids
from medallion.spec.cache import JobCache, bundle_environment
from medallion.spec.discovery import BUNDLE_FILES, Search, search
from medallion.spec.loading import discover, load

if TYPE_CHECKING:
    from medallion.settings import Settings
    from medallion.spec.definition import JobDefinition
    from medallion.spec.problems import Problem

EXTRA_JOBS = "MEDALLION_EXTRA_JOBS"
"""Paths of definitions outside the jobs folder, separated as PATH is. `medallion run PATH` sets it."""

RESOURCE_ID = re.compile(r"\$\{resources\.jobs\.([^.}]+)\.id\}")
VARIABLES = "BUNDLE_VAR_"


class JobRegistry:
    """Which jobs there are.

    :param settings: of the project.
    :param environ: names definitions outside the jobs folder.
    """

    def __init__(self, settings: Settings, environ: Mapping[str, str] = os.environ) -> None:
        self.settings = settings
        self.cache = JobCache(settings)
        self.ledger = Ledger(settings.home)
        self.extra = tuple(Path(text) for text in environ.get(EXTRA_JOBS, "").split(os.pathsep) if text)
        self.with_variables = any(name.startswith(VARIABLES) for name in environ)
        self._folder = Path(os.path.realpath(settings.jobs_folder))
        self._folders: dict[Path, Path] = {}

    def sources(self) -> tuple[Path, ...]:
        """Every definition: below the jobs folder, and those that the environment adds."""
        return self.search().definitions

    def search(self) -> Search:
        """Every definition, with what was looked at to find them."""
        found = search(self.settings.jobs_folder)
        return replace(found, definitions=(*found.definitions, *self.extra))

    def all(self, paths: Iterable[Path] | None = None) -> tuple[dict[str, JobDefinition], list[Problem]]:
        """The jobs of the definitions without errors by DAG id, and the errors of the others.

        :param paths: definitions to read; all sources when absent.
        """
        loaded = [self.cache.load(path) for path in (self.sources() if paths is None else paths)]
        good = [definition for item in loaded if not item.errors for definition in item.jobs]
        return self.by_ids(good), [problem for item in loaded for problem in item.errors]

    def by_ids(
        self, definitions: Sequence[JobDefinition], *, with_variables: bool = False, keep: bool = True
    ) -> dict[str, JobDefinition]:
        """Definitions by DAG id. One that states a `job_id` that another job has got comes without it.

        :param with_variables: whether they were loaded with variables that this process's environment does not have.
        :param keep: False gives the ids that new jobs would get, and writes nothing.
        """
        varied = with_variables or self.with_variables
        claims = [self.claim(definition, varied=varied) for definition in definitions]
        if not all(self.ledger.is_settled(claim) for claim in claims):
            self.settle(claims, keep=keep)
        known = self.ledger.read()
        found = {}
        for claim, definition in zip(claims, definitions, strict=True):
            dag_id = self.ledger.dag_id(claim.place)
            if dag_id is not None:
                own = definition.job_id == known[dag_id].job_id
                found[dag_id] = definition if own else replace(definition, job_id=None)
        return found

    def by_dag_id(
        self, dag_id: str, paths: Iterable[Path] | None = None
    ) -> tuple[dict[str, JobDefinition], list[Problem]]:
        """The job of a DAG by its id, and the errors of its definition; nothing when there is none.

        Reads the one definition that the ledger names; only when it is unknown there, all of them.
        """
        allowed = None if paths is None else tuple(paths)
        source = self.source_of(dag_id)
        if source is not None and (allowed is None or source in allowed):
            found, problems = self.all([source])
            if dag_id in found or problems:
                return {name: item for name, item in found.items() if name == dag_id}, problems
        found, problems = self.all(allowed)
        return {name: item for name, item in found.items() if name == dag_id}, problems

    def by_job_id(self, caller: JobDefinition, job_id: object) -> str | None:
        """The DAG of the job that a task or trigger names; None when there is none.

        :param caller: the job of the task. In a bundle a job is named by `${resources.jobs.<key>.id}` of the same bundle.
        :param job_id: that reference, or the number that the job's definition has or that its DAG id gives.
        """
        if RESOURCE_ID.fullmatch(str(job_id)):
            found, _ = self.all([source_path(caller.file)])
        else:
            noted = [name for name, claim in self.ledger.read().items() if str(job_id) in numbers(name, claim.job_id)]
            found = {}
            for name in noted:
                found |= self.by_dag_id(name)[0]
            if not found:
                found, _ = self.all()
        return next((name for name, item in found.items() if names_job(job_id, caller, name, item)), None)

    def path_of_dag(self, dag_id: str) -> Path | None:
        """The path that loads the definition of a DAG, whoever's it is; None when the ledger does not know the DAG."""
        claim = self.ledger.read().get(dag_id)
        return None if claim is None else self.path_of(claim.place)

    def source_of(self, dag_id: str) -> Path | None:
        """The definition that the ledger names for a DAG, when it is one of this project's."""
        claim = self.ledger.read().get(dag_id)
        if claim is None:
            return None
        path = self.path_of(claim.place)
        return path if not Path(claim.place.file).is_absolute() or path in self.extra else None

    def path_of(self, place: Place) -> Path:
        """The path that loads the definition of a place."""
        return source_path(self.settings.jobs_folder / place.file)

    def claim(self, definition: JobDefinition, *, varied: bool = False) -> Claim:
        """What the ledger keeps of a job.

        :param varied: it was loaded with variables. A name that those changed is no new name of the job, but that of a
            variant, as that of a target is.
        """
        name = job_name(definition.job.name)
        place = Place(self.file_of(definition.file), definition.key, definition.target or "")
        if varied and (main := self.ledger.dag_id(place)) is not None:
            known = self.ledger.read()[main].name
            if plain_dag_id(known) != plain_dag_id(name):
                place = place._replace(variant=f"{place.variant}={name}")
        return Claim(place, name, definition.job_id)

    def file_of(self, file: Path) -> str:
        """A file as the ledger names it, however it is reached: below the jobs folder, or its whole path."""
        parent = self._folders.get(file.parent)
        if parent is None:
            parent = self._folders[file.parent] = Path(os.path.realpath(file.parent))
        if parent.is_relative_to(self._folder):
            return str(parent.relative_to(self._folder) / file.name)
        if file.is_relative_to(self.settings.jobs_folder):  # by a link that leads elsewhere
            return str(file.relative_to(self.settings.jobs_folder))
        return str(parent / file.name)

    def settle(self, claims: Sequence[Claim], *, keep: bool = True) -> None:
        """Give these jobs DAG ids, after all jobs of the jobs folder: so it does not matter who asks first."""
        below = discover(self.settings.jobs_folder)
        cache = self.cache if keep else JobCache(self.settings, keeps=False)
        base = [self.claim(item, varied=self.with_variables) for path in below for item in cache.load(path).jobs]
        sources = {*below, *self.extra}

        def is_gone(place: Place) -> bool:
            path = self.path_of(place)
            if not Path(place.file).is_absolute() and path not in sources:
                return True
            if not path.exists():
                return True
            target = place.variant.partition("=")[0] or None
            loaded = load(path, target=target, user=self.settings.user, lookups=self.settings.lookups)
            return not loaded.errors and place.key not in {item.key for item in loaded.jobs}

        def has_history(dag_id: str) -> bool:
            return (self.settings.home / "runs" / dag_id.lstrip(".")).is_dir()

        rules = Rules(is_gone, has_history)
        if keep:
            self.ledger.settle([base, claims], rules)
        else:
            self.ledger.look_ahead([base, claims], rules)


def environment_of_jobs(environ: Mapping[str, str]) -> tuple[object, ...]:
    """What of the environment decides which jobs there are and what they say."""
    return environ.get(EXTRA_JOBS, ""), bundle_environment(environ)


def source_path(file: Path) -> Path:
    """The path that loads a definition: a bundle's folder for its root file."""
    return file.parent if file.name in BUNDLE_FILES else file


def numbers(dag_id: str, job_id: int | None) -> set[str]:
    """The numbers that a job may be named by: the one that its definition states, and the one that its DAG id gives."""
    return {str(ids.job_id(dag_id)), *(() if job_id is None else (str(job_id),))}


def names_job(job_id: object, caller: JobDefinition, dag_id: str, definition: JobDefinition) -> bool:
    """Whether the `job_id` of one of the caller's tasks names a job. See `JobRegistry.by_job_id`."""
    if match := RESOURCE_ID.fullmatch(str(job_id)):
        return definition.file == caller.file and definition.key == match[1]
    return str(job_id) in numbers(dag_id, definition.job_id)

"""What a task brings along: Python environment, JARs, environment variables. Runs in the Airflow task process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.spec.definition import Beside
from medallion.spec.discovery import BUNDLE_FILES
from medallion.spec.libraries import LibraryError, wanted_by
from medallion.spec.problems import did_you_mean

if TYPE_CHECKING:
    from medallion.compute.libraries import Shelf
    from medallion.runtime.protocol import Places
    from medallion.settings import Settings
    from medallion.spec.definition import JobDefinition
    from medallion.spec.job import Job, Task


@dataclass(frozen=True, slots=True)
class Equipment:
    """What a task brings along.

    :param options: options of its context: the environment's folder.
    :param spark_conf: settings of its driver: JARs and Maven coordinates.
    :param variables: environment variables of its process.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    spark_conf: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)


def beside(definition: JobDefinition, settings: Settings) -> Beside:
    """A bundle's other resources and its artifacts: as the version of a run keeps them, else as the file says now."""
    if definition.beside is not None:
        return definition.beside
    from medallion.spec.cache import JobCache

    found = JobCache(settings).load(definition.file)
    return Beside(found.resources, found.artifacts)


def equip(
    definition: JobDefinition,
    task: Task,
    *,
    settings: Settings,
    places: Places,
    progress: Callable[[str], None],
    root: Path | None = None,
    packages: tuple[str, ...] = (),
    without: frozenset[str] = frozenset(),
) -> Equipment:
    """What a task brings along.

    :param root: folder that relative paths count from: the definition's, or a Git checkout.
    :param packages: requirement lines that the kind of task needs itself.
    :param without: packages that those take the place of.
    :raises LibraryError: a library, an environment or a file of variables is wrong or cannot be had.
    """
    wanted = wanted_by(task, definition.job, packages, without)
    if not (wanted.has_packages or wanted.has_jars or task.environment_variables_key):
        return Equipment()
    # Most tasks bring nothing along; they need not wait for these imports.
    from medallion.compute.environments import provide
    from medallion.compute.libraries import Shelf, driver_conf

    in_bundle = definition.file.name in BUNDLE_FILES
    built = beside(definition, settings).artifacts if in_bundle and (wanted.has_packages or wanted.has_jars) else None
    shelf = Shelf(settings, places, root or definition.root, built, progress)
    options: Mapping[str, Any] = {}
    if wanted.has_packages:
        options = provide(settings, shelf.recipe(wanted), progress).options()
    conf = driver_conf(shelf, wanted) if wanted.has_jars else {}
    return Equipment(options, conf, variables_of(task, definition.job, shelf))


def variables_of(task: Task, job: Job, shelf: Shelf) -> dict[str, str]:
    """The variables that a task names by `environment_variables_key`: later files over earlier, `variables` over files.

    :raises LibraryError: the job has none of that key, or a file is missing.
    """
    key = task.environment_variables_key
    if key is None:
        return {}
    known = {item.environment_variables_key: item.spec for item in job.environment_variables or ()}
    if key not in known:
        raise LibraryError(
            f"task {task.task_key}: the job has no environment variables {key!r}",
            hint=did_you_mean(key, known) or "add them to the job's environment_variables",
        )
    from medallion.compute.libraries import existing

    spec = known[key]
    found: dict[str, str] = {}
    for path in (spec.files or ()) if spec else ():
        found |= read_variables(existing(shelf.local(path, shelf.root)))
    return {**found, **{name: str(value) for name, value in ((spec.variables or {}) if spec else {}).items()}}


def read_variables(file: Path) -> dict[str, str]:
    """The variables of a .env file. Values stand as written; nothing of this machine's environment is put in."""
    from dotenv import dotenv_values

    return {name: value or "" for name, value in dotenv_values(file, interpolate=False).items()}

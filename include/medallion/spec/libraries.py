"""What a task asks for beside what every task has: Python packages, JARs, Maven coordinates. Pure.

A task has `libraries` of its own, or the environment that its `environment_key` names (Jobs API, `Library` and
`Environment`). Nothing is looked up here: paths are as the job states them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medallion.errors import MedallionError, UnsupportedError
from medallion.spec.problems import did_you_mean

if TYPE_CHECKING:
    from medallion.spec.clusters import Environment, Library, MavenLibrary
    from medallion.spec.job import Job, Task


class LibraryError(MedallionError):
    """A library or an environment of a task is wrong, or cannot be had."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one task asks for.

    :param packages: lines of a pip requirements file: names with versions, paths, `-r file`, `-e folder`.
    :param wheels: paths or patterns of wheels.
    :param requirements: paths of requirements files.
    :param indexes: package indexes that `pypi` libraries name, tried before the usual one.
    :param base: path of a YAML file with more dependencies (`base_environment`).
    :param jars: paths or patterns of JARs.
    :param maven: Maven coordinates with their exclusions and repository.
    """

    packages: tuple[str, ...] = ()
    wheels: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    indexes: tuple[str, ...] = ()
    base: str | None = None
    jars: tuple[str, ...] = ()
    maven: tuple[MavenLibrary, ...] = ()

    @property
    def has_packages(self) -> bool:
        """Whether a Python environment is asked for."""
        return bool(self.packages or self.wheels or self.requirements or self.base)

    @property
    def has_jars(self) -> bool:
        """Whether the driver needs more JARs."""
        return bool(self.jars or self.maven)


def wanted_by(task: Task, job: Job, packages: tuple[str, ...] = (), without: frozenset[str] = frozenset()) -> Wanted:
    """What a task asks for, by its libraries and its environment.

    :param packages: requirement lines that the kind of task needs itself.
    :raises LibraryError: the job has no environment of that key.
    :raises UnsupportedError: an R package, an egg, or a project as environment.
    """
    environment = environment_of(task, job)
    libraries = task.libraries or ()
    for library in libraries:
        refuse(library)
    if environment is not None and environment.project_environment:
        raise UnsupportedError(
            f"environment {task.environment_key}: project_environment is not read here",
            hint="list the packages in dependencies",
        )
    pypi = [library.pypi for library in libraries if library.pypi is not None]
    for item in pypi:
        refuse_package(item.package, item.repo or "")
    dependencies = (environment.dependencies or ()) if environment else ()
    asked = (*(item.package for item in pypi), *dependencies)
    return Wanted(
        packages=(*packages, *(line for line in asked if name_of(line) not in without)),
        wheels=tuple(library.whl for library in libraries if library.whl),
        requirements=tuple(library.requirements for library in libraries if library.requirements),
        indexes=tuple(dict.fromkeys(item.repo for item in pypi if item.repo)),
        base=environment.base_environment if environment else None,
        jars=(
            *(library.jar for library in libraries if library.jar),
            *((environment.java_dependencies or ()) if environment else ()),
        ),
        maven=tuple(library.maven for library in libraries if library.maven is not None),
    )


def refuse_package(package: str, repo: str) -> None:
    """Refuse a `pypi` library that is no package, or whose index is no address.

    :raises LibraryError: says which.
    """
    if package.strip().startswith("-") or "\n" in package.strip():
        raise LibraryError(
            f"pypi package {package!r} is no package",
            hint="name one package; options such as -r belong into the dependencies of an environment",
        )
    if repo.startswith("-") or len(repo.split()) > 1:
        raise LibraryError(f"pypi repo {repo!r} is no address of a package index", hint="give its https: address")


def name_of(line: str) -> str:
    """The package that a requirement line names, as names are compared."""
    found = re.match(r"[A-Za-z0-9._-]+", line.strip())
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else ""


def environment_of(task: Task, job: Job) -> Environment | None:
    """The environment that a task names; None for a task that names none."""
    if task.environment_key is None:
        return None
    known = {item.environment_key: item.spec for item in job.environments or ()}
    if task.environment_key not in known:
        raise LibraryError(
            f"task {task.task_key}: the job has no environment {task.environment_key!r}",
            hint=did_you_mean(task.environment_key, known) or "add it to the job's environments",
        )
    return known[task.environment_key]


def refuse(library: Library) -> None:
    """Say of a library that cannot be had here what to take instead."""
    if library.cran is not None:
        raise UnsupportedError(
            f"library cran {library.cran.package!r}: R is not run here",
            hint="take the library and the R code out of the task",
        )
    if library.egg:
        raise UnsupportedError(
            f"library egg {library.egg!r}: Python 3.12 and pip no longer install eggs",
            hint="build a wheel and name it as whl",
        )

"""Wheels, JARs, requirements files and files of variables of a task. In the user's shell; nothing is built or fetched."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from medallion.components.readiness.task import TaskHere, is_open
from medallion.compute.artifacts import artifacts_of
from medallion.compute.libraries import Shelf, existing
from medallion.spec.libraries import wanted_by
from medallion.spec.problems import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from medallion.compute.artifacts import Built
    from medallion.spec.libraries import Wanted

NO_JAR = "list it in the task's libraries: - jar: ./path/to/app.jar"


@dataclass(frozen=True)
class Unbuilt(Shelf):
    """The shelf of a bundle whose artifacts are not built: what a build will leave counts as there."""

    def files(self, pattern: str, folder: Path | None = None) -> list[Path]:
        """The files of a path or pattern. Raises as the shelf of a run does."""
        path = self.local(pattern, self.root if folder is None else folder)
        return [] if path.parent.resolve() in self.outlets else super().files(pattern, folder)

    @property
    def outlets(self) -> set[Path]:
        """The folders that builds leave their files in."""
        every = artifacts_of(self.built, self.root) if self.built is not None else []
        return {(item.folder / pattern).parent.resolve() for item in every for pattern in item.patterns}

    @cached_property
    def outputs(self) -> list[Built]:
        """No built file."""
        return []


def check_libraries(here: TaskHere) -> None:
    """All that the task brings along and that is a file."""
    with here.tell("libraries" if here.task.libraries else "environment_key"):
        wanted = wanted_by(here.task, here.definition.job)
        check_jars(here, wanted)
        if here.from_git:
            return
        built = here.loaded.artifacts
        shelf = Unbuilt(here.settings, here.places, here.definition.root, built, lambda _line: None)
        for path in (*wanted.wheels, *wanted.jars, *wanted.requirements, *filter(None, [wanted.base])):
            check_path(here, shelf, path, whole=path in (*wanted.requirements, wanted.base))
        lines = [line for line in wanted.packages if not is_open(line)]
        with here.tell("libraries" if here.task.libraries else "environment_key"):
            list(shelf.expanded(lines, shelf.root))
        check_variables(here, shelf)


def check_jars(here: TaskHere, wanted: Wanted) -> None:
    """A JAR task has a JAR."""
    if here.task.kind == "spark_jar_task" and not wanted.has_jars:
        here.findings.error(here.in_task("spark_jar_task"), "spark_jar_task has no JAR", NO_JAR)


def check_path(here: TaskHere, shelf: Shelf, path: str, *, whole: bool) -> None:
    """One library that is a file; of a requirements file or base environment also the files that it names."""
    if is_open(path):
        return
    below = place_of(here, path)
    severity = Severity.ERROR
    with here.tell(*below):
        severity = here.severity_of(path)
    with here.tell(*below, severity=severity):
        if not whole:
            shelf.files(path)
        elif path in {library.requirements for library in here.task.libraries or ()}:
            shelf.included(shelf.local(path, shelf.root), 0)
        else:
            shelf.based_on(shelf.local(path, shelf.root))


def check_variables(here: TaskHere, shelf: Shelf) -> None:
    """The files of variables that the task names."""
    key = here.task.environment_variables_key
    for item in here.definition.job.environment_variables or ():
        if item.environment_variables_key == key and item.spec is not None:
            for path in named(item.spec.files):
                with here.tell("environment_variables_key"):
                    existing(shelf.local(path, shelf.root))


def named(paths: Iterable[str] | None) -> list[str]:
    """The paths that are known before the run."""
    return [path for path in paths or () if not is_open(path)]


def place_of(here: TaskHere, path: str) -> tuple[str | int, ...]:
    """Where in the task a library is named."""
    for position, library in enumerate(here.task.libraries or ()):
        for field in ("whl", "jar", "requirements"):
            if getattr(library, field) == path:
                return "libraries", position, field
    return ("environment_key",)

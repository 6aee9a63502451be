"""One task as a run would find it, and what is found wrong with it. In the user's shell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.errors import MedallionError, SpecError
from medallion.spec.problems import Severity

if TYPE_CHECKING:
    from medallion.runtime.protocol import Places
    from medallion.settings import Settings
    from medallion.spec.definition import JobDefinition, Loaded
    from medallion.spec.findings import Findings
    from medallion.spec.job import Task
    from medallion.spec.positions import JsonPath


@dataclass(frozen=True)
class TaskHere:
    """A task and all that a run would look for its files with.

    :param at: path of the task in its job.
    :param children: every job that a run-job task may name, by DAG id; read when asked.
    """

    settings: Settings
    definition: JobDefinition
    loaded: Loaded
    task: Task
    at: JsonPath
    findings: Findings
    children: Callable[[], Mapping[str, JobDefinition]]
    payload: Mapping[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "payload", self.task.payload.to_json())

    @cached_property
    def places(self) -> Places:
        """The folders that Databricks' paths stand for."""
        from medallion.factory.places import places_of

        return places_of(self.settings, self.definition)

    @property
    def from_git(self) -> bool:
        """Whether the task's files come from the job's Git repository, which is not looked into here."""
        from medallion.factory.sources import is_from_git

        return is_from_git(self.task.kind, self.payload, self.definition.job)

    def stated(self, path: str) -> str:
        """A path of the job as a run hands it to the task's process."""
        from medallion.factory.sources import Files

        return Files(self.definition.root).local(path)

    def in_task(self, *below: str | int) -> JsonPath:
        """Path in the job of a part of the task."""
        return (*self.at, *below)

    @contextmanager
    def tell(self, *below: str | int, severity: Severity = Severity.ERROR) -> Iterator[None]:
        """Make a problem at that part of the task of an error that is raised inside."""
        try:
            yield
        except SpecError as error:
            for problem in error.problems:
                self.findings.add(severity, self.in_task(*below), problem.message, problem.hint)
        except MedallionError as error:
            self.findings.add(severity, self.in_task(*below), error.message, error.hint)

    def severity_of(self, path: str) -> Severity:
        """How bad it is that a file is missing: an earlier task, or a person, may put it into a volume before the run."""
        from medallion.compute.paths import to_local

        local = Path(to_local(path, self.places))
        kept = (self.settings.volumes, self.settings.dbfs)
        return Severity.WARNING if any(local.is_relative_to(folder) for folder in kept) else Severity.ERROR


def is_open(value: object) -> bool:
    """Whether a value is known at run time only: it is absent, or holds a reference."""
    return not isinstance(value, str) or not value or "{{" in value or "${" in value

"""What reading a definition gives: jobs with their origin, and every problem. Runs everywhere; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.errors import SpecError
from medallion.spec.problems import Problem, Severity

if TYPE_CHECKING:
    from medallion.spec.job import Job
    from medallion.spec.positions import JsonPath, Positions


@dataclass(frozen=True, slots=True)
class Beside:
    """What else of its bundle a job's tasks ask for when they run: pipelines, alerts, artifacts.

    :param resources: by kind; jobs are not among them.
    :param artifacts: the resolved `artifacts`; None where the bundle has none.
    """

    resources: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class JobDefinition:
    """One job as the user wrote it, resolved and checked.

    :param job: the settings, as the Jobs API states them.
    :param key: resource key in a bundle; the file's stem for bare JSON.
    :param file: the file that the user wrote; for a bundle its root file.
    :param root: folder that relative paths of the job count from: the bundle's root, or the file's folder.
    :param deployed: workspace folder that the bundle's files would be deployed to
        (`/Workspace/Users/…/files`), which stands for `root`; None outside bundles.
    :param job_id: id given by a GET envelope, or None.
    :param target: the target that a bundle was resolved for; None outside bundles.
    :param at: path of the settings in their document, to name places in it.
    :param beside: of a version that a run keeps: what else its bundle held then; None: as the file says now.
    """

    job: Job
    key: str
    file: Path
    root: Path
    deployed: str | None = None
    job_id: int | None = None
    target: str | None = None
    at: JsonPath = field(default=(), compare=False, repr=False)
    beside: Beside | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Loaded:
    """Everything that one path gave.

    :param resources: the resolved `resources` of a bundle, other than jobs kept as plain JSON.
    :param read: every file and searched folder that the answer depends on; a cache looks at their mtimes.
    :param artifacts: the resolved `artifacts` of a bundle; None outside bundles.
    :param positions: places in the document; None when it comes from the cache.
    """

    jobs: tuple[JobDefinition, ...] = ()
    problems: tuple[Problem, ...] = ()
    resources: Mapping[str, Any] = field(default_factory=dict)
    read: tuple[Path, ...] = ()
    artifacts: Mapping[str, Any] | None = None
    positions: Positions | None = field(default=None, compare=False, repr=False)

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that stop the jobs from loading."""
        return tuple(problem for problem in self.problems if problem.severity is Severity.ERROR)

    def require(self) -> tuple[JobDefinition, ...]:
        """The jobs; raises SpecError with every problem when one of them is an error."""
        if self.errors:
            raise SpecError(self.problems)
        return self.jobs

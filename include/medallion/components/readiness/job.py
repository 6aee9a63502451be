"""What a run of each job of a definition would miss, as problems with their places. In the user's shell."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from medallion.components.readiness.compute import check_cluster, check_secrets, check_warehouse
from medallion.components.readiness.files import check_source
from medallion.components.readiness.libraries import check_libraries
from medallion.components.readiness.task import TaskHere, is_open
from medallion.spec.disabled import disabled_tasks
from medallion.spec.enums import RunIf
from medallion.spec.findings import Findings
from medallion.spec.problems import did_you_mean

if TYPE_CHECKING:
    from medallion.settings import Settings
    from medallion.spec.definition import JobDefinition, Loaded
    from medallion.spec.job import Job, Task
    from medallion.spec.positions import JsonPath
    from medallion.spec.problems import Problem

WITHOUT_COMPUTE = frozenset({"condition_task", "run_job_task"})
CHECKS: tuple[Callable[[TaskHere], None], ...] = (check_cluster, check_warehouse, check_secrets, check_libraries)


def problems_of(
    settings: Settings, loaded: Loaded, children: Callable[[], Mapping[str, JobDefinition]] = dict
) -> list[Problem]:
    """What a run of each job would miss; what was said of a place already is not said again.

    :param loaded: as `spec.loading.load` gives it.
    :param children: every job that a run-job task may name, by DAG id; asked when there is such a task.
    """
    known = {(problem.path, problem.severity) for problem in loaded.problems}
    found: list[Problem] = []
    for definition in loaded.jobs:
        findings = Findings(definition.file, loaded.positions, definition.at)
        check_git(definition.job, findings)
        for task, at in tasks_of(definition.job):
            check_task(TaskHere(settings, definition, loaded, task, at, findings, children))
        found += [problem for problem in findings.problems() if (problem.path, problem.severity) not in known]
    return found


def tasks_of(job: Job) -> Iterator[tuple[Task, JsonPath]]:
    """Each task that can run, with its path in the job; of a loop the task inside it. Those without a kind are left out."""
    off = disabled_tasks(job)
    for position, task in enumerate(job.tasks or ()):
        at: JsonPath = ("tasks", position)
        if task.task_key in off:
            continue
        if task.for_each_task is not None:
            task, at = task.for_each_task.task, (*at, "for_each_task", "task")
        if any(name.endswith("_task") and getattr(task, name) is not None for name in task.model_fields_set):
            yield task, at


def check_task(here: TaskHere) -> None:
    """All questions about one task."""
    from medallion.factory.refusals import RUNS_HERE, refusal

    kind, rule = here.task.kind, here.task.run_if
    if rule is not None and not rule.is_known:
        hint = did_you_mean(rule.value, RunIf) or f"it is one of {', '.join(RunIf)}"
        here.findings.error(
            here.in_task("run_if"), f"invalid run_if {rule.value!r}: the Jobs API and a run refuse it", hint
        )
    if kind not in RUNS_HERE:
        error = refusal(here.task.task_key, kind)
        here.findings.warning(here.in_task(kind), error.message, error.hint)
        return
    check_source(here)
    if kind not in WITHOUT_COMPUTE:
        for check in CHECKS:
            check(here)


def check_git(job: Job, findings: Findings) -> None:
    """The job's Git repository, as far as it can be known without a network."""
    from medallion.spec.git_url import refused_url

    if job.git_source is None or is_open(job.git_source.git_url):
        return
    at: JsonPath = ("git_source", "git_url")
    url = job.git_source.git_url
    if shutil.which("git") is None:
        findings.error(at, "there is no Git on this machine", "install git")
    elif reason := refused_url(url):
        findings.error(at, *reason)
    elif (folder := local_repository(url)) is not None and not folder.exists():
        findings.error(at, f"there is no repository {folder}", "check git_url")


def local_repository(url: str) -> Path | None:
    """The folder that a URL names on this machine; None for a server's."""
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in {"", "localhost"}:
        return Path(unquote(parts.path))
    return Path(url) if url.startswith("/") else None

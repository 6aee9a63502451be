"""Ends of runs of other jobs: `job_completion`. Runs in the triggerer, in threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from medallion.triggers.ended import EndedRuns
from medallion.triggers.sources.base import Source
from medallion.triggers.store import State, Store

if TYPE_CHECKING:
    from medallion.settings import Settings
    from medallion.triggers.entries import Entry

RESOLVE_SECONDS = 10.0
"""How often a job or table that was not found is looked for again."""


class Completions(Source):
    """Ends of runs of other jobs."""

    def __init__(self, jobs: tuple[str, ...], status: str, ended: EndedRuns, find: Callable[[str], str | None]) -> None:
        super().__init__()
        self.jobs = jobs
        self.status = status
        self.ended = ended
        self.find = find
        self.dags: dict[str, str] = {}
        self.resolved = 0.0
        self.pending: dict[str, dict[str, Any]] = {}
        self.taken = ended.offset

    @classmethod
    def make(cls, entry: Entry, state: State | None, store: Store, dag_id: str, settings: Settings) -> Completions:
        """The source of an entry; runs that ended before it was watched do not count."""
        jobs = tuple(dict.fromkeys(str(job["job_id"]) for job in entry.settings["jobs"]))
        ended = EndedRuns.of(settings.home, (state or {}).get("offset"))
        return cls(jobs, str(entry.settings.get("if_status") or "SUCCESS"), ended, job_finder(settings, dag_id))

    @override
    def look(self, now: float) -> None:
        if len(self.dags) < len(self.jobs) and now - self.resolved >= RESOLVE_SECONDS:
            self.resolve(now)
        for run in self.ended.look():
            for job, dag_id in self.dags.items():
                if run["dag_id"] == dag_id and self.counts(str(run["state"])):
                    self.pending[job] = run
                    self.changed = now

    def resolve(self, now: float) -> None:
        """Find the DAGs of the jobs. A job may be written after the one that waits for it."""
        self.resolved = now
        self.dags = {job: dag_id for job in self.jobs if (dag_id := self.find(job)) is not None}
        lost = [job for job in self.jobs if job not in self.dags]
        self.problem = f"no job of this project has the id {', '.join(lost)}" if lost else ""

    def counts(self, state: str) -> bool:
        """Whether an end is what the trigger waits for. Airflow's `success` is SUCCESS or SUCCESS_WITH_FAILURES."""
        return self.status == "DONE" or (state == "success") == (self.status == "SUCCESS")

    @property
    @override
    def ready(self) -> bool:
        return bool(self.jobs) and len(self.pending) == len(self.jobs)

    @override
    def facts(self) -> dict[str, Any]:
        return {"jobs": dict(self.pending)}

    @override
    def state(self, *, taken: bool) -> State:
        return {"offset": self.ended.offset if taken or not self.pending else self.taken}

    @override
    def clear(self) -> None:
        self.taken = self.ended.offset
        self.pending = {}

    @override
    def seen(self) -> dict[str, Any]:
        return {"jobs": {job: {"dag_id": self.dags.get(job), "ended": job in self.pending} for job in self.jobs}}


def job_finder(settings: Settings, dag_id: str) -> Callable[[str], str | None]:
    """Finds the DAG of a job by the id that the job `dag_id` names it with."""

    def find(job_id: str) -> str | None:
        from medallion.project.registry import JobRegistry

        registry = JobRegistry(settings)
        caller = registry.by_dag_id(dag_id)[0].get(dag_id)
        return None if caller is None else registry.by_job_id(caller, job_id)

    return find

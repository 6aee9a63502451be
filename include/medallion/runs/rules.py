"""What a job's settings say about starting runs: how many at once, and whether further ones wait. Pure but for `rules_of`.

Runs at parse time, in the API server and in the jobs service.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medallion.settings import Settings
    from medallion.spec.job import Job
    from medallion.spec.triggers import Continuous, TriggerEntry


@dataclass(frozen=True, slots=True)
class StartRules:
    """What the start of a run is judged by.

    :param limit: runs that may be active at once; 0: every new run is skipped.
    :param queue: a run over the limit waits; else it is skipped.
    :param continuous: an unpaused continuous job: a run that a person starts takes the place of the active one.
    :param retry_tasks: a continuous job tries failed tasks again (`task_retry_mode: ON_FAILURE`); the API's default is
        NEVER.
    """

    limit: int = 1
    queue: bool = True
    continuous: bool = False
    retry_tasks: bool = False


def at_once(moment: datetime) -> datetime:
    """`run_after` of a run that may start at a moment, so that Airflow's scheduler starts it then.

    SQLite compares times as text, and its present has whole seconds: what begins at 12:00:05.3 counts as past from
    12:00:06 on. What begins just before 12:00:05 counts at once.
    """
    return moment.replace(microsecond=0) - timedelta(microseconds=1)


RulesOf = Callable[[str], StartRules | None]
"""The rules of a DAG; None for a DAG that is no job of ours."""


def run_limit(job: Job) -> int:
    """`max_concurrent_runs`: 1 when absent; a continuous job has one run whatever it says."""
    if continuous_blocks(job):
        return 1
    return 1 if job.max_concurrent_runs is None else job.max_concurrent_runs


def continuous_blocks(job: Job) -> list[Continuous | TriggerEntry]:
    """What makes a job continuous: its own block, or an entry of `triggers`; each has a `pause_status`."""
    own = [job.continuous] if job.continuous is not None else []
    return [*own, *(entry for entry in job.triggers or () if entry.continuous is not None)]


def start_rules(job: Job) -> StartRules:
    """The rules of a job.

    The queue is on when the job does not say: so it is for jobs of API 2.2, for those made in the UI, and for bundles
    (the reader of bundles writes it out, as the Databricks CLI does). API 2.1 has it off.
    """
    queue = job.queue.enabled if job.queue is not None else True
    blocks = continuous_blocks(job)
    active = any(str(block.pause_status or "UNPAUSED") != "PAUSED" for block in blocks)
    modes = {str(getattr(getattr(block, "continuous", block), "task_retry_mode", "")) for block in blocks}
    return StartRules(run_limit(job), bool(queue), active, "ON_FAILURE" in modes)


def rules_of(settings: Settings) -> RulesOf:
    """The rules as the definitions below the jobs folder have them: a change counts for new runs."""
    from medallion.runs.definitions import Definitions

    definitions = Definitions(settings)

    def look(dag_id: str) -> StartRules | None:
        found = definitions.of(dag_id)
        return start_rules(found.job) if found is not None else None

    return look

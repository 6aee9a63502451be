"""Rows of `job_run_timeline` and `job_task_run_timeline`. Pure; runs in the jobs service."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from medallion.runs import ids, run_conf
from medallion.runs.states import LifeCycle
from medallion.runs.system_tables.history import ACCOUNT, WORKSPACE, job_id_of
from medallion.runs.system_tables.periods import moment, past_periods, periods
from medallion.runs.system_tables.words import code_word, result_word, trigger_of_run

if TYPE_CHECKING:
    from medallion.runs.report import RunReport
    from medallion.runs.snapshot import Instance, Snapshot
    from medallion.runs.system_tables.periods import Period
    from medallion.runs.task_report import TaskReport
    from medallion.spec.definition import JobDefinition
    from medallion.spec.job import Task

Row = dict[str, Any]
Parameters = Mapping[tuple[str, int], dict[str, str]]
"""What attempts were given, by key of the task or iteration and number of the attempt."""

JOB_RUN = "JOB_RUN"


@dataclass(frozen=True, slots=True)
class Facts:
    """What Airflow's database and the run's folder tell beside the snapshot.

    :param run_type: Airflow's kind of the run.
    :param queued: when it was asked for, in seconds since the epoch.
    :param parent: `parent.json`: the task that started the run; empty for a run that none did.
    :param root: the id of the first task of a chain of runs that start each other; empty likewise.
    """

    run_type: str = "manual"
    conf: Mapping[str, Any] = field(default_factory=dict)
    queued: float | None = None
    user: str | None = None
    parent: Mapping[str, Any] = field(default_factory=dict)
    root: str = ""


@dataclass(frozen=True, slots=True)
class Whole:
    """A run with all that its rows need."""

    definition: JobDefinition | None
    snapshot: Snapshot
    report: RunReport
    facts: Facts

    @property
    def job_id(self) -> str:
        """The job's id."""
        return job_id_of(self.snapshot.dag_id, self.definition)

    @property
    def run_id(self) -> str:
        """The run's id."""
        return str(self.report.run_id)


def run_rows(run: Whole, now: float | None = None) -> list[Row]:
    """The periods of a run: all of one that has ended, those that are over of one that goes on.

    :param now: seconds since the epoch; for a run that goes on.
    """
    ended = run.report.state.ended
    end = run.report.end_time / 1000 if ended else now
    start = run.snapshot.start if run.snapshot.start is not None else end
    if start is None or end is None:
        return []
    base = run_base(run)
    cut = periods if ended else past_periods
    rows = [at_period(base, period) for period in cut(moment(start), moment(end))]
    if ended:
        rows[-1].update(run_result(run, start, end))
    return rows


def run_base(run: Whole) -> Row:
    """What all periods of a run tell."""
    job = run.definition.job if run.definition else None
    clusters = clusters_of(run, job.tasks or () if job else ())
    declared = {item.name: item.default for item in (job.parameters or () if job else ())}
    parent = run.facts.parent.get("task_run_id")
    return {
        "account_id": ACCOUNT,
        "workspace_id": WORKSPACE,
        "job_id": run.job_id,
        "run_id": run.run_id,
        "trigger_type": trigger_of_run(run.facts.run_type, run.facts.conf, job),
        "run_type": str(run.facts.conf.get("run_type") or JOB_RUN),
        "run_name": run.report.job,
        "compute_ids": compute_ids(clusters),
        "job_parameters": texts({**declared, **run_conf.shown(run.facts.conf)}),
        "source_task_run_id": str(parent) if parent else None,
        "root_task_run_id": run.facts.root or None,
        "compute": clusters,
    }


def run_result(run: Whole, start: float, end: float) -> Row:
    """What only the last period of a run tells. Of a job's run all but the whole and the wait are 0 on Databricks."""
    queued = run.facts.queued
    why = run.report.termination
    began = run.report.start_time / 1000 or start
    return {
        "result_state": result_word(run.report.state),
        "termination_code": code_word(why.code) if why else None,
        "termination_type": why.type if why else None,
        "setup_duration_seconds": 0,
        "queue_duration_seconds": max(round(began - queued), 0) if queued is not None else 0,
        "run_duration_seconds": max(round(end - began), 0),
        "cleanup_duration_seconds": 0,
        "execution_duration_seconds": 0,
    }


def at_period(base: Row, period: Period) -> Row:
    """A row of one period."""
    return {**base, "period_start_time": period[0], "period_end_time": period[1]}


def task_rows(run: Whole, parameters: Parameters | None = None, now: float | None = None) -> list[Row]:
    """The periods of the attempts of a run's tasks and iterations, as far as they are over.

    :param parameters: what an attempt was given.
    :param now: seconds since the epoch; for attempts that go on.
    """
    told = parameters or {}
    definitions = {task.task_key: task for task in (run.definition.job.tasks or () if run.definition else ())}
    rows: list[Row] = []
    for task in run.report.tasks:
        rows += unit_rows(run, task, definitions.get(task.task_key), run.run_id, told, now)
        for item in task.iterations or ():
            parent = str(task.run_id) if task.run_id else run.run_id
            rows += unit_rows(run, item, definitions.get(task.task_key), parent, told, now)
    return rows


def unit_rows(
    run: Whole, unit: TaskReport, task: Task | None, parent: str, parameters: Parameters, now: float | None
) -> Iterator[Row]:
    """The rows of a task or iteration: of each attempt, or one row of what never ran."""
    clusters = clusters_of(run, [task] if task is not None else [])
    for attempt in unit.history or (unit,):
        base = {
            "account_id": ACCOUNT,
            "workspace_id": WORKSPACE,
            "job_id": run.job_id,
            "run_id": str(attempt.run_id or unit_run_id(run, attempt)),
            "job_run_id": run.run_id,
            "parent_run_id": parent,
            "task_key": unit.task_key,
            "compute_ids": compute_ids(clusters),
            "compute": clusters,
            "task_parameters": parameters.get((unit.task_key, attempt.attempts), {}),
        }
        start, end = span(run, unit, attempt)
        if attempt.state.ended and end is not None:
            rows = [at_period(base, period) for period in periods(moment(start or end), moment(end))]
            rows[-1].update(task_result(attempt, end - (start or end)))
            yield from rows
        elif start is not None and now is not None and attempt.state.life_cycle is LifeCycle.RUNNING:
            yield from (at_period(base, period) for period in past_periods(moment(start), moment(now)))


def task_result(attempt: TaskReport, seconds: float) -> Row:
    """What only the last period of an attempt tells."""
    why = attempt.termination
    return {
        "result_state": result_word(attempt.state),
        "termination_code": code_word(why.code) if why else None,
        "termination_type": why.type if why else None,
        "setup_duration_seconds": 0,
        "cleanup_duration_seconds": 0,
        "execution_duration_seconds": max(round(seconds), 0),
    }


def span(run: Whole, unit: TaskReport, attempt: TaskReport) -> tuple[float | None, float | None]:
    """Start and end of an attempt in seconds; what never ran ends when Airflow judged it, or with the run."""
    if attempt.start_time:
        return attempt.start_time / 1000, (attempt.end_time or attempt.start_time) / 1000
    judged = instance_of(run.snapshot.instances, unit.task_key)
    at = judged.end if judged is not None and judged.end is not None else None
    if at is None and run.report.end_time:
        at = run.report.end_time / 1000
    return None, at


def instance_of(instances: Iterable[Instance], key: str) -> Instance | None:
    """The task instance of a task that has no iterations."""
    return next((item for item in instances if item.task_id == key), None)


def unit_run_id(run: Whole, attempt: TaskReport) -> int:
    """The id of what never ran: that of an attempt 0."""
    key, _, index = attempt.task_key.partition("[")
    number = int(index.rstrip("]")) if index else -1
    return ids.task_run_id(run.snapshot.dag_id, run.snapshot.run_id, key, number, 0)


def clusters_of(run: Whole, tasks: Iterable[Task]) -> list[Row]:
    """The compute that tasks name, each once."""
    found: dict[tuple[str, str], Row] = {}
    for task in tasks:
        inner = task.payload.task if task.kind == "for_each_task" else task
        cluster = inner.existing_cluster_id
        if cluster is None and inner.job_cluster_key:
            cluster = f"{run.run_id}-{inner.job_cluster_key}"
        warehouse = getattr(inner.payload, "warehouse_id", None) if inner.payload is not None else None
        if cluster:
            found["cluster", cluster] = {"type": "CLUSTER", "cluster_id": cluster, "warehouse_id": None}
        if warehouse:
            found["warehouse", warehouse] = {"type": "WAREHOUSE", "cluster_id": None, "warehouse_id": warehouse}
    return list(found.values())


def compute_ids(clusters: Iterable[Row]) -> list[str]:
    """The ids alone."""
    return [str(item["cluster_id"] or item["warehouse_id"]) for item in clusters]


def texts(values: Mapping[str, Any]) -> dict[str, str]:
    """Values as text."""
    return {str(name): "" if value is None else str(value) for name, value in values.items()}

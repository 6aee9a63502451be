"""A run as the Jobs API tells it, from Airflow's task instances. Pure; runs wherever runs are shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.factory import naming
from medallion.runs import ids
from medallion.runs.records import TIMEOUT, Records
from medallion.runs.states import (
    Cause,
    LifeCycle,
    Result,
    State,
    iterations_state,
    leaves_of,
    run_state,
    task_state,
)
from medallion.spec.disabled import disabled_tasks
from medallion.spec.only import parents_of, selected

if TYPE_CHECKING:
    from medallion.spec.job import Job, Task


@dataclass(frozen=True, slots=True)
class Instance:
    """One task instance of Airflow.

    :param start: seconds since the epoch, of its latest attempt; None when it never started.
    :param label: the input of a for-each iteration, shortened.
    :param canceled: a person ended this attempt, or ended the run before it could start.
    """

    task_id: str
    map_index: int = -1
    state: str | None = None
    try_number: int = 0
    start: float | None = None
    end: float | None = None
    label: str | None = None
    canceled: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One DAG run of Airflow and its task instances at one moment.

    :param only: the run's `only` list; empty for all tasks.
    :param start: of the run, or of its latest repair: Airflow overwrites it.
    :param canceled: a person ended it.
    :param history: attempts that were followed by another, or will be. The latest one is among `instances` alone, or in
        both while it waits for the next.
    :param repairs: how often it was repaired.
    """

    dag_id: str
    run_id: str
    state: str | None
    start: float | None = None
    end: float | None = None
    instances: tuple[Instance, ...] = ()
    only: tuple[str, ...] = ()
    canceled: bool = False
    history: tuple[Instance, ...] = ()
    repairs: int = 0


@dataclass(frozen=True, slots=True)
class TaskReport:
    """One task of the job, or one iteration of a for-each.

    :param attempts: how often it was started; 0 for a task that did not run.
    :param start_time: epoch milliseconds, 0 when it did not start, as the Jobs API says it.
    :param label: the input of an iteration, shortened.
    """

    task_key: str
    state: State
    attempts: int = 0
    start_time: int = 0
    end_time: int = 0
    iterations: tuple[TaskReport, ...] | None = None
    label: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As `medallion run --json` prints it."""
        told: dict[str, Any] = {
            "task_key": self.task_key,
            "life_cycle_state": str(self.state.life_cycle),
            "result_state": str(self.state.result) if self.state.result else None,
            "attempts": self.attempts,
            "start_time": self.start_time,
            "end_time": self.end_time,
        }
        if self.label is not None:
            told["label"] = self.label
        if self.iterations is not None:
            told["iterations"] = [item.to_json() for item in self.iterations]
        return told


@dataclass(frozen=True, slots=True)
class RunReport:
    """A run and its tasks in the job's order."""

    job: str
    run_id: int
    airflow_run_id: str
    state: State
    start_time: int = 0
    end_time: int = 0
    tasks: tuple[TaskReport, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """As `medallion run --json` prints it."""
        return {
            "job": self.job,
            "run_id": self.run_id,
            "airflow_run_id": self.airflow_run_id,
            "life_cycle_state": str(self.state.life_cycle),
            "result_state": str(self.state.result) if self.state.result else None,
            "start_time": self.start_time,
            "end_time": self.end_time,
            "tasks": [task.to_json() for task in self.tasks],
        }


def report(job: Job, snapshot: Snapshot, home: Path | None = None) -> RunReport:
    """The run as the Jobs API tells it. Tasks of ours (cluster start, gates) are not shown.

    :param home: where the records of attempts are; without it a time-out is told by how long a failed task took.
    """
    parents = parents_of(job)
    chosen = selected(parents, snapshot.only)
    by_id: dict[str, list[Instance]] = defaultdict(list)
    for instance in snapshot.instances:
        by_id[instance.task_id].append(instance)
    off = disabled_tasks(job)
    for_each = {task.task_key for task in job.tasks or () if task.kind == "for_each_task"} - off
    seconds = {task.task_key: task.timeout_seconds for task in job.tasks or ()}
    nested = {key: task.payload.task for task in job.tasks or () if (key := task.task_key) in for_each}
    records = Records(home, snapshot.dag_id, snapshot.run_id)
    ended = snapshot.state in {"success", "failed"}
    tasks = []
    for key in parents:
        if key not in chosen:
            continue
        cause = Cause(disabled=key in off, canceled=snapshot.canceled and key not in off)
        if key in for_each:
            inner = nested[key]

            def cause_of(item: Instance, cause: Cause = cause, inner: Task = inner) -> Cause:
                return replace(cause, timed_out=late_of(records, inner.task_key, inner.timeout_seconds, item))

            tasks.append(for_each_report(key, by_id, cause, cause_of))
        else:
            late = any(late_of(records, key, seconds[key], item) for item in by_id.get(key, ()))
            tasks.append(task_report(key, by_id.get(key, ()), replace(cause, timed_out=late), ended=ended))
    # A task whose parents are not part of the run starts at once; a leaf is one without chosen children.
    edges = {key: [parent for parent in above if parent in chosen] for key, above in parents.items() if key in chosen}
    results = {task.task_key: task.state.result for task in tasks}
    late = snapshot.state == "failed" and past(job.timeout_seconds, snapshot.start, snapshot.end)
    cause = Cause(timed_out=late, canceled=snapshot.canceled)
    return RunReport(
        job=job.name or snapshot.dag_id,
        run_id=ids.run_id(snapshot.dag_id, snapshot.run_id),
        airflow_run_id=snapshot.run_id,
        state=run_state(snapshot.state, results, leaves_of(edges), cause),
        start_time=millis(snapshot.start),
        end_time=millis(snapshot.end) if ended else 0,
        tasks=tuple(tasks),
    )


def task_report(key: str, instances: Iterable[Instance], cause: Cause, *, ended: bool) -> TaskReport:
    """One task. A task that Airflow has not made yet waits; in a run that has ended it will never be made."""
    found = list(instances)
    if not found:
        state = State(LifeCycle.SKIPPED, Result.CANCELED) if ended else State(LifeCycle.BLOCKED)
        return TaskReport(key, state)
    return instance_report(key, found[0], cause)


def instance_report(key: str, instance: Instance, cause: Cause) -> TaskReport:
    """One task instance. What did not run has neither attempts nor times, whatever Airflow noted."""
    state = task_state(instance.state, replace(cause, upstream_canceled=cause.canceled))
    if state.life_cycle is LifeCycle.SKIPPED:
        return TaskReport(key, state)
    attempts = instance.try_number if instance.start is not None or state.ended else max(instance.try_number - 1, 0)
    return TaskReport(key, state, attempts, millis(instance.start), millis(instance.end) if state.ended else 0)


def for_each_report(
    key: str, by_id: Mapping[str, list[Instance]], cause: Cause, cause_of: Callable[[Instance], Cause]
) -> TaskReport:
    """A for-each task and its iterations. Where its inputs could not be worked out, it has failed itself.

    :param cause_of: of an iteration.
    """
    instances = sorted(by_id.get(naming.for_each_iterations(key), ()), key=lambda item: item.map_index)
    inputs = by_id.get(naming.for_each_inputs(key), [])
    iterations = tuple(
        replace(instance_report(f"{key}[{item.map_index}]", item, cause_of(item)), label=item.label)
        for item in instances
        if item.map_index >= 0
    )
    if iterations:
        state = iterations_state(item.state for item in iterations)
    elif inputs and inputs[0].state == "failed":
        state = task_state("failed", cause)
    elif inputs and inputs[0].state == "success" and instances and instances[0].state == "skipped":
        # No inputs, no iterations: Airflow skips the mapped task.
        state = State(LifeCycle.TERMINATED, Result.SUCCESS)
    elif instances:
        state = task_state(instances[0].state, cause)
    else:
        state = State(LifeCycle.BLOCKED)
    starts = [item.start_time for item in iterations if item.start_time]
    ends = [item.end_time for item in iterations if item.end_time]
    attempts = max((item.attempts for item in iterations), default=0)
    end = max(ends, default=0) if state.ended else 0
    return TaskReport(key, state, attempts, min(starts, default=0), end, iterations)


def late_of(records: Records, key: str, limit: int | None, item: Instance) -> bool:
    """Whether the latest attempt was ended by its time-out: by its record, else by how long it took."""
    if item.state != "failed":
        return False
    kind = records.failure_kind(key, item.map_index, item.try_number)
    return past(limit, item.start, item.end) if kind is None else kind == TIMEOUT


def past(limit: int | None, start: float | None, end: float | None) -> bool:
    """Whether something that failed ran for as long as its `timeout_seconds`, which then ended it (0: no limit)."""
    return bool(limit and start and end and end - start >= limit)


def millis(seconds: float | None) -> int:
    """Epoch milliseconds; 0 for no time."""
    return round(seconds * 1000) if seconds else 0

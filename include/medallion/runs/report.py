"""A run as the Jobs API tells it, from Airflow's task instances. Pure; runs wherever runs are shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.factory import naming
from medallion.runs import ids
from medallion.runs.notes import Notes, read_notes
from medallion.runs.records import CANCELED, TIMEOUT, Records
from medallion.runs.shape import Shape, shape_of_job
from medallion.runs.states import (
    GOING,
    Cause,
    LifeCycle,
    Result,
    State,
    iterations_state,
    leaves_of,
    run_state,
    task_state,
)
from medallion.runs.termination import Details, details, run_details
from medallion.spec.only import selected
from medallion.spec.run_if import CANCELS, FAILURES

if TYPE_CHECKING:
    from medallion.spec.job import Job

ENDED = frozenset({"success", "failed"})


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
    """One task of the job, one iteration of a for-each, or one attempt of either.

    :param attempts: how often it was started; 0 for a task that did not run. Of an attempt: its number, from 1.
    :param start_time: epoch milliseconds, 0 when it did not start, as the Jobs API says it.
    :param label: the input of an iteration, shortened.
    :param run_id: the Jobs API's id of the attempt, the latest one of a task; 0 for what did not run.
    :param failure: why it failed, from its record: `kind`, `message`, `trace`.
    :param history: its attempts, the earliest first, as far as they are known.
    """

    task_key: str
    state: State
    attempts: int = 0
    start_time: int = 0
    end_time: int = 0
    iterations: tuple[TaskReport, ...] | None = None
    label: str | None = None
    run_id: int = 0
    failure: Mapping[str, Any] | None = None
    history: tuple[TaskReport, ...] = ()

    @property
    def termination(self) -> Details | None:
        """Why it ended."""
        return details(self.state.result, self.failure)

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        told: dict[str, Any] = {
            "task_key": self.task_key,
            "run_id": self.run_id,
            **state_json(self.state, self.termination),
            "attempts": self.attempts,
            "start_time": self.start_time,
            "end_time": self.end_time,
        }
        if self.label is not None:
            told["label"] = self.label
        if self.iterations is not None:
            told["iterations"] = [item.to_json() for item in self.iterations]
        if self.history:
            told["attempt_history"] = [item.attempt_json() for item in self.history]
        return told

    def attempt_json(self) -> dict[str, Any]:
        """As an attempt. The Jobs API counts attempts from 0."""
        return {
            "attempt_number": self.attempts - 1,
            "run_id": self.run_id,
            **state_json(self.state, self.termination),
            "start_time": self.start_time,
            "end_time": self.end_time,
        }


def state_json(state: State, termination: Details | None) -> dict[str, Any]:
    """The words for a state."""
    return {
        "life_cycle_state": str(state.life_cycle),
        "result_state": str(state.result) if state.result else None,
        "termination_details": termination.to_json() if termination else None,
    }


@dataclass(frozen=True, slots=True)
class RunReport:
    """A run and its tasks in the job's order.

    :param start_time: of the run, its repairs included: it starts once.
    :param termination: why it ended.
    :param repair_history: the first part of the run and its repairs (Jobs API, `repair_history`); empty without repairs.
    """

    job: str
    run_id: int
    airflow_run_id: str
    state: State
    start_time: int = 0
    end_time: int = 0
    tasks: tuple[TaskReport, ...] = field(default=())
    termination: Details | None = None
    repair_history: tuple[Mapping[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "job": self.job,
            "run_id": self.run_id,
            "airflow_run_id": self.airflow_run_id,
            **state_json(self.state, self.termination),
            "start_time": self.start_time,
            "end_time": self.end_time,
            "tasks": [task.to_json() for task in self.tasks],
            "repair_history": list(self.repair_history),
        }


def report(job: Job | Shape, snapshot: Snapshot, home: Path | None = None) -> RunReport:
    """The run as the Jobs API tells it. Tasks of ours (cluster start, gates) are not shown.

    :param job: the job, or what is known of it where its definition is gone.
    :param home: where the records of attempts are; without it a time-out is told by how long a failed task took.
    """
    shape = job if isinstance(job, Shape) else shape_of_job(job)
    notes = read_notes(home, snapshot.dag_id, snapshot.run_id) if home else {}
    told: Mapping[str, Any] = notes.get("termination") or {}
    late = snapshot.state == "failed" and (
        past(shape.limit, snapshot.start, snapshot.end) or told.get("result") == Result.TIMEDOUT
    )
    teller = TaskTeller(shape, snapshot, Records(home, snapshot.dag_id, snapshot.run_id), late)
    tasks = teller.tasks()
    results = {task.task_key: task.state.result for task in tasks}
    if late and not snapshot.canceled:
        # What the run's time-out left undone is CANCELED; a person's cancel of a leaf would make the run so too.
        results = {key: Result.FAILED if result is Result.CANCELED else result for key, result in results.items()}
    cause = Cause(timed_out=late, canceled=snapshot.canceled)
    state = run_state(snapshot.state, results, leaves_of(teller.edges), cause)
    if told.get("code") == "MAX_CONCURRENT_RUNS_EXCEEDED" and state.ended:
        state = State(LifeCycle.SKIPPED, Result.MAXIMUM_CONCURRENT_RUNS_REACHED)
    failed = [(task.task_key, str((task.failure or {}).get("message", ""))) for task in tasks if blamed(task)]
    first = notes.get("original") or {}
    ended = millis(snapshot.end) if snapshot.state in ENDED else 0
    return RunReport(
        job=shape.name or snapshot.dag_id,
        run_id=ids.run_id(snapshot.dag_id, snapshot.run_id),
        airflow_run_id=snapshot.run_id,
        state=state,
        start_time=int(first.get("start_time") or millis(snapshot.start)),
        end_time=ended,
        tasks=tasks,
        termination=run_details(state.result, failed, told),
        repair_history=repair_history(notes, state, snapshot, ended),
    )


def blamed(task: TaskReport) -> bool:
    """Whether a task is named as the reason of a run's failure."""
    return task.state.result in {Result.FAILED, Result.TIMEDOUT}


def repair_history(notes: Notes, state: State, snapshot: Snapshot, ended: int) -> tuple[Mapping[str, Any], ...]:
    """The parts of a repaired run; the latest is told from what the run is now."""
    repairs = [dict(item) for item in notes.get("repairs") or ()]
    if not repairs:
        return ()
    result = str(state.result) if state.result else None
    latest = repairs[-1]
    latest.update(start_time=millis(snapshot.start) or latest.get("start_time", 0), end_time=ended, result_state=result)
    latest["life_cycle_state"] = str(state.life_cycle)
    return ({"type": "ORIGINAL", **(notes.get("original") or {})}, *({"type": "REPAIR", **item} for item in repairs))


@dataclass
class TaskTeller:
    """Tells the tasks of one run, parents first: a cancel or a failure above says why a task did not run.

    :param late: the run's own time-out ended it.
    """

    shape: Shape
    snapshot: Snapshot
    records: Records
    late: bool
    by_id: dict[str, list[Instance]] = field(default_factory=lambda: defaultdict(list))
    earlier: dict[tuple[str, int], list[Instance]] = field(default_factory=lambda: defaultdict(list))
    found: dict[str, TaskReport] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Sort the instances by task."""
        over = self.snapshot.state in ENDED
        for instance in self.snapshot.instances:
            # A scheduler may have scheduled a task in the moment in which its run was ended: it never starts.
            dropped = over and instance.state in GOING
            found = replace(instance, state="skipped", canceled=True) if dropped else instance
            self.by_id[instance.task_id].append(found)
        for instance in self.snapshot.history:
            self.earlier[instance.task_id, instance.map_index].append(instance)
        # What ended a run is noted for each attempt; where nothing is, a cancel is told of all that did not succeed.
        self.all_canceled = self.snapshot.canceled and not any(item.canceled for item in self.snapshot.instances)
        chosen = selected(self.shape.parents, self.snapshot.only)
        # A task whose parents are not part of the run starts at once; a leaf is one without chosen children.
        self.edges = {
            key: [parent for parent in above if parent in chosen]
            for key, above in self.shape.parents.items()
            if key in chosen
        }

    def tasks(self) -> tuple[TaskReport, ...]:
        """All tasks of the run, in the job's order."""
        for key in TopologicalSorter(self.edges).static_order():
            self.found[key] = self.task(key)
        return tuple(self.found[key] for key in self.edges)

    def task(self, key: str) -> TaskReport:
        """One task."""
        if key in self.shape.loops:
            return self.for_each(key)
        found = self.by_id.get(key)
        if not found:
            # Airflow has not made it yet; in a run that has ended it never will.
            ended = self.snapshot.state in ENDED
            return TaskReport(key, State(LifeCycle.SKIPPED, Result.CANCELED) if ended else State(LifeCycle.BLOCKED))
        told = self.instance(key, key, found[0])
        gates = self.by_id.get(naming.run_if_gate(key), [])
        if told.state.result is Result.UPSTREAM_FAILED and any(item.canceled for item in gates):
            return TaskReport(key, State(LifeCycle.SKIPPED, Result.CANCELED))
        return told

    def instance(self, key: str, record: str, item: Instance) -> TaskReport:
        """One task instance: its state, why, its attempts.

        :param key: the key that it is shown by.
        :param record: the task key that its records are kept under.
        """
        owner = key.partition("[")[0]
        told = instance_report(key, item, self.cause(owner, record, item))
        attempts = tuple(
            self.attempt(key, record, each) for each in self.attempts_of(item) if told.attempts or each is not item
        )
        if not told.attempts:
            return replace(told, history=attempts)
        latest = attempts[-1] if attempts else told
        return replace(told, run_id=latest.run_id, failure=latest.failure, history=attempts)

    def attempts_of(self, item: Instance) -> list[Instance]:
        """The attempts that ran, the earliest first."""
        older = [each for each in self.earlier[item.task_id, item.map_index] if each.try_number < item.try_number]
        waiting = [each for each in self.earlier[item.task_id, item.map_index] if each.try_number == item.try_number]
        latest = waiting or ([item] if item.try_number > 0 else [])
        return [each for each in older if each.state in ENDED and each.start is not None] + latest

    def attempt(self, key: str, record: str, item: Instance) -> TaskReport:
        """One attempt."""
        told = instance_report(key, item, self.cause(key.partition("[")[0], record, item))
        number = ids.task_run_id(
            self.snapshot.dag_id, self.snapshot.run_id, record or key, item.map_index, item.try_number
        )
        failure = self.records.failure(record, item.map_index, item.try_number) if blamed(told) else None
        return replace(told, attempts=item.try_number, run_id=number, failure=failure)

    def cause(self, owner: str, record: str, item: Instance) -> Cause:
        """What Airflow's state does not tell."""
        kind = self.records.failure_kind(record, item.map_index, item.try_number) if item.state == "failed" else None
        timed_out = kind == TIMEOUT or (kind is None and item.state == "failed" and self.took_too_long(owner, item))
        # A run's time-out leaves what had not ended skipped, without an end.
        by_run = self.late and item.state == "skipped" and item.end is None
        off = owner in self.shape.disabled
        canceled = item.canceled or kind == CANCELED or by_run or self.all_canceled
        above = [self.found[parent].state.result for parent in self.edges.get(owner, ()) if parent in self.found]
        failed = [result for result in above if result in FAILED_ABOVE]
        return Cause(
            timed_out=timed_out,
            canceled=canceled and not off,
            disabled=off,
            upstream_canceled=bool(failed) and all(result in CANCELED_ABOVE for result in failed),
        )

    def took_too_long(self, owner: str, item: Instance) -> bool:
        """Whether an attempt ran for as long as its limit, which then ended it."""
        return past(self.shape.limits.get(owner, 0), item.start, item.end)

    def for_each(self, key: str) -> TaskReport:
        """A for-each task and its iterations. Where its inputs could not be worked out, it has failed itself."""
        instances = sorted(self.by_id.get(naming.for_each_iterations(key), ()), key=lambda item: item.map_index)
        inner = self.shape.loops[key]
        iterations = tuple(
            replace(self.instance(f"{key}[{item.map_index}]", inner, item), label=item.label)
            for item in instances
            if item.map_index >= 0 and item.state != "removed"
        )
        starts = [item.start_time for item in iterations if item.start_time]
        ends = [item.end_time for item in iterations if item.end_time]
        state = self.for_each_state(key, instances, iterations)
        end = max(ends, default=0) if state.ended else 0
        attempts = max((item.attempts for item in iterations), default=0)
        number = ids.task_run_id(self.snapshot.dag_id, self.snapshot.run_id, key, -1, max(attempts, 1))
        return TaskReport(
            key, state, attempts, min(starts, default=0), end, iterations, run_id=number if attempts else 0
        )

    def for_each_state(self, key: str, instances: list[Instance], iterations: tuple[TaskReport, ...]) -> State:
        """The state of the whole."""
        inputs = self.by_id.get(naming.for_each_inputs(key), [])
        if iterations:
            state = iterations_state(item.state for item in iterations)
            late = state.result is Result.FAILED and self.loop_took_too_long(key, inputs, iterations)
            return State(LifeCycle.TERMINATED, Result.TIMEDOUT) if late else state
        if inputs and inputs[0].state == "failed":
            return task_state("failed", self.cause(key, key, inputs[0]))
        if inputs and inputs[0].state == "success" and instances and instances[0].state == "skipped":
            # No inputs, no iterations: Airflow skips the mapped task.
            return State(LifeCycle.TERMINATED, Result.SUCCESS)
        first = instances[0] if instances else None
        return task_state(first.state, self.cause(key, key, first)) if first else State(LifeCycle.BLOCKED)

    def loop_took_too_long(self, key: str, inputs: list[Instance], iterations: tuple[TaskReport, ...]) -> bool:
        """Whether the for-each task's own time-out ended iterations."""
        limit = self.shape.loop_limits.get(key, 0)
        first = inputs[0].start if inputs else None
        late = [item.end_time / 1000 for item in iterations if item.state.result is Result.TIMEDOUT]
        return bool(late) and past(limit, first, max(late))


FAILED_ABOVE = frozenset(Result(str(item)) for item in FAILURES)
CANCELED_ABOVE = frozenset(Result(str(item)) for item in CANCELS)


def instance_report(key: str, instance: Instance, cause: Cause) -> TaskReport:
    """One task instance. What did not run has neither attempts nor times, whatever Airflow noted."""
    state = task_state(instance.state, cause)
    if state.result is Result.CANCELED and instance.state == "skipped" and cause.upstream_canceled:
        state = State(LifeCycle.SKIPPED, Result.UPSTREAM_CANCELED)
    if state.life_cycle is LifeCycle.SKIPPED:
        return TaskReport(key, state)
    attempts = instance.try_number if instance.start is not None or state.ended else max(instance.try_number - 1, 0)
    return TaskReport(key, state, attempts, millis(instance.start), millis(instance.end) if state.ended else 0)


def past(limit: float, start: float | None, end: float | None) -> bool:
    """Whether something that failed ran for as long as its `timeout_seconds`, which then ended it (0: no limit)."""
    return bool(limit and start and end and end - start >= limit)


def millis(seconds: float | None) -> int:
    """Epoch milliseconds; 0 for no time."""
    return round(seconds * 1000) if seconds else 0

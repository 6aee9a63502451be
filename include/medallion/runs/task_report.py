"""The tasks of a run as the Jobs API tells them, from Airflow's task instances. Pure; runs wherever runs are shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any

from medallion.factory import naming
from medallion.runs import ids
from medallion.runs.records import CANCELED, TIMEOUT
from medallion.runs.snapshot import ENDED, Instance, Snapshot, millis, past
from medallion.runs.states import GOING, Cause, LifeCycle, Result, State, iterations_state, task_state
from medallion.runs.termination import CLUSTER_ERROR, Details, details, loop_failure
from medallion.spec.only import selected
from medallion.spec.run_if import CANCELS, FAILURES

if TYPE_CHECKING:
    from medallion.runs.records import Records
    from medallion.runs.shape import Shape


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


def blamed(task: TaskReport) -> bool:
    """Whether a task is named as the reason of a run's failure."""
    return task.state.result in {Result.FAILED, Result.TIMEDOUT}


def task_of(raw: Mapping[str, Any]) -> TaskReport:
    """A task's report from its fields as plain JSON (`dataclasses.asdict`)."""
    iterations = raw["iterations"]
    inner = tuple(task_of(item) for item in iterations) if iterations is not None else None
    history = tuple(task_of(item) for item in raw.get("history", ()))
    return TaskReport(**{**raw, "state": state_of(raw["state"]), "iterations": inner, "history": history})


def state_of(raw: Mapping[str, Any]) -> State:
    """A state from its fields as plain JSON."""
    return State(LifeCycle(raw["life_cycle"]), Result(raw["result"]) if raw["result"] else None)


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
        return self.without_cluster(told)

    def without_cluster(self, told: TaskReport) -> TaskReport:
        """A task that was stopped, though nothing of the job above it was, has failed with its job cluster."""
        above = (
            self.found[parent].state.result for parent in self.edges.get(told.task_key, ()) if parent in self.found
        )
        if told.state.result is not Result.UPSTREAM_FAILED or any(result in FAILED_ABOVE for result in above):
            return told
        for task_id, (start, *_) in self.by_id.items():
            if task_id.endswith(naming.cluster_start("")) and start.state == "failed" and not start.canceled:
                why = self.records.failure(task_id, -1, start.try_number) or {}
                message = f"job cluster {task_id.removesuffix(naming.cluster_start(''))} did not start"
                message += f": {why['message']}" if why.get("message") else ""
                state = State(LifeCycle.INTERNAL_ERROR, Result.FAILED)
                return replace(told, state=state, failure={"kind": CLUSTER_ERROR, "message": message})
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
        """One attempt, by the job as it was then: the inner task of a for-each may have had another key."""
        loop = key.partition("[")[0] if "[" in key else ""
        record = self.shape.at(item.start).loops.get(loop, record) or record
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
        return past(self.shape.at(item.start).limits.get(owner, 0), item.start, item.end)

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
        told = TaskReport(
            key, state, attempts, min(starts, default=0), end, iterations, run_id=number if attempts else 0
        )
        if not iterations:
            return self.without_iterations(told)
        failed = [item.termination.message for item in iterations if blamed(item) and item.termination]
        return replace(told, failure=loop_failure(failed, len(iterations))) if failed else told

    def without_iterations(self, told: TaskReport) -> TaskReport:
        """A for-each task that never looped: its attempts are those that worked out its inputs."""
        inputs = self.by_id.get(naming.for_each_inputs(told.task_key), [])
        if not inputs or told.state.life_cycle is LifeCycle.SKIPPED:
            return told
        found = self.instance(told.task_key, told.task_key, inputs[0])
        return replace(found, state=told.state, iterations=())

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

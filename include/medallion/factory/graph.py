"""Tasks, edges, run_if and job clusters of one DAG. Runs at parse time.

`run_if` and Airflow's trigger rules (measured table in docs/semantics.md):

- ALL_SUCCESS, NONE_FAILED: `none_failed_min_one_success`. Airflow's `all_success` would skip beside an excluded parent.
- ALL_FAILED: `all_failed`.
- ALL_DONE, AT_LEAST_ONE_FAILED: `all_done`, and the task judges its parents when it starts; an unmet rule skips it.
- AT_LEAST_ONE_SUCCESS: an unmet rule means UPSTREAM_FAILED, which a task cannot give itself, and `one_success` would not
  wait for all parents. So two tasks stand in front: one judges, one inherits a failure. See `wire_gate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.empty import EmptyOperator

from medallion.factory import naming
from medallion.factory.operators.cluster import StartCluster, StopCluster
from medallion.factory.operators.condition import ConditionOperator
from medallion.factory.operators.disabled import DisabledOperator
from medallion.factory.operators.for_each import ForEachInputs
from medallion.factory.operators.gate import RunIfGate
from medallion.factory.operators.process import ProcessOperator
from medallion.factory.operators.run_job import RunJobOperator
from medallion.factory.operators.unsupported import UnsupportedOperator
from medallion.factory.retry import LakeflowRetryPolicy, retries
from medallion.spec.disabled import disabled_tasks

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

    from medallion.factory.operators.base import LakeflowOperator
    from medallion.spec.definition import JobDefinition
    from medallion.spec.job import Job, Task


@dataclass(frozen=True, slots=True)
class Node:
    """What stands for one task of the job: parents lead to `entry`, children follow `end`. Mostly one and the same."""

    entry: LakeflowOperator
    end: BaseOperator


OPERATORS: Mapping[str, type[LakeflowOperator]] = {
    "notebook_task": ProcessOperator,
    "spark_python_task": ProcessOperator,
    "python_wheel_task": ProcessOperator,
    "sql_task": ProcessOperator,
    "condition_task": ConditionOperator,
    "run_job_task": RunJobOperator,
}
"""The operator of each kind of task; kinds without a row load and fail with a message."""

TRIGGER_RULES = {
    "ALL_SUCCESS": "none_failed_min_one_success",
    "NONE_FAILED": "none_failed_min_one_success",
    "ALL_FAILED": "all_failed",
    "ALL_DONE": "all_done",
    "AT_LEAST_ONE_FAILED": "all_done",
    "AT_LEAST_ONE_SUCCESS": "one_success",
}
JUDGED = frozenset({"ALL_DONE", "AT_LEAST_ONE_FAILED"})
NO_RETRIES = frozenset({"condition_task"})
"""Kinds without compute, retries and time-outs (Jobs API, `condition_task`)."""


def wire(definition: JobDefinition, digest: str) -> None:
    """Add the job's tasks to the DAG that is open in a `with`."""
    tasks = tuple(definition.job.tasks or ())
    off = disabled_tasks(definition.job)
    nodes = {task.task_key: node_for(definition, task, digest, off) for task in tasks}
    for task in tasks:
        wire_parents(definition, task, nodes, digest, off)
    wire_clusters(definition.job, nodes, digest, off)


def node_for(definition: JobDefinition, task: Task, digest: str, off: frozenset[str]) -> Node:
    """The tasks of Airflow that stand for one task of the job."""
    if task.kind == "for_each_task" and task.task_key not in off:
        return for_each_node(definition, task, digest)
    operator = operator_for(definition, task, digest, off)
    return Node(operator, operator)


def for_each_node(definition: JobDefinition, task: Task, digest: str) -> Node:
    """A for-each task: one that works out the inputs, the mapped iterations, and one that stands for the whole.

    The last takes no process. Its children's rules see one task, whatever the number of iterations: it succeeds when all
    iterations did, and is upstream_failed when one failed.
    """
    nested = task.payload.task
    inputs = ForEachInputs(
        **entry_arguments(definition, task, digest) | {"task_id": naming.for_each_inputs(task.task_key)}
    )
    iterations = (
        OPERATORS.get(nested.kind, UnsupportedOperator)
        .partial(
            task_id=naming.for_each_iterations(task.task_key),
            definition=definition,
            task=nested,
            within=task.task_key,
            digest=digest,
            max_active_tis_per_dagrun=task.payload.concurrency or 1,
            map_index_template="{{ iteration_label }}",
            **limits(nested),
        )
        .expand(iteration=inputs.output)
    )
    whole = EmptyOperator(task_id=task.task_key, trigger_rule="none_failed_min_one_success", doc_md=task.description)
    iterations >> whole
    return Node(inputs, whole)


def operator_for(definition: JobDefinition, task: Task, digest: str, off: frozenset[str]) -> LakeflowOperator:
    """The operator of one task, without edges."""
    arguments = entry_arguments(definition, task, digest)
    if task.task_key in off:
        return DisabledOperator(**{**arguments, "trigger_rule": "all_done", "judged": False})
    if task.kind not in NO_RETRIES:
        arguments |= limits(task)
    if task.kind == "condition_task":
        arguments["edges"] = branches(definition.job, task.task_key, off)
    return OPERATORS.get(task.kind, UnsupportedOperator)(**arguments)


def entry_arguments(definition: JobDefinition, task: Task, digest: str) -> dict[str, Any]:
    """Arguments of the operator that the task's parents lead to."""
    run_if = str(task.run_if or "ALL_SUCCESS")
    parents = task.depends_on or ()
    return {
        "task_id": task.task_key,
        "definition": definition,
        "task": task,
        "digest": digest,
        "trigger_rule": TRIGGER_RULES[run_if] if parents else "all_success",
        "judged": bool(parents) and run_if in JUDGED,
        "doc_md": task.description,
    }


def limits(task: Task) -> dict[str, Any]:
    """Retries and time-out of a task as Airflow's arguments. 0 and absent mean no time-out."""
    interval = timedelta(milliseconds=task.min_retry_interval_millis or 0)
    seconds = task.timeout_seconds or 0
    return {
        "retries": retries(task.max_retries),
        "retry_delay": interval,
        "retry_policy": LakeflowRetryPolicy(interval=interval, on_timeout=bool(task.retry_on_timeout)),
        "execution_timeout": timedelta(seconds=seconds) if seconds else None,
    }


def needs_gate(task: Task, off: frozenset[str]) -> bool:
    """Whether no trigger rule states the task's `run_if` over its parents."""
    run_if = str(task.run_if or "ALL_SUCCESS")
    parents = [edge.task_key for edge in task.depends_on or ()]
    if task.task_key in off or not parents:
        return False
    return (run_if == "AT_LEAST_ONE_SUCCESS" and len(parents) > 1) or (
        run_if in ("AT_LEAST_ONE_SUCCESS", "NONE_FAILED") and any(key in off for key in parents)
    )


def wire_parents(
    definition: JobDefinition, task: Task, nodes: Mapping[str, Node], digest: str, off: frozenset[str]
) -> None:
    """Edges from a task's parents, through its gate where it has one."""
    parents = [nodes[edge.task_key].end for edge in task.depends_on or ()]
    child = nodes[task.task_key].entry
    if needs_gate(task, off):
        wire_gate(definition, task, child, parents, digest)
        return
    for parent in parents:
        parent >> child


def wire_gate(definition: JobDefinition, task: Task, child: LakeflowOperator, parents: list[Any], digest: str) -> None:
    """Two tasks in front of `child`, which runs by `one_success` over them.

    The gate waits for all parents and succeeds when the rule is met, else it is skipped. The other one takes no process:
    it ends upstream_failed when a parent failed, so an unmet rule makes the child upstream_failed, and skipped when all
    parents were excluded, so the child is skipped then.
    """
    gate = RunIfGate(
        task_id=naming.run_if_gate(task.task_key),
        definition=definition,
        task=task,
        digest=digest,
        trigger_rule="all_done",
    )
    inherited = EmptyOperator(
        task_id=naming.none_failed_gate(task.task_key), trigger_rule="none_failed_min_one_success"
    )
    child.trigger_rule = "one_success"  # type: ignore[assignment]  # Airflow converts the text
    for parent in parents:
        parent >> [gate, inherited]
    [gate, inherited] >> child


def branches(job: Job, task_key: str, off: frozenset[str]) -> dict[str, list[str]]:
    """Task ids directly behind each outcome of a condition task, gates among them."""
    edges: dict[str, list[str]] = {"true": [], "false": []}
    for task in job.tasks or ():
        for edge in task.depends_on or ():
            if edge.task_key != task_key or edge.outcome is None:
                continue
            gated = needs_gate(task, off)
            names = [naming.run_if_gate(task.task_key), naming.none_failed_gate(task.task_key)]
            if not gated:
                names = [entry_id(task, off)]
            edges[str(edge.outcome)].extend(names)
    return edges


def entry_id(task: Task, off: frozenset[str]) -> str:
    """Task id of the node's entry."""
    looped = task.kind == "for_each_task" and task.task_key not in off
    return naming.for_each_inputs(task.task_key) if looped else task.task_key


def cluster_of(task: Task) -> str | None:
    """Key of the job cluster that a task, or the iterations of a for-each task, run on."""
    if task.kind == "for_each_task":
        return cluster_of(task.payload.task)
    return task.job_cluster_key


def wire_clusters(job: Job, nodes: Mapping[str, Node], digest: str, off: frozenset[str]) -> None:
    """A setup and a teardown around the tasks of each job cluster that is used.

    The setup stands before the first tasks of the paths that lead to a user of the cluster, never beside another parent:
    it would count as a success in the trigger rule of the task.
    """
    tasks = {task.task_key: task for task in job.tasks or ()}
    children: dict[str, list[str]] = {key: [] for key in tasks}
    for task in tasks.values():
        for edge in task.depends_on or ():
            children[edge.task_key].append(task.task_key)
    for cluster in job.job_clusters or ():
        users = {key for key, task in tasks.items() if cluster_of(task) == cluster.job_cluster_key and key not in off}
        if not users or cluster.new_cluster is None:
            continue
        start = StartCluster(
            task_id=naming.cluster_start(cluster.job_cluster_key),
            job_cluster_key=cluster.job_cluster_key,
            cluster=cluster.new_cluster,
            digest=digest,
            retries=2,
            retry_delay=timedelta(seconds=5),
        ).as_setup()  # type: ignore[no-untyped-call]
        stop = StopCluster(
            task_id=naming.cluster_stop(cluster.job_cluster_key), job_cluster_key=cluster.job_cluster_key
        )
        for key in (key for key, task in tasks.items() if not task.depends_on and reaches(key, users, children)):
            start >> nodes[key].entry
        for key in (
            key for key in tasks if not children[key] and any(reaches(user, {key}, children) for user in users)
        ):
            nodes[key].end >> stop
        stop.as_teardown(setups=start)


def reaches(start: str, goals: set[str], children: Mapping[str, list[str]]) -> bool:
    """Whether one of `goals` is `start` or below it."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        key = waiting.pop()
        if key in goals:
            return True
        if key not in seen:
            seen.add(key)
            waiting.extend(children[key])
    return False

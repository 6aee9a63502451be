"""Tasks, edges, run_if and job clusters of one DAG. Runs at parse time.

`run_if` and Airflow's trigger rules (measured table in docs/semantics.md):

- ALL_SUCCESS, NONE_FAILED: `none_failed_min_one_success`. Airflow's `all_success` would skip beside an excluded parent.
- ALL_DONE, AT_LEAST_ONE_FAILED, ALL_FAILED: `all_done`, and the task judges its parents when it starts; an unmet rule
  skips it. Behind one parent ALL_FAILED is Airflow's `all_failed`.
- AT_LEAST_ONE_SUCCESS: an unmet rule means UPSTREAM_FAILED, which a task cannot give itself, and `one_success` would not
  wait for all parents. So a gate stands in front: it waits for all parents and judges. It fails for UPSTREAM_FAILED.
- ALL_SUCCESS and NONE_FAILED have a gate too where Airflow's rule is not theirs: see `needs_gate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.empty import EmptyOperator

from medallion.factory import naming
from medallion.factory.operators.base import rule_of
from medallion.factory.operators.cluster import StartCluster, StopCluster
from medallion.factory.operators.condition import ConditionOperator
from medallion.factory.operators.dbt import DbtOperator
from medallion.factory.operators.disabled import DisabledOperator
from medallion.factory.operators.for_each import ForEachInputs, ForEachResult
from medallion.factory.operators.gate import RunIfGate
from medallion.factory.operators.jar import JarOperator, SubmitOperator
from medallion.factory.operators.pipeline import PipelineOperator
from medallion.factory.operators.process import ProcessOperator
from medallion.factory.operators.run_job import RunJobOperator
from medallion.factory.operators.sql import AlertOperator, SqlOperator
from medallion.factory.operators.unsupported import UnsupportedOperator
from medallion.factory.retry import ENDLESS, ContinuousRetryPolicy, LakeflowRetryPolicy, retries
from medallion.factory.waiting import must_wait
from medallion.runs.rules import start_rules
from medallion.spec.disabled import disabled_tasks
from medallion.spec.only import parents_of

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
    "sql_task": SqlOperator,
    "alert_task": AlertOperator,
    "dbt_task": DbtOperator,
    "spark_jar_task": JarOperator,
    "spark_submit_task": SubmitOperator,
    "pipeline_task": PipelineOperator,
    "condition_task": ConditionOperator,
    "run_job_task": RunJobOperator,
}
"""The operator of each kind of task; kinds without a row load and fail with a message."""

TRIGGER_RULES = {
    "ALL_SUCCESS": "none_failed_min_one_success",
    "NONE_FAILED": "none_failed_min_one_success",
    "ALL_FAILED": "all_done",
    "ALL_DONE": "all_done",
    "AT_LEAST_ONE_FAILED": "all_done",
    "AT_LEAST_ONE_SUCCESS": "one_success",
}
JUDGED = frozenset({"ALL_DONE", "AT_LEAST_ONE_FAILED", "ALL_FAILED"})
"""Rules whose unmet verdict is EXCLUDED, which a task can give itself."""
NO_RETRIES = frozenset({"condition_task"})
"""Kinds without compute, retries and time-outs (Jobs API, `condition_task`)."""


def distinct_parents(task: Task) -> list[str]:
    """Keys of the task's parents; one that is named for both outcomes counts once."""
    return list(dict.fromkeys(edge.task_key for edge in task.depends_on or ()))


@dataclass(frozen=True)
class Plan:
    """A job as its DAG will have it."""

    definition: JobDefinition
    tasks: Mapping[str, Task] = field(default_factory=dict)
    off: frozenset[str] = frozenset()

    @classmethod
    def of(cls, definition: JobDefinition) -> Plan:
        """The plan of a definition."""
        tasks = {task.task_key: task for task in definition.job.tasks or ()}
        return cls(definition, tasks, disabled_tasks(definition.job))

    @cached_property
    def gated(self) -> frozenset[str]:
        """Keys of the tasks behind a gate."""
        gated = {key for key, task in self.tasks.items() if self.needs_gate(task)}
        hasty = {
            key
            for key, task in self.tasks.items()
            if rule_of(task) not in JUDGED and len(distinct_parents(task)) > 1 and not {key} & (gated | self.off)
        }
        rules = {key: rule_of(task) for key, task in self.tasks.items()}
        return frozenset(gated) | must_wait(parents_of(self.definition.job), rules, hasty)

    def needs_gate(self, task: Task) -> bool:
        """Whether no trigger rule states the task's `run_if` over its parents, and the task cannot judge for itself."""
        parents = distinct_parents(task)
        if task.task_key in self.off or rule_of(task) in JUDGED or not parents:
            return False
        if any(key in self.off for key in parents):
            return True  # Airflow's skipped says EXCLUDED as well as DISABLED
        if len(parents) == 1:
            return False
        # An untaken outcome excludes the task; Airflow's rule would look at the other parents.
        return rule_of(task) == "AT_LEAST_ONE_SUCCESS" or any(edge.outcome for edge in task.depends_on or ())

    def entry_id(self, key: str) -> str:
        """Task id of what a task's parents lead to."""
        if key in self.gated:
            return naming.run_if_gate(key)
        looped = self.tasks[key].kind == "for_each_task" and key not in self.off
        return naming.for_each_inputs(key) if looped else key

    def branches(self, key: str) -> dict[str, list[str]]:
        """Task ids that a condition task excludes itself: those behind one outcome of it and behind nothing else."""
        edges: dict[str, list[str]] = {"true": [], "false": []}
        for task in self.tasks.values():
            if distinct_parents(task) == [key]:
                for edge in task.depends_on or ():
                    if edge.outcome is not None:
                        edges[str(edge.outcome)].append(self.entry_id(task.task_key))
        return edges


def wire(definition: JobDefinition) -> None:
    """Add the job's tasks to the DAG that is open in a `with`."""
    plan = Plan.of(definition)
    nodes = {key: node_for(plan, task) for key, task in plan.tasks.items()}
    for key, task in plan.tasks.items():
        wire_parents(plan, task, [nodes[parent].end for parent in distinct_parents(task)], nodes[key].entry)
    wire_clusters(definition, nodes, plan.off)


def node_for(plan: Plan, task: Task) -> Node:
    """The tasks of Airflow that stand for one task of the job."""
    if task.kind == "for_each_task" and task.task_key not in plan.off:
        return for_each_node(plan, task)
    operator = operator_for(plan, task)
    return Node(operator, operator)


def for_each_node(plan: Plan, task: Task) -> Node:
    """A for-each task: one that works out the inputs, the mapped iterations, one that looks at how they ended, and one
    that stands for the whole.

    The last takes no process. Its children's rules see one task, whatever the number of iterations: it succeeds when all
    iterations did, and is upstream_failed when one failed. It waits for all of them; behind the iterations themselves
    Airflow would end it at the first failure.
    """
    nested = task.payload.task
    common: dict[str, Any] = {"definition": plan.definition, "task": task}
    inputs = ForEachInputs(**entry_arguments(plan, task) | {"task_id": naming.for_each_inputs(task.task_key)})
    iterations = (
        OPERATORS.get(nested.kind, UnsupportedOperator)
        .partial(
            **common | {"task": nested},
            task_id=naming.for_each_iterations(task.task_key),
            within=task.task_key,
            max_active_tis_per_dagrun=task.payload.concurrency or 1,
            map_index_template="{{ task.iteration_label }}",
            **limits(nested),
        )
        .expand(iteration=inputs.output)
    )
    result = ForEachResult(**common, task_id=naming.for_each_result(task.task_key), trigger_rule="all_done")
    whole = EmptyOperator(
        task_id=task.task_key,
        trigger_rule="none_failed_min_one_success",
        doc_md=task.description,
        **limits(task),
    )
    iterations >> result
    [inputs, result] >> whole
    return Node(inputs, whole)


def operator_for(plan: Plan, task: Task) -> LakeflowOperator:
    """The operator of one task, without edges."""
    arguments = entry_arguments(plan, task)
    if task.task_key in plan.off:
        # A first task may stand behind the setup of a cluster, whose children Airflow wants to be all_success.
        rule = "all_done" if task.depends_on else "all_success"
        return DisabledOperator(**{**arguments, "trigger_rule": rule, "judged": False})
    arguments |= limits_in(plan.definition.job, task)
    if task.kind == "condition_task":
        arguments["edges"] = plan.branches(task.task_key)
    return OPERATORS.get(task.kind, UnsupportedOperator)(**arguments)


def entry_arguments(plan: Plan, task: Task) -> dict[str, Any]:
    """Arguments of the operator that the task's parents lead to."""
    parents = distinct_parents(task)
    run_if = rule_of(task)
    judged = bool(parents) and run_if in JUDGED
    rule = TRIGGER_RULES[run_if]
    if run_if == "ALL_FAILED" and len(parents) == 1 and not any(edge.outcome for edge in task.depends_on or ()):
        judged, rule = False, "all_failed"
    return {
        "task_id": task.task_key,
        "definition": plan.definition,
        "task": task,
        "trigger_rule": rule if parents else "all_success",
        "judged": judged,
        "doc_md": task.description,
    }


def limits(task: Task) -> dict[str, Any]:
    """Retries and time-out of a task as Airflow's arguments. 0 and absent mean no time-out."""
    if task.kind in NO_RETRIES:
        return {"retries": 0, "retry_delay": timedelta()}
    interval = timedelta(milliseconds=task.min_retry_interval_millis or 0)
    seconds = task.timeout_seconds or 0
    return {
        "retries": retries(task.max_retries),
        "retry_delay": interval,
        "retry_policy": LakeflowRetryPolicy(interval=interval, on_timeout=bool(task.retry_on_timeout)),
        "execution_timeout": timedelta(seconds=seconds) if seconds else None,
    }


def limits_in(job: Job, task: Task) -> dict[str, Any]:
    """The limits of a task in its job: a continuous job may try its tasks again by itself (`task_retry_mode`)."""
    found = limits(task)
    if not start_rules(job).retry_tasks or task.max_retries is not None or task.kind in NO_RETRIES:
        return found
    others = tuple(item.task_key for item in job.tasks or () if item is not task)
    return {**found, "retries": ENDLESS, "retry_policy": ContinuousRetryPolicy(others)}


def wire_parents(plan: Plan, task: Task, parents: list[Any], child: LakeflowOperator) -> None:
    """Edges from a task's parents, through its gate where it has one."""
    if task.task_key in plan.gated:
        gate = RunIfGate(
            task_id=naming.run_if_gate(task.task_key),
            definition=plan.definition,
            task=task,
            trigger_rule="all_done",
        )
        gate >> child
        child = gate
    for parent in parents:
        parent >> child


def cluster_of(task: Task) -> str | None:
    """Key of the job cluster that a task, or the iterations of a for-each task, run on."""
    if task.kind == "for_each_task":
        return cluster_of(task.payload.task)
    return task.job_cluster_key


def wire_clusters(definition: JobDefinition, nodes: Mapping[str, Node], off: frozenset[str]) -> None:
    """A setup and a teardown around the tasks of each job cluster that is used.

    The setup stands before the first tasks of the paths that lead to a user of the cluster, never beside another parent:
    it would count as a success in the trigger rule of the task.
    """
    job = definition.job
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
            definition=definition,
            task_id=naming.cluster_start(cluster.job_cluster_key),
            job_cluster_key=cluster.job_cluster_key,
            cluster=cluster.new_cluster,
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

"""What the record of a run needs to know of its job: tasks, parents, limits. Pure; runs wherever runs are shown.

It comes from the job's definition, or from the DAG that Airflow keeps of each version of the job, or, when both are gone,
from the task instances alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from medallion.factory import naming
from medallion.spec.disabled import disabled_tasks
from medallion.spec.iterations import iteration_keys
from medallion.spec.only import parents_of

if TYPE_CHECKING:
    from medallion.runs.snapshot import Instance
    from medallion.spec.job import Job

DISABLED_OPERATOR = "DisabledOperator"
OURS = (".run_if", ".inputs", ".iteration", ".result")
"""Ends of the ids of tasks that stand around a task of the job; `factory.naming` makes them."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A job's tasks in their order.

    :param parents: parents by task key.
    :param loops: for-each tasks, with the key that their iterations are kept under; an empty key where it is not known.
    :param limits: `timeout_seconds` by task key, that of the inner task for a for-each task; 0 for none.
    :param loop_limits: `timeout_seconds` of for-each tasks themselves, where they have one.
    :param limit: `timeout_seconds` of the job.
    :param earlier: of a repaired run: the job as it was for its earlier parts, each with the moment (seconds since the
        epoch) at which the next part began.
    """

    name: str
    parents: Mapping[str, Sequence[str]]
    disabled: frozenset[str] = frozenset()
    loops: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, float] = field(default_factory=dict)
    limit: float = 0
    loop_limits: Mapping[str, float] = field(default_factory=dict)
    earlier: tuple[tuple[float, Shape], ...] = ()

    def at(self, moment: float | None) -> Shape:
        """The job as it was for the part of the run that a moment belongs to."""
        return next((shape for until, shape in self.earlier if moment is not None and moment < until), self)


def shape_of_job(job: Job) -> Shape:
    """From a definition."""
    off = disabled_tasks(job)
    kept = iteration_keys(job)
    loops, limits, loop_limits = {}, {}, {}
    for task in job.tasks or ():
        inner = task
        if task.kind == "for_each_task" and task.task_key not in off:
            inner = task.payload.task
            loops[task.task_key] = kept[task.task_key]
            loop_limits[task.task_key] = float(task.timeout_seconds or 0)
        limits[task.task_key] = float(inner.timeout_seconds or 0)
    return Shape(job.name or "", parents_of(job), off, loops, limits, float(job.timeout_seconds or 0), loop_limits)


def shape_of_dag(dag: Any) -> Shape:
    """From the DAG as Airflow keeps it (`SerializedDAG`)."""
    keys = [key for key in dag.task_dict if not naming.is_internal(key)]
    loops = {key: "" for key in keys if naming.for_each_iterations(key) in dag.task_dict}
    limits = {}
    for key in keys:
        limited = dag.task_dict[naming.for_each_iterations(key) if key in loops else key]
        limits[key] = seconds_of(limited.execution_timeout)
    return Shape(
        name=dag.dag_display_name,
        parents={key: parents_in(dag, key) for key in keys},
        disabled=frozenset(key for key in keys if dag.task_dict[key].task_type == DISABLED_OPERATOR),
        loops=loops,
        limits=limits,
        loop_limits={key: seconds_of(dag.task_dict[key].execution_timeout) for key in loops},
        limit=dag.dagrun_timeout.total_seconds() if dag.dagrun_timeout else 0.0,
    )


def seconds_of(limit: timedelta | None) -> float:
    """A time-out of Airflow in seconds; 0 for none."""
    return limit.total_seconds() if limit else 0.0


def parents_in(dag: Any, key: str) -> list[str]:
    """Parents of a task of the job in its DAG: what stands in front of it and is ours is looked through."""
    found: set[str] = set()
    waiting, seen = [key], {key}
    while waiting:
        for above in dag.task_dict[waiting.pop()].upstream_task_ids:
            if not naming.is_internal(above):
                found.add(above)
            elif above not in seen and owner(above) == key:
                seen.add(above)
                waiting.append(above)
    return sorted(found)


def owner(task_id: str) -> str | None:
    """The task of the job that a task of ours stands for; None for one that stands for none (a job cluster's)."""
    if not naming.is_internal(task_id):
        return task_id
    return task_id.rpartition(".")[0] if task_id.endswith(OURS) else None


def shape_of_instances(dag_id: str, instances: Iterable[Instance]) -> Shape:
    """From task instances alone: no edges, so every task is a leaf."""
    ids = dict.fromkeys(item.task_id for item in instances)
    keys = [key for key in ids if not naming.is_internal(key)]
    loops = {key: "" for key in keys if naming.for_each_iterations(key) in ids}
    return Shape(dag_id, dict.fromkeys(keys, ()), loops=loops)

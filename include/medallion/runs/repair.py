"""Repairs a run: what failed, and what depends on it, runs again in the same run. In the API server or the run's process.

Airflow's part is a clear of chosen task instances on the newest version of the job. Which ones are chosen is decided here,
by the Jobs API's rules (`runs/repair`) and, where nothing is named, those of the "Repair run" page:

- no tasks named: the tasks that did not succeed, and all that depends on them;
- tasks named: these, and what depends on them and has not succeeded; with `dependents` also what has succeeded.

A for-each task of which iterations failed runs those again, with the inputs that they had; all of it when a task above it
runs again too, because that may change its inputs. The setup and teardown of the job clusters in use run again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.errors import RunError
from medallion.factory import naming
from medallion.runs import repairs
from medallion.runs.job_versions import job_version_of, pin
from medallion.runs.lookup import dag_now, report_of_snapshot
from medallion.runs.metadata import snapshot_of_run
from medallion.runs.report import RunReport
from medallion.runs.requests import forget_requests
from medallion.runs.run_conf import JOB_PARAMETERS, packed
from medallion.runs.shape import Shape, owner, shape_of_dag
from medallion.runs.snapshot import Snapshot
from medallion.runs.states import Result
from medallion.spec.disabled import FORCED
from medallion.spec.only import reach, selected
from medallion.spec.problems import did_you_mean

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.serialization.definitions.dag import SerializedDAG
    from sqlalchemy.orm import Session

ENDED = frozenset({"success", "failed"})
UNSUCCESSFUL = frozenset(
    {Result.FAILED, Result.TIMEDOUT, Result.CANCELED, Result.UPSTREAM_FAILED, Result.UPSTREAM_CANCELED}
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a repair was asked to do.

    :param tasks: keys of tasks to run again; none: what did not succeed.
    :param dependents: also what depends on them and has succeeded.
    :param parameters: job parameters; they hold for this repair. The next one has those of the run again.
    :param latest_repair_id: refuse when another repair came in between (Jobs API, `latest_repair_id`).
    :param locked: a later repair must name the latest one, as the Jobs API asks; people at a terminal need not.
    """

    tasks: tuple[str, ...] = ()
    dependents: bool = False
    parameters: Mapping[str, str] = field(default_factory=dict)
    latest_repair_id: int | None = None
    locked: bool = False
    who: str = "unknown"


@dataclass(frozen=True, slots=True)
class Plan:
    """What runs again.

    :param tasks: keys of the tasks.
    :param iterations: numbers of the iterations, by for-each task that does not run as a whole.
    :param forced: those that run although they are disabled: the flag does not decide about a repair.
    """

    tasks: frozenset[str]
    iterations: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    forced: frozenset[str] = frozenset()


def plan(shape: Shape, snapshot: Snapshot, told: RunReport, wanted: Wanted) -> Plan:
    """Choose what runs again. Pure.

    :param shape: the job as it is now.
    :param told: the run as it ended.
    :raises RunError: nothing is to be done, or a task is named that the run has not.
    """
    chosen = selected(shape.parents, snapshot.only)
    results = {task.task_key: task.state.result for task in told.tasks}
    named = frozenset(wanted.tasks)
    for key in named - chosen:
        raise RunError(f"the run has no task {key!r}", hint=did_you_mean(key, chosen) or f"it has {', '.join(chosen)}")
    # A task that came into the job since has no result: it runs, as Airflow makes its instance.
    start = named or {key for key in chosen if results.get(key, Result.FAILED) in UNSUCCESSFUL}
    start = {key for key in start if key in results or key not in shape.disabled}
    if not start:
        raise RunError(
            f"every task of the run {told.airflow_run_id} succeeded",
            hint="name the tasks to run again with --tasks",
        )
    below = below_of(shape.parents, start) & chosen
    everything = wanted.dependents or not named
    again = start | {key for key in below if everything or results.get(key) is not Result.SUCCESS}
    return Plan(frozenset(again), failed_iterations(shape, told, again), frozenset(start) & shape.disabled)


def below_of(parents: Mapping[str, Sequence[str]], start: Iterable[str]) -> set[str]:
    """All that depends on some tasks."""
    children: dict[str, list[str]] = {key: [] for key in parents}
    for key, above in parents.items():
        for parent in above:
            children.setdefault(parent, []).append(key)
    return set().union(*(reach(children, key) for key in start))


def failed_iterations(shape: Shape, told: RunReport, again: Collection[str]) -> dict[str, tuple[int, ...]]:
    """The iterations that run again of for-each tasks that do not run again as a whole."""
    found: dict[str, tuple[int, ...]] = {}
    for task in told.tasks:
        if task.task_key not in again or not task.iterations or task.task_key not in shape.loops:
            continue
        numbers = tuple(
            int(item.task_key.rpartition("[")[2].rstrip("]"))
            for item in task.iterations
            if item.state.result is not Result.SUCCESS
        )
        if numbers and not reach(shape.parents, task.task_key) & set(again):
            found[task.task_key] = numbers
    return found


def repair(session: Session, run: DagRun, wanted: Wanted, home: Path, *, queue: bool = True) -> repairs.Repair:
    """Repair a run that has ended.

    :param queue: let Airflow's scheduler start it; False where this process drives the run.
    :raises RunError: it goes on, another repair came first, the job is gone, or there is nothing to repair.
    """
    from airflow.models.taskinstance import clear_task_instances
    from airflow.utils.state import DagRunState

    refuse(run, wanted, home)
    forget_requests(home, run.dag_id, run.run_id)
    dag = dag_now(session, run.dag_id)
    if dag is None:
        raise RunError(f"the job {run.dag_id} is gone", hint="put its definition back")
    snapshot = snapshot_of_run(session, run, home)
    before = report_of_snapshot(session, run, snapshot, home)
    had, now = job_version_of(session, run, home), shape_of_dag(dag)
    chosen = plan(now, snapshot, before, wanted)
    again = instances_of(run.get_task_instances(session=session), chosen, dag)
    entry = repairs.begin(
        home,
        before,
        run.dag_id,
        tasks=chosen.tasks,
        who=wanted.who,
        clear_number=run.clear_number + 1,
        parameters=dict(wanted.parameters),
        given=dict((run.conf or {}).get(JOB_PARAMETERS) or {}),
        version=had.name if had is not None else None,
        keys=now.parents,
    )
    given = repairs.first_parameters(home, run.dag_id, run.run_id)
    conf = {**(run.conf or {}), JOB_PARAMETERS: {**given, **packed(wanted.parameters)}, FORCED: sorted(chosen.forced)}
    run.conf = {name: value for name, value in conf.items() if value or name not in {JOB_PARAMETERS, FORCED}}
    state = DagRunState.QUEUED if queue else DagRunState.RUNNING
    clear_task_instances(again, session, dag_run_state=state, run_on_latest_version=True)
    pin(session, run, home, versioned=not queue)
    session.flush()
    return entry


def refuse(run: DagRun, wanted: Wanted, home: Path) -> None:
    """Refuse what cannot be repaired now."""
    if str(run.state) not in ENDED:
        raise RunError(
            f"the run {run.run_id} of {run.dag_id} has not ended: {run.state}",
            hint="only a run that has ended can be repaired; `medallion cancel` ends it",
        )
    check_lock(wanted, (repairs.latest(home, run.dag_id, run.run_id) or {}).get("id"))


def check_lock(wanted: Wanted, latest: int | None) -> None:
    """See that no other repair came in between. Pure. Source: databricks-sdk, `RepairRun.latest_repair_id`.

    :param latest: id of the run's latest repair; None before the first.
    :raises RunError: another repair is the latest, or none is named where one must be.
    """
    if wanted.latest_repair_id is None:
        if wanted.locked and latest is not None:
            raise RunError(f"the run was repaired before: latest_repair_id is needed, and it is {latest}")
    elif wanted.latest_repair_id != latest:
        raise RunError(f"the latest repair of the run is {latest}, not {wanted.latest_repair_id}")


def instances_of(instances: Iterable[TaskInstance], chosen: Plan, dag: SerializedDAG) -> list[TaskInstance]:
    """The task instances to clear: those of the tasks, and the setups and teardowns of their job clusters."""
    ids: set[str] = set()
    for key in chosen.tasks:
        ids |= around(key, whole=key not in chosen.iterations)
    clusters = clusters_of(dag, ids | {naming.for_each_iterations(key) for key in chosen.iterations})
    parts = {
        (naming.for_each_iterations(key), number) for key, numbers in chosen.iterations.items() for number in numbers
    }
    return [item for item in instances if item.task_id in ids | clusters or (item.task_id, item.map_index) in parts]


def around(key: str, *, whole: bool) -> set[str]:
    """Ids of the tasks of Airflow that stand for a task of the job.

    :param whole: False for a for-each task of which iterations run again alone: its rule was met, its inputs stay.
    """
    ends = {key, naming.for_each_result(key)}
    if not whole:
        return ends
    return ends | {naming.run_if_gate(key), naming.for_each_inputs(key), naming.for_each_iterations(key)}


def clusters_of(dag: SerializedDAG, ids: Collection[str]) -> set[str]:
    """Setups and teardowns around tasks."""
    found: set[str] = set()
    for task_id in ids:
        task: Any = dag.task_dict.get(task_id)
        if task is not None:
            found.update(item.task_id for item in task.get_upstreams_only_setups_and_teardowns())
    return {task_id for task_id in found if owner(task_id) is None}

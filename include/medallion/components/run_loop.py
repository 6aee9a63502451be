"""Runs the tasks of one run, and of the runs that they start, without Airflow's scheduler. In the run's own process.

Airflow's `dag.test` runs one task after the other, in one process, without time-outs of the run and with its output on
the terminal. Here each task has a supervisor process of its own, forked from this one, which has all of Airflow loaded:
independent tasks run side by side, a task's log goes to its log file, its time-out ends it. States, retries and rules
are Airflow's own (`DagRun.update_state`, `schedule_tis`).
"""

from __future__ import annotations

import contextlib
import getpass
import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

import psutil

from medallion.components.task_process import defer_in_child, supervise_in_child
from medallion.core.descendants import children, descendants, end_below, signal_all
from medallion.errors import RunError
from medallion.runs.cancel import ENDED_TASK, Canceller
from medallion.runs.job_versions import pin
from medallion.runs.metadata import snapshot_of_run
from medallion.runs.notes import read_notes
from medallion.runs.requests import requests_of
from medallion.runs.time_limits import LIMIT

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy.orm import Session

    from medallion.runs.snapshot import Snapshot

TICK = 0.25
"""Seconds between looks when no task ends: retries, deferred tasks, the run's time-out."""
REPEAT = 3.0
ENDED = frozenset({"success", "failed"})


@dataclass
class Slot:
    """A task instance that has a process."""

    process: BaseProcess
    run: str
    task_id: str
    instance_id: Any
    deferred: bool = False


@dataclass
class RunLoop:
    """One run from start to end.

    :param session: of Airflow's database.
    :param bundle: name of the DAG bundle that holds the DAG files.
    :param parallelism: tasks at once.
    :param home: where the notes of runs are.
    :param tell: called with a snapshot whenever something changed.
    """

    session: Session
    run: DagRun
    bundle: str
    parallelism: int
    home: Path
    tell: Callable[[Snapshot], None]
    slots: dict[Any, Slot] = field(default_factory=dict)
    last: Snapshot | None = None
    told: float = 0.0
    begun: dict[tuple[str, str], float] = field(default_factory=dict)
    """By run, when it was first seen on the monotonic clock: the wall clock may be set while it goes on."""

    def __post_init__(self) -> None:
        """Fork, not spawn: a task starts with Airflow imported."""
        self.fork = multiprocessing.get_context("fork")
        self.runs: list[DagRun] = [self.run]
        self.since = self.run.queued_at or self.run.start_date

    def drive(self) -> Snapshot:
        """Run to the end; gives the last snapshot."""
        while True:
            self.session.expire_all()
            self.adopt()
            self.obey()
            for run in self.runs:
                if run.state == "running":
                    self.advance(run)
            self.session.commit()
            snapshot = self.report()
            if all(run.state in ENDED for run in self.runs) and not self.slots:
                return snapshot
            self.pause()

    def advance(self, run: DagRun) -> None:
        """One round of a run: what is due is started."""
        if self.out_of_time(run):
            self.end_run(run)
            return
        due, _ = run.update_state(session=self.session)
        if run.state != "running":
            return
        run.schedule_tis(due, session=self.session)
        self.session.commit()
        self.session.expire_all()
        instances = run.get_task_instances(session=self.session)
        for instance in self.startable(run, instances):
            self.start(run, instance)

    def startable(self, run: DagRun, instances: Iterable[TaskInstance]) -> list[TaskInstance]:
        """The instances that may start now: within the machine's slots and each task's own limit."""
        found, active = [], Counter((slot.run, slot.task_id) for slot in self.slots.values())
        # One that waits for a run it started must not keep that run's tasks from their slots.
        free = self.parallelism - sum(not slot.deferred for slot in self.slots.values())
        for instance in sorted(instances, key=lambda item: (item.task_id, item.map_index)):
            if instance.id in self.slots or str(instance.state) not in {"scheduled", "deferred"}:
                continue
            if str(instance.state) == "deferred":
                found.append(instance)  # a trigger waits, it needs no slot
                continue
            limit = run.dag.get_task(instance.task_id).max_active_tis_per_dagrun if run.dag else None
            key = (run.run_id, instance.task_id)
            if free <= 0 or (limit and active[key] >= limit):
                continue
            found.append(instance)
            active[key] += 1
            free -= 1
        return found

    def start(self, run: DagRun, instance: TaskInstance) -> None:
        """Give an instance a process."""
        from airflow.utils.state import TaskInstanceState

        deferred = str(instance.state) == "deferred"
        target: Callable[..., None] = defer_in_child
        arguments: tuple[Any, ...] = (instance.id,)
        if not deferred:
            from airflow.executors.workloads import ExecuteTask
            from airflow.executors.workloads.base import BundleInfo

            instance.state = TaskInstanceState.QUEUED
            self.session.commit()
            workload = ExecuteTask.make(instance, bundle_info=BundleInfo(name=self.bundle, version=run.bundle_version))
            target, arguments = supervise_in_child, (workload,)
        process = self.fork.Process(target=target, args=arguments)
        process.start()
        self.slots[instance.id] = Slot(process, run.run_id, instance.task_id, instance.id, deferred)

    def pause(self) -> None:
        """Wait until a task's process ends, or a little; take note of the ended ones."""
        if self.slots:
            wait([slot.process.sentinel for slot in self.slots.values()], timeout=TICK)
        else:
            time.sleep(TICK if self.run.state == "running" else 0)
        for key, slot in list(self.slots.items()):
            if not slot.process.is_alive():
                slot.process.join()
                del self.slots[key]
                self.settle(slot)

    def settle(self, slot: Slot) -> None:
        """A supervisor that died without telling the task's end: the task failed, or is tried again."""
        from airflow.models.taskinstance import TaskInstance

        self.session.expire_all()
        instance = self.session.get(TaskInstance, slot.instance_id)
        if instance is None or str(instance.state) not in {"queued", "running"}:
            return
        instance.task = self.run.dag.get_task(instance.task_id) if self.run.dag else None
        status = slot.process.exitcode
        instance.handle_failure(error=f"the task's process ended with status {status}", session=self.session)
        self.session.commit()

    def adopt(self) -> None:
        """Take over the runs that tasks of this run start (`run_job_task`): no scheduler would."""
        from airflow.models.dagrun import DagRun
        from airflow.utils.state import DagRunState
        from airflow.utils.types import DagRunTriggeredByType
        from sqlalchemy import select

        query = select(DagRun).where(
            DagRun.state == DagRunState.QUEUED,
            DagRun.triggered_by == DagRunTriggeredByType.OPERATOR,
            DagRun.queued_at >= self.since,
        )
        from airflow.models.dagbag import DBDagBag
        from airflow.sdk import timezone

        for run in self.session.scalars(query):
            dag = DBDagBag().get_latest_version_of_dag(run.dag_id, session=self.session)
            if dag is not None:
                run.dag = dag
                run.state = DagRunState.RUNNING
                run.start_date = timezone.utcnow()
                pin(self.session, run, self.home, versioned=True)
                self.runs.append(run)
                run.notify_dagrun_state_changed(msg="started")

    def out_of_time(self, run: DagRun) -> bool:
        """Whether the job's own time-out has passed; a changed one counts for a run that goes on."""
        limit = run.dag.dagrun_timeout.total_seconds() if run.dag and run.dag.dagrun_timeout else 0.0
        limit = float(read_notes(self.home, run.dag_id, run.run_id).get(LIMIT, limit))
        begun = self.begun.setdefault((run.dag_id, run.run_id), time.monotonic())
        return bool(limit and run.start_date and time.monotonic() - begun > limit)

    def obey(self) -> None:
        """Cancel what people asked for meanwhile."""
        for run in self.runs:
            for place, request in requests_of(self.home, run.dag_id, run.run_id):
                with contextlib.suppress(RunError):  # it has ended by itself
                    canceller = self.canceller(request.who)
                    canceller.task(run, request.task_key) if request.task_key else canceller.run(run)
                self.session.commit()
                place.unlink(missing_ok=True)

    def cancel(self) -> None:
        """End all tasks and runs."""
        self.session.rollback()
        self.session.expire_all()
        for run in self.runs:
            if run.state not in ENDED:
                self.canceller(getpass.getuser()).end(run)
        self.session.commit()

    def canceller(self, who: str) -> Canceller:
        """Ends runs and tasks of which this process holds the processes."""
        return Canceller(self.session, self.home, who, stop=self.stop)

    def stop(self, instances: Collection[TaskInstance]) -> None:
        """End the processes of task instances."""
        ids = {item.id for item in instances}
        stop_processes(slot.process for key, slot in self.slots.items() if key in ids)

    def end_run(self, run: DagRun) -> None:
        """End a run that is past its time: its tasks' processes are ended, what has not ended is skipped, the run failed.

        As Airflow's scheduler does it: teardowns do not run, the listener gives leases back.
        """
        from airflow.utils.state import DagRunState, TaskInstanceState

        mine = [slot for slot in self.slots.values() if slot.run == run.run_id]
        stop_processes(slot.process for slot in mine)
        self.session.expire_all()
        for instance in run.get_task_instances(session=self.session):
            if str(instance.state) not in ENDED_TASK:
                instance.state = TaskInstanceState.SKIPPED
        run.set_state(DagRunState.FAILED)
        self.session.commit()
        run.notify_dagrun_state_changed(msg="timed_out")

    def report(self) -> Snapshot:
        """Tell the run's state when it changed."""
        snapshot = snapshot_of_run(self.session, self.run, self.home)
        # Told again after a while though nothing changed: that is how a run notices that nobody listens any more.
        if snapshot != self.last or time.monotonic() - self.told > REPEAT:
            self.last, self.told = snapshot, time.monotonic()
            self.tell(snapshot)
        return snapshot


def stop_processes(processes: Iterable[BaseProcess], patience: float = 10.0) -> None:
    """SIGTERM to supervisors, which end their tasks; after a while SIGKILL to them and to all below them.

    :param patience: seconds for all of them together.
    """
    asked = [process for process in processes if process.is_alive() and process.pid]
    below = [child for process in asked for child in known(descendants(children(process.pid or 0)))]
    signal_all([process.pid or 0 for process in asked], signal.SIGTERM)
    end = time.monotonic() + patience
    for process in asked:
        process.join(max(end - time.monotonic(), 0.01))
        if process.is_alive() and process.pid:
            os.kill(process.pid, signal.SIGSTOP)  # it starts nothing more while what it has started is ended
            end_below(process.pid)
            process.kill()
            process.join()
    for child in below:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()


def known(pids: Iterable[int]) -> list[psutil.Process]:
    """Processes that will not be taken for others that get their numbers later."""
    found = []
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(psutil.Process(pid))
    return found

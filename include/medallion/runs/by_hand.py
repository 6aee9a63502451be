"""What people do to runs in Airflow's own pages and API, told in Medallion's words. Runs in listeners.

"Mark failed" of a run or task that goes on is a cancel. Airflow tells the listener of it in the API server, in the
transaction of the request; who asked is in Airflow's audit log, in the same transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from medallion.runs import repairs
from medallion.runs.cancel import Canceller, mark_of, note_canceled, parent_was_canceled
from medallion.runs.job_versions import job_version_of, version_before_clear
from medallion.runs.lookup import report_of, shape_of_run
from medallion.runs.metadata import settings_home, snapshot_of_run
from medallion.runs.notes import note
from medallion.runs.records import Records
from medallion.runs.report import report
from medallion.runs.shape import owner, shape_of_job
from medallion.runs.snapshot import Instance, Snapshot

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy.orm import Session

MANUAL = "manually set"
"""In every message that Airflow gives a listener for a person's doing."""
CHANGED = ("failed", "skipped")


@dataclass(frozen=True, slots=True)
class Request:
    """Who asked for a change, and when."""

    who: str
    when: datetime


def request_for(session: Session, dag_id: str, run_id: str, *words: str) -> Request:
    """The latest entry of Airflow's audit log for a run.

    :param words: one of them begins or ends the name of the entry's event.
    """
    from airflow.models.log import Log
    from sqlalchemy import or_, select

    events = or_(*(Log.event.contains(word) for word in words))
    query = select(Log.owner, Log.dttm).where(Log.dag_id == dag_id, Log.run_id == run_id, events)
    found = session.execute(query.order_by(Log.id.desc()).limit(1)).first()
    if found is None:
        return Request("unknown", datetime.now(UTC))
    return Request(found[0] or "unknown", found[1] or datetime.now(UTC))


def task_marked_failed(task_instance: TaskInstance) -> None:
    """A person marked a task instance as failed. One that had ended before is no cancel."""
    from sqlalchemy.orm import object_session

    session = object_session(task_instance)
    if session is None:
        return
    asked = request_for(session, task_instance.dag_id, task_instance.run_id, "patch", "bulk")
    if task_instance.end_date is not None and task_instance.end_date < asked.when:
        return
    home = settings_home(task_instance.dag_id)
    note_canceled(home, task_instance.dag_id, task_instance.run_id, asked.who, [mark_of(task_instance)], whole=False)
    canceller = Canceller(session, home, asked.who)
    iteration = task_instance.map_index if task_instance.map_index >= 0 else None
    canceller.cancel_children(task_instance.dag_run, owner(task_instance.task_id), iteration)


def run_marked_failed(run: DagRun) -> None:
    """A person marked a run as failed. Airflow lets its teardowns run and would call the run successful then."""
    from sqlalchemy.orm import object_session

    session = object_session(run)
    if session is None:
        return
    home = settings_home(run.dag_id)
    asked = request_for(session, run.dag_id, run.run_id, "patch", "bulk")
    instances = run.get_task_instances(session=session)
    marks = [
        mark_of(item)
        for item in instances
        if str(item.state) in CHANGED and item.end_date is not None and item.end_date >= asked.when
    ]
    if str(run.state) == "failed" and not marks and run.end_date is not None and run.end_date < asked.when:
        return
    note_canceled(home, run.dag_id, run.run_id, asked.who, marks, whole=True)
    Canceller(session, home, asked.who).end(run, notify=False)


def run_timed_out(run: DagRun) -> None:
    """A run's own time-out ended it: say so, and end the runs that it had started."""
    from sqlalchemy.orm import object_session

    home = settings_home(run.dag_id)
    told = {
        "code": "CANCELED",
        "type": "CLIENT_ERROR",
        "message": "The run took longer than timeout_seconds of its job.",
    }
    note(home, run.dag_id, run.run_id, termination={**told, "result": "TIMEDOUT"})
    session = object_session(run)
    if session is not None:
        Canceller(session, home, "medallion").cancel_children(run, None)


def run_cleared(run: DagRun) -> None:
    """A run starts again because a person cleared tasks of it: that is a repair. A clear in a run that goes on is none."""
    from sqlalchemy.orm import object_session

    session, home = object_session(run), settings_home(run.dag_id)
    known = repairs.latest(home, run.dag_id, run.run_id) or {}
    if session is None or not run.clear_number or run.clear_number <= int(known.get("clear_number", 0)):
        return
    snapshot = snapshot_of_run(session, run, home)
    before, again = before_clear(snapshot, Records(home, run.dag_id, run.run_id))
    had, now = version_before_clear(session, run, home), job_version_of(session, run, home)
    repairs.begin(
        home,
        report(had.definition.job if had else shape_of_run(session, run, before, home), before, home),
        run.dag_id,
        tasks=again,
        who=request_for(session, run.dag_id, run.run_id, "clear", "patch", "bulk").who,
        clear_number=run.clear_number,
        given=dict((run.conf or {}).get("job_parameters") or {}),
        via="airflow",
        version=had.name if had is not None else None,
        keys=shape_of_job(now.definition.job).parents if now is not None else None,
    )


def before_clear(snapshot: Snapshot, records: Records) -> tuple[Snapshot, frozenset[str]]:
    """The run as it was before Airflow cleared instances of it, and the keys of the cleared tasks.

    Airflow keeps each cleared instance in its history, with its try number. Of one whose task the job has no more it keeps
    the times and not the state, which the record of the attempt tells.
    """
    old = {(item.task_id, item.map_index, item.try_number): item for item in snapshot.history}
    instances, cleared = [], set()
    for item in snapshot.instances:
        earlier = old.get((item.task_id, item.map_index, item.try_number))
        waits = item.state in {None, "scheduled", "queued", "restarting"} and earlier is not None
        known = earlier if waits and earlier is not None else item
        instances.append(replace(known, state=lost_state(known, records)) if known.state == "removed" else known)
        if waits and (key := owner(item.task_id)):
            cleared.add(key)
    failed = any(item.state in {"failed", "upstream_failed"} for item in instances)
    ends = [item.end for item in instances if item.end]
    starts = [item.start for item in instances if item.start]
    state = "failed" if failed or snapshot.canceled else "success"
    return (
        replace(
            snapshot,
            instances=tuple(instances),
            state=state,
            start=min(starts, default=snapshot.start),
            end=max(ends, default=None),
        ),
        frozenset(cleared),
    )


def lost_state(item: Instance, records: Records) -> str:
    """How an instance had ended whose task is gone."""
    if item.start is None:
        return "skipped"
    failed = records.failure(item.task_id, item.map_index, item.try_number) is not None
    return "failed" if failed else "success"


def repair_ended(run: DagRun) -> None:
    """A repaired run ended: note how its latest repair did."""
    from sqlalchemy.orm import object_session

    session, home = object_session(run), settings_home(run.dag_id)
    if session is not None and repairs.count(home, run.dag_id, run.run_id):
        session.flush()
        repairs.finish(home, run.dag_id, run.run_id, report_of(session, run, home))


def run_orphaned(run: DagRun) -> None:
    """End a run whose parent was cancelled before it began."""
    from sqlalchemy.orm import object_session

    session, home = object_session(run), settings_home(run.dag_id)
    who = parent_was_canceled(home, run.dag_id, run.run_id)
    if session is not None and who is not None and not run.clear_number:
        Canceller(session, home, who).end(run)

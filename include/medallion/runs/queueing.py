"""Keeps the queue of every job as Databricks does. Runs in the jobs service, about once a second.

Airflow itself holds runs over `max_active_runs` in `queued` and starts them in turn. What it does not do is done here:
a job without a queue skips what is over its limit, whoever started it; nothing waits longer than 48 hours; a schedule's
runs are created while the job is busy, not dropped; a run by hand takes the place of a continuous job's active one.
Backfills that may have only some runs at once have the others wait at a far date, and are let go from here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from medallion.runs.job_versions import definition_of_run
from medallion.runs.restart import cancel_active, end_run
from medallion.runs.rules import RulesOf, StartRules, at_once, rules_of, start_rules
from medallion.runs.skipping import Termination, over_limit, skip_waiting, waited_too_long

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.models.dagrun import DagRun
    from sqlalchemy.orm import Session

    from medallion.runs.changes import RunChange
    from medallion.settings import Settings

log = logging.getLogger(__name__)

LONGEST_WAIT = timedelta(hours=48)
"""How long a run may wait (Databricks page "Configure job queueing")."""
HELD_UNTIL = datetime(9000, 1, 1, tzinfo=UTC)
"""`run_after` of a backfill's run that waits for others of its backfill."""
HELD_FROM = datetime(8000, 1, 1, tzinfo=UTC)
BACKFILL = "backfill"
"""Key of the conf of a backfill's run: `id` of the backfill, `max_concurrent` of its runs."""
TIMETABLES = "medallion.triggers."
"""How the types of our timetables begin in Airflow's table of DAGs."""


@dataclass
class Kept:
    """What one look did.

    :param skipped: Airflow's ids of runs that were skipped.
    :param released: of backfills' runs that may run now.
    :param replaced: of continuous runs that a run by hand took the place of.
    :param given_up: of continuous runs with a task that is not tried again.
    """

    skipped: list[str] = field(default_factory=list)
    released: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    given_up: list[str] = field(default_factory=list)


def keep_queue(session: Session, settings: Settings, now: datetime, rules: RulesOf | None = None) -> Kept:
    """One look at everything that waits; the caller commits.

    :param rules: of a DAG; None: as the definitions have them.
    """
    look_up = rules or rules_of(settings)
    kept = Kept()
    let_schedules_go_on(session)
    for dag_id in waiting_jobs(session, now):
        found = look_up(dag_id)
        if found is None:
            continue
        if found.limit <= 0 or not found.queue:
            kept.skipped += skip_over_limit(session, settings.home, dag_id, found, now)
        elif found.continuous:
            kept.replaced += replace_active(session, settings, dag_id)
    kept.given_up += give_up(session, settings.home)
    kept.skipped += skip_late(session, settings.home, now, look_up)
    kept.released += release_backfills(session, now)
    return kept


def let_schedules_go_on(session: Session) -> None:
    """Have the scheduler create a scheduled run although the job is busy: it waits or is skipped then.

    Airflow would drop it. A continuous job gets none while it has an active run, whoever started that, and only then.
    """
    from airflow.models.dag import DagModel
    from airflow.models.dagrun import DagRun
    from sqlalchemy import and_, exists, or_, select, update

    from medallion.triggers.continuous import TYPE_NAME

    full, continuous = DagModel.exceeds_max_non_backfill, DagModel.timetable_type == TYPE_NAME
    active = exists().where(DagRun.dag_id == DagModel.dag_id, DagRun.state.in_(("queued", "running")))
    wrong = {
        False: and_(full.is_(True), DagModel.timetable_type.startswith(TIMETABLES), or_(~continuous, ~active)),
        True: and_(full.is_(False), continuous, active),
    }
    for right, which in wrong.items():
        # A look first: an update takes the database's lock though it changes nothing.
        if found := list(session.scalars(select(DagModel.dag_id).where(which))):
            mend = update(DagModel).where(DagModel.dag_id.in_(found)).values(exceeds_max_non_backfill=right)
            session.execute(mend.execution_options(synchronize_session=False))


def waiting_jobs(session: Session, now: datetime) -> list[str]:
    """Jobs with runs that wait to be started."""
    from airflow.models.dagrun import DagRun
    from sqlalchemy import select

    query = select(DagRun.dag_id).where(DagRun.state == "queued", DagRun.run_after <= now).distinct()
    return list(session.scalars(query))


def skip_over_limit(session: Session, home: Path, dag_id: str, rules: StartRules, now: datetime) -> list[str]:
    """Skip the runs of a job that wait and have no place: the first few have, and the scheduler is about to start them."""
    queued = [run for run in runs_in(session, dag_id, "queued") if run.run_after <= now]
    if rules.limit <= 0:
        return skip_all(session, home, queued, over_limit(0), now)
    places = max(rules.limit - len(runs_in(session, dag_id, "running")), 0)
    over = [run for run in queued[places:] if not may_wait(session, run, home)]
    return skip_all(session, home, over, over_limit(rules.limit), now)


def runs_in(session: Session, dag_id: str, state: str) -> list[DagRun]:
    """A job's runs in a state, in the order in which Airflow starts them; not those of Airflow's own backfills."""
    from airflow.models.dagrun import DagRun
    from sqlalchemy import select

    query = select(DagRun).where(DagRun.dag_id == dag_id, DagRun.state == state, DagRun.backfill_id.is_(None))
    return list(session.scalars(query.order_by(DagRun.run_after, DagRun.id)))


def may_wait(session: Session, run: DagRun, home: Path) -> bool:
    """Whether this run was started with a queue: its own (`queue.enabled` of run-now), or the job's as it was then."""
    own = (run.conf or {}).get("queue")
    if isinstance(own, dict):
        return bool(own.get("enabled"))
    then = definition_of_run(session, run, home)
    return then is not None and start_rules(then.job).queue


def skip_all(session: Session, home: Path, runs: Iterable[DagRun], why: Termination, now: datetime) -> list[str]:
    """Skip runs; gives the ids of those that still waited."""
    return [run.run_id for run in runs if skip_waiting(session, home, run, why, now)]


def skip_late(session: Session, home: Path, now: datetime, rules: RulesOf) -> list[str]:
    """Skip what has waited for 48 hours. Runs that wait for a date of their own have not begun to wait."""
    from airflow.models.dagrun import DagRun
    from sqlalchemy import select

    since = now - LONGEST_WAIT
    late = select(DagRun).where(DagRun.state == "queued", DagRun.queued_at < since, DagRun.run_after < since)
    runs = [run for run in session.scalars(late) if rules(run.dag_id) is not None]
    return skip_all(session, home, runs, waited_too_long(LONGEST_WAIT / timedelta(hours=1)), now)


def replace_active(session: Session, settings: Settings, dag_id: str) -> list[str]:
    """Cancel the active run of a continuous job that a run by hand waits for, started through Airflow itself."""
    by_hand = [run for run in runs_in(session, dag_id, "queued") if str(run.run_type) == "manual"]
    return cancel_active(session, settings, dag_id) if by_hand else []


def give_up(session: Session, home: Path) -> list[str]:
    """End the runs of continuous jobs whose tasks are tried again, where a task is tried no more.

    Databricks page "Run jobs continuously": the run is cancelled then and a new one starts. It counts as a failed one.
    """
    from airflow.models.dag import DagModel
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy import exists, select

    from medallion.triggers.continuous import TYPE_NAME

    of_run = (TaskInstance.dag_id == DagRun.dag_id, TaskInstance.run_id == DagRun.run_id)
    hopeless = exists().where(*of_run, TaskInstance.state == "failed")
    query = select(DagRun).join(DagModel, DagModel.dag_id == DagRun.dag_id)
    query = query.where(DagModel.timetable_type == TYPE_NAME, DagRun.state == "running", hopeless)
    ended = []
    for run in session.scalars(query):
        then = definition_of_run(session, run, home)
        if then is not None and start_rules(then.job).retry_tasks:
            end_run(session, run, "a task is not tried again")
            ended.append(run.run_id)
    return ended


def release_backfills(session: Session, now: datetime) -> list[str]:
    """Let runs of backfills go as others of the same backfill end, in the order of their dates."""
    from airflow.models.dagrun import DagRun
    from sqlalchemy import select

    held = select(DagRun).where(DagRun.state == "queued", DagRun.run_after >= HELD_FROM).order_by(DagRun.id)
    groups: dict[tuple[str, str], list[DagRun]] = {}
    for run in session.scalars(held):
        if isinstance(mark := (run.conf or {}).get(BACKFILL), dict):
            groups.setdefault((run.dag_id, str(mark.get("id"))), []).append(run)
    released: list[str] = []
    for (dag_id, name), runs in groups.items():
        allowed = int((runs[0].conf or {})[BACKFILL].get("max_concurrent") or 1)
        for run in runs[: max(allowed - active_of_backfill(session, dag_id, name, now), 0)]:
            run.run_after, run.queued_at = at_once(now), now
            released.append(run.run_id)
    return released


def active_of_backfill(session: Session, dag_id: str, name: str, now: datetime) -> int:
    """Runs of one backfill that run or may."""
    from airflow.models.dagrun import DagRun
    from sqlalchemy import func, select

    of_backfill = DagRun.run_id.startswith(backfill_prefix(name), autoescape=True)
    active = DagRun.state.in_(("queued", "running"))
    query = select(func.count()).where(DagRun.dag_id == dag_id, of_backfill, active, DagRun.run_after <= now)
    return session.scalar(query) or 0


def backfill_prefix(name: str) -> str:
    """How the run ids of a backfill begin. Airflow keeps `backfill__` for its own."""
    return f"manual__backfill_{name}_"


class QueueKeeper:
    """`keep_queue` as a follower of the jobs service; changes of runs mean nothing to it."""

    name = "queue"

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.rules = rules_of(settings)

    def consume(self, change: RunChange) -> None:
        """Nothing: the look of the next second sees what it needs."""

    def tick(self, now: float) -> None:
        """One look, in a transaction of its own. A busy database is tried again a second later."""
        from airflow.utils.session import create_session
        from sqlalchemy.exc import OperationalError

        try:
            with create_session() as session:
                kept = keep_queue(session, self.settings, datetime.fromtimestamp(now, tz=UTC), self.rules)
        except OperationalError as error:
            log.info("The database is busy: %s", error)
            return
        for name, found in told(kept):
            log.info("%s: %s", name, ", ".join(found))


def told(kept: Kept) -> Sequence[tuple[str, Any]]:
    """What a look did, in words."""
    return [(item.name.replace("_", " "), found) for item in fields(kept) if (found := getattr(kept, item.name))]

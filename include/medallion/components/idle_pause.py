"""Lets an idle scheduler sleep until something happens. Runs in the scheduler of `medallion up`.

Airflow's scheduler asks its database all that it asks ten times a second (`scheduler_idle_sleep_time`), a fifth of a core
with nothing to do. Whatever it would find there, someone has written, or a time has come. So while no run goes on it
looks again when the database's files change or the next run is due, and else every two seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from math import inf
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

LONGEST_SECONDS = 2.0
"""Airflow's own timers (time-outs of triggers, orphans) and the sign of life wait for the end of a pause."""
GLANCE_SECONDS = 0.03
COARSE_SECONDS = 0.02
"""How far apart two writes may be and leave the same time of change."""
SQLITE = "sqlite:///"

State = tuple[tuple[int, int], ...]


class IdlePause:
    """What the scheduler does between two looks. Called as `time.sleep` is.

    :param database: SQLite's file, written by all components.
    :param outlook: seconds until a run is due by the clock; 0 while runs go on.
    """

    def __init__(
        self,
        database: Path,
        outlook: Callable[[], float],
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.files = (database, database.with_name(f"{database.name}-wal"))
        self.outlook, self.pause, self.clock = outlook, sleep, clock
        self.seen: State | None = None
        self.seen_at = 0.0

    def __call__(self, seconds: float) -> None:
        """Pause for Airflow's own `seconds` while there is something to do, else until there is.

        The last look began at the end of the last pause: what was written since then may not have been seen by it.
        """
        longest = min(self.outlook(), LONGEST_SECONDS) if self.all_seen() else 0.0
        if longest > seconds:
            self.wait(self.clock() + longest)
        else:
            self.pause(seconds)
        self.seen, self.seen_at = self.state(), self.clock()

    def wait(self, end: float) -> None:
        """Pause until the end or the next write; at most the longest pause when the clock is set back."""
        for _ in range(int(LONGEST_SECONDS / GLANCE_SECONDS) + 1):
            self.pause(min(GLANCE_SECONDS, max(end - self.clock(), 0.0)))
            if self.clock() >= end or self.state() != self.seen:
                return

    def all_seen(self) -> bool:
        """Whether nobody has written since the last look began."""
        state = self.state()
        newest = max((changed for changed, _ in state), default=0) / 1e9
        return state == self.seen and newest < self.seen_at - COARSE_SECONDS

    def state(self) -> State:
        """Time of change and size of the database's files: each commit changes them."""
        found = []
        for file in self.files:
            try:
                known = file.stat()
            except FileNotFoundError:
                continue
            found.append((known.st_mtime_ns, known.st_size))
        return tuple(found)


def outlook() -> float:
    """Seconds until a run is due, by Airflow's database; 0 when it cannot say."""
    from datetime import UTC, datetime

    from airflow.utils.session import create_session
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with create_session() as session:
            return seconds_until_due(session, datetime.now(UTC))
    except SQLAlchemyError:
        return 0.0


def seconds_until_due(session: Session, now: datetime) -> float:
    """Seconds until the next run is due by the clock; 0 while a run goes on or waits, infinite when none is planned."""
    from airflow.models.dag import DagModel
    from airflow.models.dagrun import DagRun
    from airflow.utils.state import DagRunState
    from sqlalchemy import func, select

    going_on = select(DagRun.id).where(DagRun.state.in_([DagRunState.QUEUED, DagRunState.RUNNING])).limit(1)
    if session.scalar(going_on) is not None:
        return 0.0
    planned = (DagModel.is_paused.is_(False), DagModel.is_stale.is_(False), DagModel.has_import_errors.is_(False))
    due = session.scalar(select(func.min(DagModel.next_dagrun_create_after)).where(*planned))
    return inf if due is None else max((due - now).total_seconds(), 0.0)


def install() -> None:
    """Give Airflow's scheduler loop this pause, where the database is SQLite: others have no file to look at."""
    from airflow.configuration import conf
    from airflow.jobs import scheduler_job_runner as loop

    address = conf.get_mandatory_value("database", "sql_alchemy_conn")
    if address.startswith(SQLITE):
        file = Path(address.removeprefix(SQLITE).partition("?")[0])
        # The module sleeps in one place: between looks that found nothing to do.
        vars(loop)["time"] = SimpleNamespace(**{**vars(time), "sleep": IdlePause(file, outlook)})

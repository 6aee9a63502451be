"""Starts runs: the one way for `medallion run-now`, `medallion run`, backfills and the API. Runs in the API server.

Starts of one job are taken one after another: the first statement writes the job's row in Airflow's table, which locks
it (or the whole database, with SQLite) until the run is there. So limits and idempotency tokens hold for any number of
callers at once.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.errors import RunError
from medallion.project.naming import gone_file
from medallion.runs import ids
from medallion.runs.notes import note
from medallion.runs.restart import cancel_active
from medallion.runs.rules import RulesOf, StartRules, at_once, rules_of
from medallion.runs.run_conf import JOB_PARAMETERS, packed
from medallion.runs.skipping import Termination, over_limit, skip_tasks, tell, termination_of

if TYPE_CHECKING:
    from airflow.models.dagbag import DBDagBag
    from airflow.models.dagrun import DagRun
    from sqlalchemy.orm import Session

    from medallion.settings import Settings

MAX_TOKEN = 64
"""Characters of an idempotency token (Jobs API, `run-now`)."""
PATIENCE = 60.0
"""Seconds that a start waits for a busy database."""
RULES: dict[Path, RulesOf] = {}
"""By project. The API server has one."""
CONTINUOUS_RESTART = "continuous_restart"
"""Trigger type of a run that took the place of a continuous job's (Jobs API, `TriggerType`)."""
ONE_AT_A_TIME = threading.Lock()
"""SQLite takes one writer; threads of this process need not find out by failing."""


@dataclass(frozen=True, slots=True)
class StartRequest:
    """What a run is started with.

    :param job_parameters: over the job's own.
    :param only: task keys, with `+` as run-now has it; empty for all tasks.
    :param idempotency_token: the same token gives the same run.
    :param queue: whether this run may wait; None: as the job says.
    :param trigger_type: `{{job.trigger.type}}`; None: as Airflow's kind of run says.
    :param extra: further keys of the run's conf.
    :param airflow_run_id: Airflow's id of the run; made up when empty.
    :param run_after: not before this moment; None: now.
    :param user: who asks.
    """

    dag_id: str
    job_parameters: Mapping[str, str] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    idempotency_token: str = ""
    queue: bool | None = None
    trigger_type: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    airflow_run_id: str = ""
    run_after: datetime | None = None
    user: str | None = None

    def __post_init__(self) -> None:
        """Refuse a token that the Jobs API refuses.

        :raises RunError: it is too long.
        """
        if len(self.idempotency_token) > MAX_TOKEN:
            raise RunError(
                f"the idempotency token has {len(self.idempotency_token)} characters",
                hint=f"it may have {MAX_TOKEN} at most",
            )

    @property
    def conf(self) -> dict[str, Any]:
        """The run's conf, as the DAG factory reads it."""
        parts = {
            JOB_PARAMETERS: packed(self.job_parameters),
            "only": list(self.only),
            "queue": None if self.queue is None else {"enabled": self.queue},
            "trigger_type": self.trigger_type,
        }
        return {**{key: value for key, value in parts.items() if value not in (None, {}, [])}, **self.extra}

    def run_id(self, now: datetime) -> str:
        """Airflow's id: from the token where there is one, so that Airflow's unique key holds it."""
        if self.airflow_run_id:
            return self.airflow_run_id
        if self.idempotency_token:
            token = self.idempotency_token.encode("utf-8", "surrogatepass")
            return f"manual__token_{hashlib.sha256(token).hexdigest()[:32]}"
        return ids.new_run_id(now)


@dataclass(frozen=True, slots=True)
class Started:
    """A run that was started, now or before.

    :param new: False when the idempotency token had started it before.
    :param skipped: why it does not run; empty when it runs or waits.
    """

    dag_id: str
    airflow_run_id: str
    state: str
    new: bool = True
    skipped: str = ""

    @property
    def run_id(self) -> int:
        """The Jobs API's id."""
        return ids.run_id(self.dag_id, self.airflow_run_id)

    def to_json(self) -> dict[str, Any]:
        """As the API and `medallion run-now --json` give it. `number_in_job` is the run id, as the Jobs API says."""
        return {
            "run_id": self.run_id,
            "number_in_job": self.run_id,
            "job_id": ids.job_id(self.dag_id),
            "dag_id": self.dag_id,
            "airflow_run_id": self.airflow_run_id,
            "state": self.state,
            "new": self.new,
            "skipped": self.skipped,
        }


def start(settings: Settings, request: StartRequest) -> Started:
    """Start a run in a transaction of its own; waits while the database is busy.

    :raises RunError: there is no such job, or its parameters are refused.
    """
    from airflow.utils.session import create_session
    from sqlalchemy.exc import IntegrityError, OperationalError

    # One id for all tries: a start that could not be written leaves no notes behind under another id.
    request = replace(request, airflow_run_id=request.run_id(datetime.now(UTC)))
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with ONE_AT_A_TIME, create_session() as session:
                return start_run(session, settings, request, known_rules(settings)(request.dag_id))
        except (IntegrityError, OperationalError):
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def known_rules(settings: Settings) -> RulesOf:
    """The rules of a project's jobs, kept for this process."""
    if settings.project not in RULES:
        RULES[settings.project] = rules_of(settings)
    return RULES[settings.project]


def start_run(session: Session, settings: Settings, request: StartRequest, rules: StartRules | None) -> Started:
    """Start a run as part of a transaction.

    :param rules: of the job; None: no limits but Airflow's own.
    :raises RunError: there is no such job, or its parameters are refused.
    """

    lock_job(session, request.dag_id)
    now = datetime.now(UTC)
    run_id = request.run_id(now)
    known = find(session, request.dag_id, run_id)
    if known is not None:
        return Started(request.dag_id, run_id, str(known.state), new=False, skipped=reason(settings, known))
    if rules is not None and rules.continuous:
        request = replace(request, trigger_type=request.trigger_type or CONTINUOUS_RESTART)
        cancel_active(session, settings, request.dag_id, request.user)
    why = verdict(session, request, rules, now)
    if request.idempotency_token:
        note(settings.home, request.dag_id, run_id, idempotency_token=request.idempotency_token)
    if why is not None:
        tell(settings.home, request.dag_id, run_id, why)
    run = create(session, request, run_id, now, skipped=why is not None)
    if rules is not None and rules.continuous:
        hold_back(session, request.dag_id)
    if why is not None:
        run.end_date = now
        skip_tasks(session, run)
        run.note = (why.message, None)
    return Started(request.dag_id, run_id, str(run.state), skipped=why.message if why else "")


def lock_job(session: Session, dag_id: str) -> None:
    """Become the only one who starts runs of the job until the transaction ends.

    :raises RunError: Airflow does not know the job, or its definition is gone or wrong and only its runs go on.
    """
    from airflow.models.dag import DagModel
    from sqlalchemy import select, update

    living = (DagModel.dag_id == dag_id, DagModel.is_stale.is_(False))
    same = update(DagModel).where(*living).values(max_active_runs=DagModel.max_active_runs)
    changed: Any = session.execute(same.execution_options(synchronize_session=False))
    if not changed.rowcount:
        raise RunError(f"Airflow does not know the DAG {dag_id}", hint="`medallion list` shows the jobs")
    if session.scalar(select(DagModel.relative_fileloc).where(DagModel.dag_id == dag_id)) == gone_file(dag_id):
        raise RunError(
            f"the definition of {dag_id} is gone or wrong: its runs go on, and no new one starts",
            hint="`medallion check` says what is wrong",
        )


def hold_back(session: Session, dag_id: str) -> None:
    """Have the scheduler create no run of a continuous job beside the one that was started by hand."""
    from airflow.models.dag import DagModel
    from sqlalchemy import update

    full = update(DagModel).where(DagModel.dag_id == dag_id).values(exceeds_max_non_backfill=True)
    session.execute(full.execution_options(synchronize_session=False))


def find(session: Session, dag_id: str, run_id: str) -> DagRun | None:
    """A run that is there already."""
    from airflow.models.dagrun import DagRun
    from sqlalchemy import select

    return session.scalar(select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id))


def reason(settings: Settings, run: DagRun) -> str:
    """Why a run was skipped; empty when it was not."""
    from medallion.runs.notes import read_notes

    found = termination_of(read_notes(settings.home, run.dag_id, run.run_id))
    return found.message if found else ""


def verdict(session: Session, request: StartRequest, rules: StartRules | None, now: datetime) -> Termination | None:
    """Why a new run may not run; None when it may run or wait."""
    if rules is None:
        return None
    if rules.limit <= 0:
        return over_limit(0)
    waits = rules.queue if request.queue is None else request.queue
    if waits or rules.continuous or active_runs(session, request.dag_id, now) < rules.limit:
        return None
    return over_limit(rules.limit)


def active_runs(session: Session, dag_id: str, now: datetime) -> int:
    """Runs of a job that run or are about to; those of Airflow's own backfills have a limit of their own."""
    from airflow.models.dagrun import DagRun
    from sqlalchemy import func, select

    query = select(func.count()).where(
        DagRun.dag_id == dag_id,
        DagRun.state.in_(("queued", "running")),
        DagRun.backfill_id.is_(None),
        DagRun.run_after <= now,
    )
    return session.scalar(query) or 0


def create(session: Session, request: StartRequest, run_id: str, now: datetime, *, skipped: bool) -> DagRun:
    """The run in Airflow's tables.

    :raises RunError: a parameter has a value that the DAG refuses, or the DAG cannot be read.
    """
    from airflow.sdk.exceptions import AirflowException
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    dag = dags().get_latest_version_of_dag(request.dag_id, session=session)
    if dag is None:
        raise RunError(f"Airflow has not read the DAG {request.dag_id} yet", hint="try again in a few seconds")
    try:
        return dag.create_dagrun(
            run_id=run_id,
            run_after=request.run_after or at_once(now),
            conf=request.conf,
            run_type=DagRunType.MANUAL,
            triggered_by=DagRunTriggeredByType.REST_API,
            triggering_user_name=request.user,
            state=DagRunState.FAILED if skipped else DagRunState.QUEUED,
            session=session,
        )
    except (ValueError, AirflowException) as error:
        raise RunError(f"the run of {request.dag_id} is refused: {error}") from None


@cache
def dags() -> DBDagBag:
    """The DAGs as the database has them. Read ones are kept, and read again when they change."""
    from airflow.models.dagbag import DBDagBag

    return DBDagBag()

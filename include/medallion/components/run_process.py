"""A run outside the scheduler: `python -m medallion.components.run_process`, started by `medallion run`.

Standard input holds the request as JSON; each line of standard output is an event as JSON: a `step`, a `snapshot` or an
`error`. Airflow's own words go to standard error, which is a log file.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, TextIO

from medallion.errors import RunError
from medallion.settings import Settings

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.serialization.definitions.dag import SerializedDAG
    from sqlalchemy.orm import Session

    from medallion.runs.snapshot import Snapshot

BUNDLE = "run"


@dataclass(frozen=True, slots=True)
class Request:
    """What to run.

    :param dag_id: the job's DAG.
    :param dags: the DAG file that builds it, or a folder with it and those of other jobs.
    :param folder: the folder of the DAG bundle, which holds `dags`.
    :param markers: folder with a file per run of this kind; see `database.local_runs`.
    :param conf: the run's conf: `job_parameters`, `only`.
    :param whole: the job starts other jobs, so all DAGs are made known and not this one alone.
    :param repair: repair a run instead of making one: `run`, which it is, and the fields of `runs.repair.Wanted`.
    """

    dag_id: str
    dags: str
    folder: str
    parallelism: int
    markers: str
    conf: dict[str, Any] = field(default_factory=dict)
    whole: bool = False
    repair: dict[str, Any] | None = None

    def to_json(self) -> str:
        """JSON text of the request."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Events:
    """Tells the command what happens: one JSON object a line."""

    stream: TextIO

    def __call__(self, kind: str, value: object) -> None:
        """Tell one thing."""
        self.stream.write(json.dumps({kind: value}, default=str) + "\n")


class Canceled(BaseException):
    """The run is to end now."""


def main() -> int:
    """Run it; the exit status tells only whether this process itself went well."""
    request = Request(**json.load(sys.stdin))
    events = Events(os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1))
    # Whatever Airflow or a plugin prints must not get between the events.
    os.dup2(2, 1)
    try:
        with marked(request) as marker, canceling():
            run(request, events, marker)
    except (BrokenPipeError, Canceled):
        return 1
    except Exception as error:
        from medallion.compute.room import in_words

        told = in_words(error, Settings.load())
        if told is None:
            raise
        events("error", {"message": told.message, "hint": told.hint, "code": told.exit_code})
        return 1
    return 0


@contextmanager
def marked(request: Request) -> Iterator[Path]:
    """Tell others that this process runs tasks: `up` waits for it, `down` ends it.

    After an error the file stays when it names a run, which has not ended then: the next start of Airflow ends it. Who
    ends this process may have taken the file away already.
    """
    from medallion.components.database import marker_of
    from medallion.compute.folder import hold
    from medallion.compute.processes import Identity

    identity = Identity.of(os.getpid())
    folder = Path(request.markers)
    folder.mkdir(exist_ok=True)
    marker = folder / marker_of(identity)
    held = hold(marker)
    try:
        yield marker
    except BaseException:
        if marker.exists() and not marker.stat().st_size:
            marker.unlink(missing_ok=True)
        raise
    finally:
        held.close()
    marker.unlink(missing_ok=True)


@contextmanager
def canceling() -> Iterator[None]:
    """SIGTERM and SIGINT raise Canceled, once."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        raise Canceled

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    yield


def run(request: Request, emit: Events, marker: Path) -> None:
    """Load Airflow, make the run, drive it to its end."""
    from medallion.components.run_follower import follow_beside
    from medallion.components.run_loop import RunLoop
    from medallion.components.task_process import warm_up

    clock = Steps(emit)
    from airflow.utils.session import create_session

    clock.done("airflow")
    with create_session() as session:
        dag = publish(request, session)
        clock.done("parse")
        warm_up()
        clock.done("api")
        dag_run = make_run(request, dag, session) if request.repair is None else repair_run(request, dag, session)
        marker.write_text(f"{dag_run.dag_id}\t{dag_run.run_id}\n", encoding="utf-8")
        settings = Settings.load()
        follow_beside(settings, [emit.stream.fileno()])

        def tell(snapshot: Snapshot) -> None:
            emit("snapshot", asdict(snapshot))

        loop = RunLoop(session, dag_run, BUNDLE, request.parallelism, settings.home, tell)
        try:
            loop.drive()
        except (Canceled, BrokenPipeError):
            loop.cancel()
            loop.report()


class Steps:
    """Tells how long each step of the start took."""

    def __init__(self, emit: Events) -> None:
        self.emit = emit
        self.last = time.monotonic()

    def done(self, name: str) -> None:
        """A step is over."""
        now = time.monotonic()
        self.emit("step", {"name": name, "seconds": round(now - self.last, 2)})
        self.last = now


def publish(request: Request, session: Session) -> SerializedDAG:
    """Parse the job's DAG and write it to the database, as the DAG processor would.

    :raises RunError: the DAG file gave no such DAG; carries its import errors.
    """
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db
    from airflow.sdk.definitions.context import _AIRFLOW_PARSING_CONTEXT_DAG_ID
    from airflow.serialization.serialized_objects import DagSerialization

    manager: Any = DagBundlesManager
    manager().sync_bundles_to_db(session=session)
    session.commit()
    if not request.whole:
        os.environ[_AIRFLOW_PARSING_CONTEXT_DAG_ID] = request.dag_id
    try:
        bag = BundleDagBag(dag_folder=request.dags, bundle_path=Path(request.folder), bundle_name=BUNDLE)
    finally:
        os.environ.pop(_AIRFLOW_PARSING_CONTEXT_DAG_ID, None)
    dag = bag.dags.get(request.dag_id)
    if dag is None:
        told = "\n".join(bag.import_errors.values())
        raise RunError(f"the DAG {request.dag_id} could not be built" + (f":\n{told}" if told else ""))
    sync_bag_to_db(bag, BUNDLE, None, session=session)
    session.commit()
    return DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))


def make_run(request: Request, dag: SerializedDAG, session: Session) -> DagRun:
    """A manual run, as the API server makes it."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    from medallion.runs.job_versions import pin

    now = datetime.now(UTC)
    run = dag.create_dagrun(
        run_id=DagRun.generate_run_id(run_type=DagRunType.MANUAL, logical_date=None, run_after=now),
        logical_date=None,
        data_interval=None,
        run_after=now,
        conf=request.conf,
        run_type=DagRunType.MANUAL,
        triggered_by=DagRunTriggeredByType.CLI,
        triggering_user_name="medallion",
        state=DagRunState.RUNNING,
        start_date=now,
        session=session,
    )
    run.dag = dag
    run.queued_at = run.queued_at or now
    pin(session, run, Settings.load().home, versioned=True)
    session.commit()
    return run


def repair_run(request: Request, dag: SerializedDAG, session: Session) -> DagRun:
    """Clear what has to run again; this process drives it, and no scheduler.

    :raises RunError: there is no such run, or it cannot be repaired.
    """
    from medallion.runs.lookup import find_run
    from medallion.runs.repair import Wanted, repair

    asked = dict(request.repair or {})
    run = find_run(session, asked.pop("run"), request.dag_id)
    wanted = Wanted(**{**asked, "tasks": tuple(asked["tasks"])})
    repair(session, run, wanted, Settings.load().home, queue=False)
    run.dag = dag
    session.commit()
    return run


if __name__ == "__main__":
    sys.exit(main())

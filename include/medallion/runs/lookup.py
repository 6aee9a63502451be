"""Finds a run by what people call it, and tells it. Runs in the API server and in the command line's own reader.

A run is the Jobs API's integer, Airflow's run id, or `latest` of a job.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from medallion.errors import RunError
from medallion.runs import ids
from medallion.runs.metadata import runs_of, snapshot_of_run
from medallion.runs.report import RunReport, report
from medallion.runs.shape import Shape, shape_of_dag, shape_of_instances, shape_of_job
from medallion.runs.snapshot import Snapshot

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.serialization.definitions.dag import SerializedDAG
    from sqlalchemy.orm import Session

LATEST = "latest"


def find_run(session: Session, run: str, dag_id: str | None = None) -> DagRun:
    """The run that is meant.

    :param dag_id: of this job only.
    :raises RunError: there is none, or several and the job does not tell.
    """
    found = candidates(session, run, dag_id)
    where = f" of {dag_id}" if dag_id else ""
    if not found:
        raise RunError(f"there is no run {run}{where}", hint="`medallion runs` lists them")
    if len(found) > 1:
        named = ", ".join(sorted({item.dag_id for item in found})[:5])
        raise RunError(f"several jobs have a run {run}: {named}", hint="name the job with --job")
    return found[0]


def candidates(session: Session, run: str, dag_id: str | None) -> list[DagRun]:
    """The runs that may be meant."""
    from airflow.models.dagrun import DagRun
    from sqlalchemy import select

    if run == LATEST:
        if dag_id is None:
            raise RunError("latest of which job?", hint="name the job with --job")
        return runs_of(session, dag_ids=[dag_id], limit=1)
    query = select(DagRun.id, DagRun.dag_id, DagRun.run_id)
    if dag_id is not None:
        query = query.where(DagRun.dag_id == dag_id)
    if not run.isdigit():
        query = query.where(DagRun.run_id == run)
    rows = session.execute(query.order_by(DagRun.id.desc()))
    chosen = [key for key, job, name in rows if name == run or (run.isdigit() and ids.run_id(job, name) == int(run))]
    return list(session.scalars(select(DagRun).where(DagRun.id.in_(chosen))))


def dag_of(session: Session, run: DagRun, *, latest: bool = False) -> SerializedDAG | None:
    """The run's DAG as Airflow keeps it; None when it is gone.

    :param latest: the job as it is now, and not as it was for this run.
    """
    from airflow.models.dagbag import DBDagBag

    bag = DBDagBag(load_op_links=False)
    if latest:
        return bag.get_latest_version_of_dag(run.dag_id, session=session)
    return bag.get_dag_for_run(run, session=session) or bag.get_latest_version_of_dag(run.dag_id, session=session)


def shape_of_run(session: Session, run: DagRun, snapshot: Snapshot) -> Shape:
    """What is known of the run's job, even when its definition is gone."""
    dag = dag_of(session, run)
    shape = shape_of_dag(dag) if dag is not None else shape_of_instances(run.dag_id, snapshot.instances)
    return replace(shape, loops=inner_keys(run.dag_id, shape.loops)) if shape.loops else shape


def inner_keys(dag_id: str, loops: Iterable[str]) -> dict[str, str]:
    """For-each tasks with the keys that their iterations are kept under, which only the job's definition tells."""
    from medallion.runs.definitions import Definitions
    from medallion.settings import Settings

    definition = Definitions(Settings.load()).of(dag_id)
    known = dict(shape_of_job(definition.job).loops) if definition else {}
    return {key: known.get(key, "") for key in loops}


def report_of(session: Session, run: DagRun, home: Path | None = None) -> RunReport:
    """The run in the Jobs API's words."""
    snapshot = snapshot_of_run(session, run, home)
    return report(shape_of_run(session, run, snapshot), snapshot, home)

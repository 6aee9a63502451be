"""Finds a run by what people call it, and tells it. Runs in the API server and in the command line's own reader.

A run is the Jobs API's integer, Airflow's run id, or `latest` of a job.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from medallion.errors import RunError
from medallion.runs import ids
from medallion.runs.job_versions import definition_of_run, newest_dag_version, store_of
from medallion.runs.metadata import runs_of, snapshot_of_run
from medallion.runs.notes import read_notes
from medallion.runs.report import RunReport, report
from medallion.runs.shape import Shape, shape_of_dag, shape_of_instances, shape_of_job
from medallion.runs.snapshot import Snapshot

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.serialization.definitions.dag import SerializedDAG
    from sqlalchemy.orm import Session

LATEST = "latest"
LONGEST_ID = 250
"""Characters of a run's id in Airflow's database."""

SHOWN = 40


class RunIdError(RunError):
    """A text that no run can have as its id."""


def find_run(session: Session, run: str, dag_id: str | None = None) -> DagRun:
    """The run that is meant.

    :param dag_id: of this job only.
    :raises RunIdError: no run can be called so.
    :raises RunError: there is none, or several and the job does not tell.
    """
    if not run or len(run) > LONGEST_ID or (run.isdigit() and not run.isascii()):
        shown = run if len(run) <= SHOWN else f"{run[:SHOWN]}…"
        raise RunIdError(f"{shown!r} is no run's id", hint="`medallion runs` lists them")
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
    is_number = run.isascii() and run.isdigit()
    if not is_number:
        query = query.where(DagRun.run_id == run)
    rows = session.execute(query.order_by(DagRun.id.desc()))
    chosen = [key for key, job, name in rows if name == run or (is_number and ids.run_id(job, name) == int(run))]
    return list(session.scalars(select(DagRun).where(DagRun.id.in_(chosen))))


def dag_now(session: Session, dag_id: str) -> SerializedDAG | None:
    """A job's DAG as it is now; None when Airflow keeps none."""
    from airflow.models.dagbag import DBDagBag

    return DBDagBag(load_op_links=False).get_latest_version_of_dag(dag_id, session=session)


def dag_of(session: Session, run: DagRun) -> SerializedDAG | None:
    """The run's DAG as Airflow serialised it for the run; None when it is gone."""
    from airflow.models.dagbag import DBDagBag

    dag_version = newest_dag_version(session, run)
    return DBDagBag(load_op_links=False).get_dag(dag_version, session=session) if dag_version else None


def shape_of_run(session: Session, run: DagRun, snapshot: Snapshot, home: Path) -> Shape:
    """What is known of the job as it was for a run, and for the parts of the run before its repairs."""
    definition = definition_of_run(session, run, home)
    if definition is not None:
        shape = shape_of_job(definition.job)
    else:
        dag = dag_of(session, run)
        shape = shape_of_dag(dag) if dag is not None else shape_of_instances(run.dag_id, snapshot.instances)
    return replace(shape, earlier=earlier_parts(run, home)) if run.clear_number else shape


def earlier_parts(run: DagRun, home: Path) -> tuple[tuple[float, Shape], ...]:
    """The job as it was for the parts of a repaired run before its latest repair, each with the end of its part."""
    notes = read_notes(home, run.dag_id, run.run_id)
    repairs = list(notes.get("repairs") or ())
    found = []
    for part, following in zip([notes.get("original") or {}, *repairs], repairs, strict=False):
        version = store_of(home).get(part.get("version"))
        if version is not None:
            found.append((following["start_time"] / 1000, shape_of_job(version.definition.job)))
    return tuple(found)


def report_of(session: Session, run: DagRun, home: Path) -> RunReport:
    """The run in the Jobs API's words, by the job that it had."""
    return report_of_snapshot(session, run, snapshot_of_run(session, run, home), home)


def report_of_snapshot(session: Session, run: DagRun, snapshot: Snapshot, home: Path) -> RunReport:
    """The run as a snapshot has it."""
    return report(shape_of_run(session, run, snapshot, home), snapshot, home)

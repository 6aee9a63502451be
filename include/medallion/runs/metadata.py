"""Runs as Airflow's database has them. Runs in the API server, the scheduler, the jobs service and a run's own process."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.runs.notes import Notes, read_notes
from medallion.runs.snapshot import Instance, Snapshot

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from sqlalchemy.orm import Session

ENDED = ("success", "failed")
"""Airflow's states of a run that has ended."""


def snapshot_of_run(session: Session, dag_run: DagRun, home: Path | None = None) -> Snapshot:
    """A run and its task instances now, earlier attempts included.

    :param home: where the notes of runs are; None: as the settings say.
    """
    notes = read_notes(home or settings_home(dag_run.dag_id), dag_run.dag_id, dag_run.run_id)
    stopped = stopped_by_people(notes)
    history = earlier_attempts(session, dag_run, stopped)
    instances = sorted(current_instances(session, dag_run, stopped), key=lambda item: (item.task_id, item.map_index))
    return Snapshot(
        dag_id=dag_run.dag_id,
        run_id=dag_run.run_id,
        state=str(dag_run.state) if dag_run.state else None,
        start=stamp(dag_run.start_date),
        end=stamp(dag_run.end_date),
        instances=tuple(instances),
        only=only_of(dag_run.conf),
        canceled=bool(notes.get("canceled")),
        history=tuple(sorted(history, key=lambda item: (item.task_id, item.map_index, item.try_number))),
        repairs=len(notes.get("repairs") or ()),
    )


def runs_of(
    session: Session,
    *,
    dag_ids: Sequence[str] | None = None,
    limit: int | None = None,
    active: bool | None = None,
) -> list[DagRun]:
    """Runs, the newest first.

    :param dag_ids: of these DAGs; None: of all.
    :param active: True for those that have not ended, False for those that have, None for both.
    """
    from airflow.models.dagrun import DagRun
    from sqlalchemy import select

    query = select(DagRun).order_by(DagRun.id.desc())
    if dag_ids is not None:
        query = query.where(DagRun.dag_id.in_(dag_ids))
    if active is not None:
        query = query.where(DagRun.state.not_in(ENDED) if active else DagRun.state.in_(ENDED))
    return list(session.scalars(query.limit(limit)))


def only_of(conf: Any) -> tuple[str, ...]:
    """The `only` list of a run's conf."""
    found = conf.get("only") if isinstance(conf, dict) else None
    return tuple(found) if isinstance(found, list) else ()


def stopped_by_people(notes: Notes) -> frozenset[tuple[str, int, int]]:
    """Task id, iteration and try number of each attempt that a person ended, as the notes keep them."""
    return frozenset((task_id, index, number) for task_id, index, number in notes.get("canceled_attempts") or ())


def current_instances(
    session: Session, dag_run: DagRun, stopped: frozenset[tuple[str, int, int]]
) -> Iterable[Instance]:
    """The task instances as they are now."""
    from airflow.models.taskinstance import TaskInstance

    # One that waited when it was ended; see `runs.cancel.mark_of`.
    waited = {(task_id, index, -number - 1) for task_id, index, number in stopped if number < 0}
    return instances_from(session, TaskInstance, dag_run, stopped | waited)


def earlier_attempts(session: Session, dag_run: DagRun, stopped: frozenset[tuple[str, int, int]]) -> Iterable[Instance]:
    """Attempts that were followed by another, or will be."""
    from airflow.models.taskinstancehistory import TaskInstanceHistory

    return instances_from(session, TaskInstanceHistory, dag_run, stopped)


def instances_from(
    session: Session, table: Any, dag_run: DagRun, stopped: frozenset[tuple[str, int, int]]
) -> Iterable[Instance]:
    """Rows of Airflow's task instances or their history. Plain columns: a run is asked for several times a second."""
    from sqlalchemy import select

    columns = (
        *(table.task_id, table.map_index, table.state, table.try_number),
        *(table.start_date, table.end_date, table.rendered_map_index),
    )
    query = select(*columns).where(table.dag_id == dag_run.dag_id, table.run_id == dag_run.run_id)
    for task_id, map_index, state, try_number, start, end, label in session.execute(query):
        yield Instance(
            task_id=task_id,
            map_index=map_index,
            state=str(state) if state else None,
            try_number=try_number,
            start=stamp(start),
            end=stamp(end),
            label=label,
            canceled=(task_id, map_index, try_number) in stopped,
        )


def stamp(moment: Any) -> float | None:
    """Seconds since the epoch."""
    return moment.timestamp() if moment else None


def settings_home(dag_id: str) -> Path:
    """The home folder of a DAG's project.

    :raises SettingsError: no project is known for it.
    """
    from medallion.project.projects import settings_of_dag

    return settings_of_dag(dag_id).home

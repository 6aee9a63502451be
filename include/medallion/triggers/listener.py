"""What Airflow tells that watchers must know: runs that start and end, components that start. Runs in all components."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.listeners import hookimpl

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from sqlalchemy.orm import Session

    from medallion.triggers.firing import Firing

log = logging.getLogger(__name__)

RUNS_BACK = 50
"""Earlier runs that are looked at for the last event that one stood for."""

LAST_EVENT = "start_event"
"""Key of the conf of a run that a watcher started: id of the latest of Airflow's events that it stands for."""


@hookimpl
def on_starting(component: object) -> None:
    """Before the triggerer tells firings again that Airflow may not have: look which ones it has.

    Airflow calls this where the process of a component makes its row, before any trigger runs.
    """
    if type(component).__name__ != "Job":
        return
    try:
        settle()
    except Exception:
        log.exception("The firings of triggers could not be compared with Airflow's events")


def settle() -> None:
    """Mark the firings whose events Airflow has, those of each project."""
    from medallion.project.projects import projects
    from medallion.settings import Settings

    for project in projects():
        settle_home(Settings.load(project).home)


def settle_home(home: Path) -> None:
    """Mark the firings of one home folder."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    from medallion.triggers.assets import start_uri
    from medallion.triggers.firing import firings_of
    from medallion.triggers.store import Store, state_file

    place = state_file(home)
    if not place.is_file():
        return
    store = Store(place)
    try:
        waiting = store.unsettled()
        uris = sorted({start_uri(firing.dag_id) for firing in waiting})
        query = select(AssetEvent.extra).join(AssetModel, AssetModel.id == AssetEvent.asset_id)
        with create_session() as session:
            extras = list(session.scalars(query.where(AssetModel.uri.in_(uris)))) if uris else []
        known = {firing.firing for firing in firings_of(extras)}
        store.settle(firing.firing for firing in waiting if firing.firing in known)
    finally:
        store.close()


@hookimpl
def on_dag_run_running(dag_run: DagRun, msg: str) -> None:
    """Tell a run what started it."""
    try:
        tell(dag_run)
    except Exception:
        log.exception("Run %s of %s could not be told what started it", dag_run.run_id, dag_run.dag_id)


@hookimpl
def on_dag_run_success(dag_run: DagRun, msg: str) -> None:
    """Keep the end of a run for those that wait for it."""
    keep_end(dag_run, "success")


@hookimpl
def on_dag_run_failed(dag_run: DagRun, msg: str) -> None:
    """Keep the end of a run for those that wait for it."""
    keep_end(dag_run, "failed")


def keep_end(dag_run: DagRun, state: str) -> None:
    """Write down the end of a run. A failure here must not hurt the scheduler."""
    from medallion.errors import MedallionError
    from medallion.project.projects import project_of, settings_of_dag
    from medallion.triggers.ended import note_end

    if project_of(dag_run.dag_id) is None:
        return  # no job of ours
    try:
        note_end(settings_of_dag(dag_run.dag_id).home, dag_run.dag_id, dag_run.run_id, state)
    except (MedallionError, OSError):
        log.exception("The end of run %s of %s could not be written down", dag_run.run_id, dag_run.dag_id)


def tell(dag_run: DagRun) -> None:
    """Put what the watcher saw into the run's conf, where references and records look for it.

    A job that was busy gets one run for all firings meanwhile, and Airflow names only the first of them; so the events
    are read here.
    """
    from sqlalchemy.orm import object_session

    from medallion.triggers.firing import firings_of

    session = object_session(dag_run)
    if session is None or dag_run.run_type != "asset_triggered" or LAST_EVENT in (dag_run.conf or {}):
        return
    last, extras = events_since(session, dag_run)
    firings = firings_of(extras)
    if firings:
        conf = conf_of(firings)
        dag_run.conf = {**(dag_run.conf or {}), **conf, LAST_EVENT: last}
        show_commits(session, dag_run, conf.get("table_updates", {}))


def events_since(session: Session, dag_run: DagRun) -> tuple[int, list[Any]]:
    """The events of a job's start that no earlier run stands for: the id of the latest, and `extra` of each."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.models.dagrun import DagRun as Run
    from sqlalchemy import select

    from medallion.triggers.assets import start_uri

    own = {event.id: event.extra for event in dag_run.consumed_asset_events}
    earlier = select(Run.conf).where(
        Run.dag_id == dag_run.dag_id, Run.id < dag_run.id, Run.run_type == "asset_triggered"
    )
    confs = session.scalars(earlier.order_by(Run.id.desc()).limit(RUNS_BACK))
    before = next((conf[LAST_EVENT] for conf in confs if told(conf)), None)
    first = before + 1 if before is not None else min(own, default=0)
    query = select(AssetEvent.id, AssetEvent.extra).join(AssetModel, AssetModel.id == AssetEvent.asset_id)
    query = query.where(AssetModel.uri == start_uri(dag_run.dag_id), AssetEvent.id >= first).order_by(AssetEvent.id)
    if dag_run.queued_at is not None:
        query = query.where(AssetEvent.timestamp <= dag_run.queued_at)  # a later one has a run of its own
    rows = dict(iter(session.execute(query))) or own
    return max(rows, default=0), list(rows.values())


def show_commits(session: Session, dag_run: DagRun, tables: Mapping[str, Any]) -> None:
    """Give the assets of tables an event for each commit that no task of ours made; those tell of theirs themselves."""
    from airflow.models.asset import AssetEvent, AssetModel
    from sqlalchemy import select

    from medallion.triggers.assets import table_asset

    for name, commit in tables.items():
        asset = session.scalar(select(AssetModel).where(AssetModel.uri == table_asset(name).uri))
        if asset is None or commit.get("own"):
            continue
        event = AssetEvent(asset_id=asset.id, extra=dict(commit))
        session.add(event)
        dag_run.consumed_asset_events.append(event)


def told(conf: Any) -> bool:
    """Whether a run's conf names the events it stands for."""
    return isinstance(conf, dict) and LAST_EVENT in conf


def conf_of(firings: Sequence[Firing]) -> dict[str, Any]:
    """The firings as a run's conf has them; the latest names the type of the trigger."""
    conf: dict[str, Any] = {
        "trigger_type": firings[-1].trigger_type.lower(),
        "triggers": [{"key": firing.key, "at": firing.at, **firing.facts} for firing in firings],
    }
    tables: dict[str, Any] = {}
    for firing in firings:
        tables |= firing.facts.get("tables", {})
        if "location" in firing.facts:
            conf["file_arrival_location"] = firing.facts["location"]
    if tables:
        conf |= {"updated_tables": sorted(tables), "table_updates": tables}
    return conf

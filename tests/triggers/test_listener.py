"""What a run that a watcher started is told, from Airflow's own tables."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import pytest

from medallion.triggers.firing import Firing

pytestmark = pytest.mark.airflow

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MODELS = "asset backfill callback dag dag_version dagbundle dagrun deadline log pool serialized_dag team trigger"


@pytest.fixture
def session() -> Iterator[Any]:
    """Airflow's tables in memory, with the assets of one job."""
    from airflow.models.base import Base
    from sqlalchemy import create_engine
    from sqlalchemy.orm import Session

    for name in MODELS.split():
        import_module(f"airflow.models.{name}")
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        yield session


@pytest.fixture
def assets(session: Any) -> tuple[Any, Any]:
    """The asset that starts the job `j`, and that of the table `a.b.c`."""
    from airflow.models.asset import AssetModel

    from medallion.triggers.assets import start_uri

    start = AssetModel(name="start of j", uri=start_uri("j"), group="x")
    table = AssetModel(name="a.b.c", uri="x-lakehouse://a/b/c", group="x")
    session.add_all([start, table])
    session.flush()
    return start, table


def event(session: Any, asset: Any, version: int, seconds: float, *, own: bool = False) -> Any:
    """An event of the watcher for one commit."""
    from airflow.models.asset import AssetEvent

    commit = {"version": version, "commit_timestamp": "2026-03-01T12:00:00+00:00", "own": own}
    firing = Firing(f"f{version}", "j", "table_update.0", "table_update", float(version), {"tables": {"a.b.c": commit}})
    made = AssetEvent(asset_id=asset.id, extra={"from_trigger": True, "payload": firing.to_payload()})
    made.timestamp = NOW + timedelta(seconds=seconds)
    session.add(made)
    session.flush()
    return made


def run(session: Any, name: str, queued: float, consumed: Any, run_type: str = "asset_triggered") -> Any:
    """A run that Airflow made so many seconds later, for one event."""
    from airflow.models.dagrun import DagRun

    at = NOW + timedelta(seconds=queued)
    made = DagRun(dag_id="j", run_id=name, run_type=run_type, run_after=at, queued_at=at, state="running")
    made.consumed_asset_events.append(consumed)
    session.add(made)
    session.flush()
    return made


def versions(run: Any) -> list[int]:
    return [told["tables"]["a.b.c"]["version"] for told in run.conf["triggers"]]


def test_each_firing_is_told_to_one_run_also_when_airflow_made_one_run_for_two(
    session: Any, assets: tuple[Any, Any]
) -> None:
    from medallion.triggers.listener import tell

    events = [event(session, assets[0], version, seconds) for version, seconds in ((1, 0), (2, 1), (3, 5))]
    first, second = run(session, "r1", 2, events[0]), run(session, "r2", 6, events[2])
    for item in (first, second):
        tell(item)
    assert (versions(first), versions(second)) == ([1, 2], [3])
    assert first.conf["table_updates"]["a.b.c"]["version"] == 2
    tell(first)
    assert versions(first) == [1, 2]


@pytest.mark.parametrize("own", [True, False], ids=["of a task of ours", "of another writer"])
def test_a_commit_of_another_writer_is_an_event_of_its_table(session: Any, assets: tuple[Any, Any], own: bool) -> None:
    from medallion.triggers.listener import tell

    made = run(session, "r1", 2, event(session, assets[0], 7, 0, own=own))
    tell(made)
    shown = [item.extra["version"] for item in made.consumed_asset_events if item.asset_id == assets[1].id]
    assert shown == ([] if own else [7])


def test_a_run_by_hand_is_told_of_no_firing(session: Any, assets: tuple[Any, Any]) -> None:
    from medallion.triggers.listener import tell

    made = run(session, "r1", 2, event(session, assets[0], 1, 0), run_type="manual")
    tell(made)
    assert "triggers" not in (made.conf or {})

"""Airflow assets: one for each table, one for what starts a job. Runs at parse time and in the Airflow task process."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from airflow.sdk import Asset
    from airflow.sdk.definitions.asset import BaseAsset

    from medallion.triggers.entries import Entry

TABLE_SCHEME = "x-lakehouse"
START_SCHEME = "x-lakeflow-start"
START_GROUP = "lakeflow start"


def table_asset(name: str) -> Asset:
    """The asset of a table.

    :param name: `catalog.schema.table`, in any case.
    """
    from airflow.sdk import Asset

    lower = name.lower()
    return Asset(name=lower, uri=f"{TABLE_SCHEME}://{'/'.join(quote(part) for part in lower.split('.'))}")


def start_uri(dag_id: str) -> str:
    """URI of the asset whose events start a job."""
    return f"{START_SCHEME}://{quote(dag_id)}/start"


def start_asset(dag_id: str, entries: Iterable[Entry]) -> Asset:
    """The asset whose events start a job: its watcher looks after all triggers of the job and keeps their timers."""
    from airflow.sdk import Asset, AssetWatcher

    from medallion.triggers.watcher import JobWatcher

    told = json.dumps([entry.to_json() for entry in entries], sort_keys=True)
    watcher = AssetWatcher(name=dag_id, trigger=JobWatcher(dag_id, told))
    return Asset(name=f"start of {dag_id}", uri=start_uri(dag_id), group=START_GROUP, watchers=[watcher])


def condition_of(dag_id: str, entries: Iterable[Entry]) -> BaseAsset:
    """What Airflow waits for before it starts a run.

    `start & (start | table | …)` holds exactly when `start` does: timers and ALL_UPDATED are the watcher's. The tables
    stand in it so that Airflow shows which tables lead to the job.
    """
    entries = tuple(entries)
    start = start_asset(dag_id, entries)
    tables = dict.fromkeys(name.lower() for entry in entries for name in tables_of(entry.settings))
    if not tables:
        return start
    shown: BaseAsset = start
    for name in tables:
        shown = shown | table_asset(name)
    return start & shown


def tables_of(settings: Mapping[str, object]) -> list[str]:
    """The tables of a table-update trigger; none for other kinds."""
    names = settings.get("table_names")
    return [str(name) for name in names] if isinstance(names, (list, tuple)) else []

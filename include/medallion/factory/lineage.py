"""Tables between jobs, as Airflow's assets: edges at parse time, events at the end of a task."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from medallion.runs.lineage import keep_lineage, read_lineage
from medallion.triggers.assets import table_asset

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.sdk import DAG
    from airflow.sdk.definitions.context import Context

    from medallion.factory.attempt import Attempt
    from medallion.settings import Settings

log = logging.getLogger(__name__)

CLOCK_SECONDS = 2.0
"""What the clock of a file system may be behind."""


def state_lineage(dag: DAG, home: Path) -> None:
    """State what the tasks of a DAG read and wrote in earlier runs.

    A task that no run showed yet has an alias instead, through which it names what it wrote.
    """
    from airflow.sdk import AssetAlias

    from medallion.factory.operators.process import ProcessOperator

    known = read_lineage(home, dag.dag_id)
    for task in dag.tasks:
        if not isinstance(task, ProcessOperator):
            continue
        found = known.get(task.task.task_key)
        if found is None:
            task.outlets = [AssetAlias(alias_name(dag.dag_id))]
        else:
            task.outlets = [table_asset(name) for name in found.writes]
            task.inlets = [table_asset(name) for name in found.reads]


def alias_name(dag_id: str) -> str:
    """Name of the alias of a job's new tables."""
    return f"tables of {dag_id}"


def tell_lineage(operator: Any, context: Context, attempt: Attempt, settings: Settings) -> None:
    """Tell Airflow of the tables that this attempt wrote; keep what it read and wrote. A fault here fails no task."""
    try:
        tell(operator, context, attempt, settings)
    except Exception:
        log.exception("The tables that task %s wrote could not be told", attempt.task_key)


def tell(operator: Any, context: Context, attempt: Attempt, settings: Settings) -> None:
    """Give each table that was written an event with version and commit time.

    Airflow makes an event of every outlet of a task that succeeds, so the outlets become those that were written now.
    """
    from airflow.sdk import Asset, AssetAlias

    from medallion.runs.writes import latest_writes
    from medallion.runtime.reads import read_names

    started = context["ti"].start_date
    since = (started.timestamp() if started else 0.0) - CLOCK_SECONDS
    wrote = latest_writes(settings.lake, attempt.task_run_id, since)
    with contextlib.suppress(OSError):
        reads = read_names(attempt.folder(settings))
        keep_lineage(settings.home, attempt.dag_id, attempt.task_key, reads, list(wrote))
    outlets: Iterable[Any] = operator.outlets
    operator.outlets = [item for item in outlets if not isinstance(item, Asset) or item.name in wrote]
    alias = next((item for item in operator.outlets if isinstance(item, AssetAlias)), None)
    events = context["outlet_events"]
    for name, commit in wrote.items():
        asset = table_asset(name)
        extra: dict[str, Any] = {"version": commit.version, "operation": commit.operation, "rows": commit.rows}
        extra |= {"commit_timestamp": datetime.fromtimestamp(commit.at, UTC).isoformat()}
        if alias is not None:
            events[alias].add(asset, extra=extra)
        elif any(item == asset for item in operator.outlets):
            events[asset].extra = extra

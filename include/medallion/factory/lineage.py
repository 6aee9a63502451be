"""Tables between jobs, as Airflow's assets: edges at parse time, events at the end of a task."""

from __future__ import annotations

import contextlib
import logging
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

    A task that no run showed yet has an alias instead, through which it names what it wrote. A task's own process states
    nothing here: Airflow would ask for each stated table in a request before the task starts, and `tell` states what it
    wrote.
    """
    from airflow.sdk import AssetAlias, get_parsing_context

    from medallion.factory.operators.process import ProcessOperator

    if get_parsing_context().task_id:
        return
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
    from airflow.sdk import AssetAlias

    from medallion.runs.writes import latest_writes
    from medallion.runtime.reads import read_names

    started = context["ti"].start_date
    since = (started.timestamp() if started else 0.0) - CLOCK_SECONDS
    wrote = latest_writes(settings.lake, attempt.task_run_id, since)
    known = read_lineage(settings.home, attempt.dag_id).get(attempt.task_key)
    with contextlib.suppress(OSError):
        reads = read_names(attempt.folder(settings))
        keep_lineage(settings.home, attempt.dag_id, attempt.task_key, reads, list(wrote))
    # A table that no parse has stated yet is told by the alias.
    alias = AssetAlias(alias_name(attempt.dag_id)) if known is None and wrote else None
    stated = {name: table_asset(name) for name in wrote if known is not None and name.lower() in known.writes}
    operator.outlets = [alias] if alias is not None else list(stated.values())
    events = context["outlet_events"]
    for name, commit in wrote.items():
        extra: dict[str, Any] = {"version": commit.version, "operation": commit.operation, "rows": commit.rows}
        extra |= {"commit_timestamp": datetime.fromtimestamp(commit.at, UTC).isoformat()}
        if alias is not None:
            events[alias].add(table_asset(name), extra=extra)
        elif name in stated:
            events[stated[name]].extra = extra

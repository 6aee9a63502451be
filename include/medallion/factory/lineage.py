"""Tables between jobs, as Airflow's assets: each table that a task wrote gets an event. At parse time and at a task's end.

What runs show is told by runs: the DAG of a job states an alias of its tables and nothing that a run found out. So one
definition is one version of its DAG.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from medallion.triggers.assets import table_asset

if TYPE_CHECKING:
    from airflow.sdk import DAG
    from airflow.sdk.definitions.context import Context

    from medallion.factory.attempt import Attempt
    from medallion.settings import Settings

log = logging.getLogger(__name__)

CLOCK_SECONDS = 2.0
"""What the clock of a file system may be behind."""
MOST_READS = 200
"""Tables that an event names as read."""


def state_lineage(dag: DAG) -> None:
    """State the alias through which each task names the tables that it wrote.

    A task's own process states nothing: Airflow would ask for each outlet in a request before the task starts, and `tell`
    states what was written.
    """
    from airflow.sdk import AssetAlias, get_parsing_context

    from medallion.factory.operators.process import ProcessOperator

    if get_parsing_context().task_id:
        return
    for task in dag.tasks:
        if isinstance(task, ProcessOperator):
            task.outlets = [AssetAlias(alias_name(dag.dag_id))]


def alias_name(dag_id: str) -> str:
    """Name of the alias of a job's tables."""
    return f"tables of {dag_id}"


def tell_lineage(operator: Any, context: Context, attempt: Attempt, settings: Settings) -> None:
    """Tell Airflow of the tables that this attempt wrote, and which it read. A fault here fails no task."""
    try:
        tell(operator, context, attempt, settings)
    except Exception:
        log.exception("The tables that task %s wrote could not be told", attempt.task_key)


def tell(operator: Any, context: Context, attempt: Attempt, settings: Settings) -> None:
    """Give each table that was written an event: version, commit time, rows, and the tables that the attempt read."""
    from airflow.sdk import AssetAlias

    from medallion.runs.writes import latest_writes
    from medallion.runtime.reads import read_names

    started = context["ti"].start_date
    since = (started.timestamp() if started else 0.0) - CLOCK_SECONDS
    wrote = latest_writes(settings.lake, attempt.task_run_id, since)
    alias = AssetAlias(alias_name(attempt.dag_id))
    operator.outlets = [alias] if wrote else []
    reads = sorted({name.lower() for name in read_names(attempt.folder(settings))})[:MOST_READS] if wrote else []
    events = context["outlet_events"]
    for name, commit in wrote.items():
        extra: dict[str, Any] = {"version": commit.version, "operation": commit.operation, "rows": commit.rows}
        extra |= {"commit_timestamp": datetime.fromtimestamp(commit.at, UTC).isoformat(), "reads": reads}
        events[alias].add(table_asset(name), extra=extra)

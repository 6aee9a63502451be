"""What a column of the system tables is called, when a statement names it otherwise. Runs in the task process and in
`medallion sql`; pure.

Spark proposes the columns whose letters are nearest: for `start_time` of a run that is any column but `period_start_time`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from medallion.spec.problems import nearest

TABLES = re.compile(r"`?\bsystem`?\s*\.\s*`?(\w+)`?\s*\.\s*`?(\w+)`?", re.IGNORECASE)
UNKNOWN = re.compile(r"\[UNRESOLVED_COLUMN[\w.]*\].*?with name ((?:`(?:[^`]|``)*`\.?)+)", re.DOTALL)
MEANT = {
    "period_start_time": ("start", "start_time", "started_at", "run_start_time", "begin_time"),
    "period_end_time": ("end", "end_time", "ended_at", "run_end_time", "finished_at", "completed_at"),
    "result_state": ("state", "status", "result", "run_state", "run_status", "outcome"),
    "termination_code": ("error", "error_code", "error_message", "code", "reason", "termination_reason"),
    "run_duration_seconds": ("duration", "duration_seconds", "run_duration", "duration_ms", "total_duration"),
    "execution_duration_seconds": ("execution_duration", "duration", "duration_seconds", "duration_ms"),
    "run_name": ("job_name", "name"),
    "name": ("job_name", "pipeline_name"),
    "task_key": ("task", "task_name", "name"),
    "job_run_id": ("run_id",),
    "run_id": ("job_run_id", "task_run_id", "id"),
    "trigger_type": ("trigger", "triggered_by"),
    "event_time": ("time", "timestamp", "start_time"),
    "creator_id": ("creator", "created_by", "creator_user_name"),
    "run_as": ("user", "run_as_user", "owner", "user_name"),
    "compute_ids": ("compute_id", "cluster_id", "cluster_ids", "warehouse_id"),
}
"""Column → what people call it."""


def column_hint(message: str, text: str, columns_of: Callable[[str], Iterable[str]]) -> str | None:
    """A hint for Spark's error about an unknown column of a system table; None for other errors.

    :param text: the statement.
    :param columns_of: the columns of a table by its full name.
    """
    found = UNKNOWN.search(message)
    if found is None:
        return None
    wrong = found[1].split("`.`")[-1].strip("`")
    for schema, table in dict.fromkeys(TABLES.findall(text)):
        name = f"system.{schema}.{table}".lower()
        if (meant := column_meant(wrong, columns_of(name))) is not None:
            return f"{name} calls it {meant}"
    return None


def column_meant(wrong: str, columns: Iterable[str]) -> str | None:
    """The column that a name means: by meaning, as a part of its name, else by its letters."""
    known, low = list(columns), wrong.lower()
    by_meaning = [name for name, others in MEANT.items() if low in others and name in known]
    by_part = [name for name in known if name.endswith(f"_{low}") or name.startswith(f"{low}_")]
    return next(iter([*by_meaning, *by_part]), None) or nearest(low, known)

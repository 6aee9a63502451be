"""Rows of `job_task_writes`: what attempts wrote, from the commits of the tables. Runs in the jobs service; no Spark."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from medallion.runs.system_tables.history import ACCOUNT, WORKSPACE
from medallion.runs.system_tables.periods import moment
from medallion.runs.system_tables.schema import CATALOG
from medallion.runs.writes import Commit, commits, logs

if TYPE_CHECKING:
    from pathlib import Path

    from medallion.runs.system_tables.rows import Row, Whole

SLACK_SECONDS = 5.0
"""A file's time of change may be a little before the run's start: two clocks."""


def commits_by_run(lake: Path, runs: Iterable[Whole]) -> dict[int, list[Commit]]:
    """The commits of several runs, by the run's id; the lake is gone through once."""
    listed = list(runs)
    starts = [run.report.start_time / 1000 for run in listed if run.report.start_time]
    found: dict[int, list[Commit]] = {run.report.run_id: [] for run in listed}
    if not starts:
        return found
    for log in logs(lake):
        if log.parent.parts[-3] == CATALOG:
            continue
        for who, commit in commits(log, min(starts) - SLACK_SECONDS):
            number = who.get("run_id")
            if isinstance(number, int) and number in found:
                found[number].append(commit)
    return found


def write_rows(run: Whole, made: Iterable[Commit]) -> list[Row]:
    """One row for each attempt and table."""
    seconds = {
        attempt.run_id: max(attempt.end_time - attempt.start_time, 0) / 1000
        for task in run.report.tasks
        for unit in (task, *(task.iterations or ()))
        for attempt in unit.history
    }
    groups: dict[tuple[int, str], list[Commit]] = {}
    for commit in made:
        groups.setdefault((commit.task_run_id, commit.table), []).append(commit)
    return [
        {
            "account_id": ACCOUNT,
            "workspace_id": WORKSPACE,
            "job_id": run.job_id,
            "job_run_id": run.run_id,
            "run_id": str(number),
            "task_key": group[0].task_key,
            "table_name": table,
            "commits": len(group),
            "rows": sum(item.rows for item in group),
            "bytes": sum(item.bytes for item in group),
            "files": sum(item.files for item in group),
            "write_seconds": sum(item.seconds for item in group),
            "task_seconds": seconds.get(number, 0.0),
            "last_version": max(item.version for item in group),
            "write_time": moment(max(item.at for item in group)),
        }
        for (number, table), group in groups.items()
    ]

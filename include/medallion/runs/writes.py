"""What a run wrote: rows per task, from the Delta logs of the lake. Runs on the command line; needs no Spark.

Every commit of a task carries who made it as user metadata (`commit_metadata`), so a table's version tells its writer.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROW_METRICS: Mapping[str, tuple[str, ...]] = {
    "MERGE": ("numTargetRowsInserted", "numTargetRowsUpdated", "numTargetRowsDeleted"),
    "UPDATE": ("numUpdatedRows",),
    "DELETE": ("numDeletedRows",),
}
"""Metrics of a commit that count the rows it changed; all other operations have `numOutputRows`."""

BYTE_METRICS = ("numOutputBytes", "numTargetBytesAdded", "numAddedBytes")
FILE_METRICS = ("numFiles", "numTargetFilesAdded", "numAddedFiles")
"""Metrics of what a commit added; each operation has its own name for it."""

SILENT = frozenset({"OPTIMIZE", "VACUUM START", "VACUUM END"})
"""Operations that move rows about and write none."""


def commit_metadata(*, job_id: int, run_id: int, task_key: str, task_run_id: int) -> str:
    """The user metadata of a task's commits, JSON text."""
    return json.dumps({"job_id": job_id, "run_id": run_id, "task_key": task_key, "task_run_id": task_run_id})


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit that a task of a run made.

    :param table: `catalog.schema.table`.
    :param rows: rows written, changed or deleted.
    :param bytes: size of the files that were added; the same goes for `files`.
    :param seconds: how long the operation took, as it says itself.
    :param at: when it was made, in seconds since the epoch.
    """

    table: str
    version: int
    operation: str
    task_key: str
    task_run_id: int
    rows: int
    bytes: int = 0
    files: int = 0
    seconds: float = 0.0
    at: float = 0.0


def commits_of_run(lake: Path, run_id: int, since: float) -> list[Commit]:
    """The commits of one run, oldest first by table.

    :param since: seconds since the epoch; logs untouched since then are not opened.
    """
    found = (commit for log in logs(lake) for commit in commits(log, since))
    return [commit for who, commit in found if who.get("run_id") == run_id]


def latest_writes(lake: Path, task_run_id: int, since: float) -> dict[str, Commit]:
    """The latest commit that one attempt made of each table, by its name; maintenance does not count."""
    found: dict[str, Commit] = {}
    for log in logs(lake):
        if changed(log) >= since:
            for who, commit in commits(log, since):
                if who.get("task_run_id") == task_run_id and commit.operation not in SILENT:
                    found[commit.table] = commit
    return found


def rows_by_task(found: list[Commit]) -> dict[str, int]:
    """Rows that each task wrote, over all its attempts."""
    rows: dict[str, int] = {}
    for commit in found:
        rows[commit.task_key] = rows.get(commit.task_key, 0) + commit.rows
    return rows


def logs(lake: Path) -> Iterator[Path]:
    """The `_delta_log` folders of all tables, `<lake>/<catalog>/<schema>/<table>`."""
    for catalog in folders(lake):
        for schema in folders(catalog):
            for table in folders(schema):
                if (table / "_delta_log").is_dir():
                    yield table / "_delta_log"


def folders(place: Path) -> list[Path]:
    """The visible folders in a folder, by name; none when it is not there."""
    try:
        with os.scandir(place) as entries:
            return sorted(Path(entry) for entry in entries if entry.is_dir() and not entry.name.startswith((".", "_")))
    except OSError:
        return []


def commits(log: Path, since: float) -> Iterator[tuple[dict[str, object], Commit]]:
    """The commits of one table since a moment that carry our metadata."""
    name = ".".join(log.parent.parts[-3:])
    for place in sorted(log.glob("[0-9]*.json")):
        if changed(place) < since:
            continue
        info = commit_info(place)
        who = metadata_of(info)
        if who is not None:
            operation = str(info.get("operation", ""))
            yield (
                who,
                Commit(
                    table=name,
                    version=int(place.stem),
                    operation=operation,
                    task_key=str(who.get("task_key", "")),
                    task_run_id=int(str(who.get("task_run_id", 0))),
                    rows=rows_of(operation, info.get("operationMetrics")),
                    bytes=metric(info, *BYTE_METRICS),
                    files=metric(info, *FILE_METRICS),
                    seconds=metric(info, "executionTimeMs") / 1000,
                    at=float(str(info.get("timestamp") or 0)) / 1000,
                ),
            )


def changed(place: Path) -> float:
    """When a file or folder was changed, in seconds since the epoch; 0 when another has removed it since it was listed."""
    try:
        return place.stat().st_mtime
    except OSError:
        return 0.0


def commit_info(place: Path) -> dict[str, object]:
    """The `commitInfo` action of a commit file, which Delta writes first; nothing when the table was dropped meanwhile."""
    try:
        with place.open(encoding="utf-8") as lines:
            for line in lines:
                action = json.loads(line)
                if "commitInfo" in action:
                    return dict(action["commitInfo"])
    except OSError:
        pass
    return {}


def metadata_of(info: Mapping[str, object]) -> dict[str, object] | None:
    """Who made the commit, or None when it was no task of ours."""
    try:
        who = json.loads(str(info.get("userMetadata", "")))
    except json.JSONDecodeError:
        return None
    return who if isinstance(who, dict) and "run_id" in who else None


def rows_of(operation: str, metrics: object) -> int:
    """Rows that a commit wrote, by its own metrics; 0 where it counted none."""
    if operation in SILENT or not isinstance(metrics, Mapping):
        return 0
    return sum(int(metrics.get(name, 0)) for name in ROW_METRICS.get(operation, ("numOutputRows",)))


def metric(info: Mapping[str, object], *names: str) -> int:
    """The first of some metrics that a commit has; 0 where it has none."""
    metrics = info.get("operationMetrics")
    found = metrics if isinstance(metrics, Mapping) else {}
    return next((int(found[name]) for name in names if name in found), 0)

"""How far a streaming source lags behind, from a query's progress and from what lies in front of it. In the task process.

Spark tells the lag of some sources (Kafka) as metrics of the progress. Of Delta tables and of folders it does not; there
the log of the table, or the folder, is compared with the offset that the query has reached. All figures are estimates.
"""

from __future__ import annotations

import json
import os
import re
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

Figures = dict[str, float]
"""`files`, `bytes`, `records`, `seconds`; those that are known."""

METRICS = {
    "files": ("numFilesOutstanding",),
    "bytes": ("numBytesOutstanding", "estimatedTotalBytesBehindLatest"),
    "records": ("maxOffsetsBehindLatest",),
}
"""Metrics of Spark's and Databricks' sources, and the figure that each gives."""

DESCRIPTION = re.compile(r"(?P<kind>DeltaSource|FileStreamSource)\[(?P<place>.*)\]", re.DOTALL)
LOCAL_SCHEMES = ("file", "viewfs")
MOST_FILES = 100_000
"""More files are not counted: a look must not take long."""

FILE_FACTS = ("path", "size_bytes", "modification_time", "num_records")

BEFORE_ALL = -100
"""Delta's index of an offset that stands before the first file of its version."""


def figures_of(progress: Mapping[str, Any], checkpoint: Path | None, now: float) -> Figures:
    """The figures of a query: of its source that lags the most.

    :param progress: Spark's JSON of the last progress.
    :param checkpoint: the query's checkpoint folder, where it is a local one.
    """
    worst: Figures = {}
    for index, source in enumerate(progress.get("sources") or ()):
        for name, value in figures_of_source(source, checkpoint, index, now).items():
            worst[name] = max(value, worst.get(name, value))
    return worst


def figures_of_source(source: Mapping[str, Any], checkpoint: Path | None, index: int, now: float) -> Figures:
    """The figures of one source: its own metrics first, then what can be worked out. Nothing when that fails."""
    known = from_metrics(source.get("metrics") or {})
    found = DESCRIPTION.fullmatch(str(source.get("description", "")))
    if found is None:
        return known
    place = local_path(found["place"])
    try:
        if found["kind"] == "DeltaSource":
            worked_out = of_table(place, offset_of(source), now)
        else:
            worked_out = of_folder(place, checkpoint / "sources" / str(index) if checkpoint else None, now)
    except (OSError, ValueError, KeyError, TypeError):
        return known
    return {**worked_out, **known}


def from_metrics(metrics: Mapping[str, Any]) -> Figures:
    """The figures that a source tells itself."""
    found: Figures = {}
    for figure, names in METRICS.items():
        for name in names:
            try:
                found[figure] = float(metrics[name])
            except (KeyError, ValueError, TypeError):
                continue
    return found


def offset_of(source: Mapping[str, Any]) -> dict[str, Any]:
    """The offset that the query has reached. Spark gives it as an object, or as the text of one."""
    raw = source["endOffset"]
    return dict(json.loads(raw) if isinstance(raw, str) else raw)


def local_path(place: str) -> Path:
    """The local path of `file:/x`, or of `viewfs://lake/x`, as a local driver names its files.

    Python's file functions in a task process know the folders that Databricks' paths stand for (`compute.paths`).
    """
    scheme = place.partition(":")[0]
    return Path(urllib.parse.unquote(urllib.parse.urlsplit(place).path) if scheme in LOCAL_SCHEMES else place)


def of_table(table: Path, offset: Mapping[str, Any], now: float) -> Figures:
    """Data files that were added to a Delta table behind an offset (`reservoirVersion`, `index`)."""
    version, index = int(offset["reservoirVersion"]), int(offset["index"])
    files = size = records = 0
    oldest: float | None = None
    if offset.get("isStartingVersion"):
        files, size, records, oldest = first_snapshot(table, version, index)
        version, index = version + 1, BEFORE_ALL
    for number, log in logs_from(table / "_delta_log", version):
        at, added = read_commit(log)
        behind = added[max(index + 1, 0) :] if number == version else added
        if behind:
            files += len(behind)
            size += sum(int(add.get("size", 0)) for add in behind)
            records += sum(rows_of(add) for add in behind)
            oldest = at if oldest is None else min(oldest, at)
    seconds = max(now - oldest, 0.0) if oldest is not None else 0.0
    return {"files": files, "bytes": size, "records": records, "seconds": seconds}


def first_snapshot(table: Path, version: int, index: int) -> tuple[int, int, int, float | None]:
    """What of the table's first snapshot lies behind an index: files, bytes, rows, time of the oldest file.

    Delta takes the files by time of change, then by path.
    """
    from deltalake import DeltaTable

    actions = DeltaTable(str(table), version=version).get_add_actions(flatten=True)
    columns = {name: actions.column(name).to_pylist() for name in FILE_FACTS if name in actions.column_names}
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    behind = sorted(rows, key=lambda row: (row["modification_time"], row["path"]))[max(index + 1, 0) :]
    return (
        len(behind),
        sum(int(row["size_bytes"] or 0) for row in behind),
        sum(int(row.get("num_records") or 0) for row in behind),
        behind[0]["modification_time"] / 1000 if behind else None,
    )


def logs_from(folder: Path, version: int) -> Iterator[tuple[int, Path]]:
    """The commit files of a table from a version on."""
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if re.fullmatch(r"\d{20}\.json", entry.name))
    for name in names:
        if int(name[:20]) >= version:
            yield int(name[:20]), folder / name


def read_commit(log: Path) -> tuple[float, list[dict[str, Any]]]:
    """Time of a commit in seconds since the epoch, and the data files that it added."""
    added = []
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            add = json.loads(line).get("add") if '"add"' in line else None
            if add and add.get("dataChange"):
                added.append(add)
    return log.stat().st_mtime, added


def rows_of(add: Mapping[str, Any]) -> int:
    """Rows of a data file, by its statistics; 0 without them."""
    stats = add.get("stats")
    return int(json.loads(stats).get("numRecords", 0)) if isinstance(stats, str) else 0


def of_folder(folder: Path, seen: Path | None, now: float) -> Figures:
    """Files that came into a folder after those that the query has taken: Spark takes the oldest first."""
    if seen is None:
        return {}
    newest = newest_taken(seen)
    if newest is None:
        return {}
    files, size, oldest = 0, 0, now
    for count, entry in enumerate(data_files(folder)):
        if count > MOST_FILES:
            return {}
        status = entry.stat()
        if status.st_mtime_ns // 1_000_000 > newest:
            files, size, oldest = files + 1, size + status.st_size, min(oldest, status.st_mtime)
    return {"files": files, "bytes": size, "seconds": now - oldest}


def newest_taken(seen: Path) -> int | None:
    """Time of change, in epoch milliseconds, of the newest file that a file source has taken; None before the first.

    :param seen: the source's folder in the checkpoint: a file for each batch, and one that sums up ten, `9.compact`.
    """
    logs = [place for place in seen.iterdir() if place.name.split(".")[0].isdigit()]
    if not logs:
        return None
    latest = max(logs, key=lambda place: int(place.name.split(".")[0]))
    entries = [json.loads(line) for line in latest.read_text(encoding="utf-8").splitlines()[1:]]
    return max((int(entry["timestamp"]) for entry in entries), default=None)


def data_files(folder: Path) -> Iterator[Path]:
    """The visible files below a folder, or that a pattern names."""
    visible: Callable[[str], bool] = lambda name: not name.startswith((".", "_"))  # noqa: E731
    if any(sign in str(folder) for sign in "*?[{"):
        fixed = Path(*(part for part in folder.parts[: first_pattern(folder)]))
        yield from (
            item for item in fixed.glob(str(folder.relative_to(fixed))) if item.is_file() and visible(item.name)
        )
        return
    for place, folders, names in os.walk(folder):
        folders[:] = filter(visible, folders)
        yield from (Path(place, name) for name in filter(visible, names))


def first_pattern(folder: Path) -> int:
    """Place of the first part of a path that is a pattern."""
    return next(number for number, part in enumerate(folder.parts) if any(sign in part for sign in "*?[{"))

"""How far a stream lags, worked out from a table's log and from a folder."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from medallion.runtime.backlog import figures_of, figures_of_source


def commit(table: Path, version: int, *rows: int, change: bool = True) -> None:
    log = table / "_delta_log"
    log.mkdir(parents=True, exist_ok=True)
    actions: list[dict[str, Any]] = [{"commitInfo": {"operation": "WRITE"}}]
    for number, count in enumerate(rows):
        stats = json.dumps({"numRecords": count})
        actions.append({"add": {"path": f"{version}-{number}", "size": 100, "dataChange": change, "stats": stats}})
    (log / f"{version:020}.json").write_text("\n".join(map(json.dumps, actions)))


def table_source(table: Path, version: int, index: int, **more: Any) -> dict[str, Any]:
    offset = {"reservoirVersion": version, "index": index, "isStartingVersion": False, **more}
    return {"description": f"DeltaSource[file:{table}]", "endOffset": offset, "metrics": {}}


@pytest.mark.parametrize(
    ("version", "index", "files", "records"),
    [
        pytest.param(3, -100, 0, 0, id="all taken"),
        pytest.param(2, -100, 2, 12, id="the last version not begun"),
        pytest.param(2, 0, 1, 7, id="in the middle of a version"),
        pytest.param(1, -1, 3, 15, id="two versions"),
    ],
)
def test_a_table_s_files_behind_the_offset(tmp_path: Path, version: int, index: int, files: int, records: int) -> None:
    table = tmp_path / "t"
    commit(table, 0, 1)
    commit(table, 1, 3)
    commit(table, 2, 5, 7)
    found = figures_of_source(table_source(table, version, index), None, 0, time.time())
    assert (found["files"], found["records"], found["bytes"]) == (files, records, 100 * files)
    assert (found["seconds"] >= 0) == (files >= 0)


def test_files_that_a_compaction_moved_are_no_backlog(tmp_path: Path) -> None:
    commit(tmp_path / "t", 0, 1)
    commit(tmp_path / "t", 1, 1, change=False)
    assert figures_of_source(table_source(tmp_path / "t", 1, -1), None, 0, time.time())["files"] == 0


def test_a_stream_that_is_still_within_the_table_s_first_snapshot(tmp_path: Path) -> None:
    import pyarrow as pa
    from deltalake import write_deltalake

    for _ in range(4):
        write_deltalake(str(tmp_path / "t"), pa.table({"a": [1, 2]}), mode="append")
    now = time.time() + 5
    source = table_source(tmp_path / "t", 2, 0, isStartingVersion=True)
    found = figures_of_source(source, None, 0, now)
    assert (found["files"], found["records"]) == (3, 6)
    assert 5 <= found["seconds"] < 60


def test_the_age_of_the_oldest_file_is_the_delay(tmp_path: Path) -> None:
    commit(tmp_path / "t", 0, 1)
    log = tmp_path / "t" / "_delta_log" / f"{0:020}.json"
    os.utime(log, (1000.0, 1000.0))
    assert figures_of_source(table_source(tmp_path / "t", 0, -1), None, 0, 1060.0)["seconds"] == 60


def test_a_source_s_own_metrics_count_first() -> None:
    source = {"description": "KafkaV2[Subscribe[orders]]", "metrics": {"maxOffsetsBehindLatest": "42"}}
    assert figures_of_source(source, None, 0, 0.0) == {"records": 42.0}
    databricks = {"description": "CloudFiles", "metrics": {"numFilesOutstanding": "3", "numBytesOutstanding": "9"}}
    assert figures_of_source(databricks, None, 0, 0.0) == {"files": 3.0, "bytes": 9.0}


def test_a_folder_s_files_that_came_after_those_taken(tmp_path: Path) -> None:
    inbox, seen = tmp_path / "in", tmp_path / "cp" / "sources" / "0"
    inbox.mkdir()
    seen.mkdir(parents=True)
    for number in range(5):
        (inbox / f"{number}.json").write_text("{}")
        os.utime(inbox / f"{number}.json", (1000.0 + number, 1000.0 + number))
    (inbox / "_SUCCESS").touch()
    entry = {"path": "file:///in/1.json", "timestamp": 1001000, "batchId": 1}
    (seen / "1").write_text(f"v1\n{json.dumps(entry)}\n")
    source = {"description": f"FileStreamSource[file:{inbox}]", "endOffset": {"logOffset": 1}}
    found = figures_of_source(source, tmp_path / "cp", 0, 1010.0)
    assert found == {"files": 3, "bytes": 6, "seconds": 8.0}
    pattern = {**source, "description": f"FileStreamSource[file:{tmp_path}/i*/*.json]"}
    assert figures_of_source(pattern, tmp_path / "cp", 0, 1010.0)["files"] == 3


@pytest.mark.parametrize(
    "source",
    [
        pytest.param({"description": "RateStreamV2[rowsPerSecond=1]", "endOffset": 7}, id="a source without a lag"),
        pytest.param({"description": "DeltaSource[s3a://b/t]", "endOffset": {}}, id="no offset"),
        pytest.param({"description": "DeltaSource[file:/nowhere]", "endOffset": None}, id="no table"),
        pytest.param({}, id="nothing"),
    ],
)
def test_what_cannot_be_worked_out_is_left_out(source: dict[str, Any]) -> None:
    assert figures_of_source(source, None, 0, 0.0) == {}


def test_the_source_that_lags_most_counts() -> None:
    sources = [{"metrics": {"maxOffsetsBehindLatest": str(number)}} for number in (3, 9, 4)]
    assert figures_of({"sources": sources}, None, 0.0) == {"records": 9.0}

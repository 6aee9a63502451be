"""What runs showed of a job's tables, kept for the next parse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from medallion.runs.lineage import TaskLineage, keep_lineage, lineage_file, read_lineage
from medallion.runs.writes import commit_metadata, latest_writes


def test_lineage_grows_and_its_file_changes_only_then(tmp_path: Path) -> None:
    keep_lineage(tmp_path, "job", "load", ["A.b.c"], ["a.b.d"])
    keep_lineage(tmp_path, "job", "load", ["a.b.x"], [])
    place = lineage_file(tmp_path, "job")
    before = place.stat().st_mtime_ns
    keep_lineage(tmp_path, "job", "load", ["a.b.c"], ["a.b.d"])
    assert place.stat().st_mtime_ns == before
    assert read_lineage(tmp_path, "job") == {"load": TaskLineage(("a.b.c", "a.b.x"), ("a.b.d",))}


def test_a_task_that_touched_no_table_is_known_too(tmp_path: Path) -> None:
    keep_lineage(tmp_path, "job", "load", [], [])
    assert read_lineage(tmp_path, "job") == {"load": TaskLineage()}


def test_a_file_that_cannot_be_read_is_no_lineage(tmp_path: Path) -> None:
    place = lineage_file(tmp_path, "job")
    place.parent.mkdir()
    for text in ("{", "[]", '{"load": 1}'):
        place.write_text(text)
        assert read_lineage(tmp_path, "job") == {}


def test_the_latest_commit_of_an_attempt_counts_for_each_table(tmp_path: Path) -> None:
    def commit(table: str, version: int, attempt: int, operation: str = "WRITE") -> None:
        log = tmp_path / table / "_delta_log"
        log.mkdir(parents=True, exist_ok=True)
        who = commit_metadata(job_id=1, run_id=2, task_key="load", task_run_id=attempt)
        info: dict[str, Any] = {"operation": operation, "userMetadata": who, "timestamp": 5000}
        (log / f"{version:020d}.json").write_text(json.dumps({"commitInfo": info}))

    commit("main/s/a", 0, 7)
    commit("main/s/a", 1, 7)
    commit("main/s/a", 2, 7, "OPTIMIZE")
    commit("main/s/b", 0, 8)
    found = latest_writes(tmp_path, 7, 0)
    assert {name: (made.version, made.at) for name, made in found.items()} == {"main.s.a": (1, 5.0)}

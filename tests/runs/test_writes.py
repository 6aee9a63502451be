"""Rows per task from Delta logs. The logs are small hand-written ones with the fields that Delta writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from medallion.runs.writes import commit_metadata, commits_of_run, latest_writes, rows_by_task


def commit(table: Path, version: int, operation: str, metrics: dict[str, str], metadata: str | None) -> None:
    log = table / "_delta_log"
    log.mkdir(parents=True, exist_ok=True)
    info: dict[str, Any] = {"operation": operation, "operationMetrics": metrics}
    if metadata is not None:
        info["userMetadata"] = metadata
    text = "\n".join(json.dumps(action) for action in ({"commitInfo": info}, {"add": {"path": "x"}}))
    (log / f"{version:020d}.json").write_text(text, encoding="utf-8")


def who(task_key: str, run_id: int = 7) -> str:
    return commit_metadata(job_id=1, run_id=run_id, task_key=task_key, task_run_id=99)


@pytest.mark.parametrize(
    ("operation", "metrics", "rows"),
    [
        pytest.param("WRITE", {"numOutputRows": "12", "numFiles": "1"}, 12, id="write"),
        pytest.param(
            "MERGE",
            {
                "numTargetRowsInserted": "3",
                "numTargetRowsUpdated": "2",
                "numTargetRowsDeleted": "1",
                "numOutputRows": "50",
            },
            6,
            id="merge counts changed rows, not copied ones",
        ),
        pytest.param("DELETE", {"numDeletedRows": "4", "numCopiedRows": "9"}, 4, id="delete"),
        pytest.param("OPTIMIZE", {"numOutputRows": "100"}, 0, id="optimize moves rows"),
        pytest.param("CREATE TABLE", {}, 0, id="no metrics"),
    ],
)
def test_rows_of_a_commit(tmp_path: Path, operation: str, metrics: dict[str, str], rows: int) -> None:
    commit(tmp_path / "retail" / "gold" / "daily", 0, operation, metrics, who("gold"))
    assert rows_by_task(commits_of_run(tmp_path, 7, 0)) == {"gold": rows}


def test_commits_of_others_do_not_count(tmp_path: Path) -> None:
    table = tmp_path / "retail" / "gold" / "daily"
    commit(table, 0, "WRITE", {"numOutputRows": "1"}, who("gold"))
    commit(table, 1, "WRITE", {"numOutputRows": "2"}, who("gold", run_id=8))
    commit(table, 2, "WRITE", {"numOutputRows": "4"}, None)
    commit(table, 3, "WRITE", {"numOutputRows": "8"}, "a note, not ours")
    commit(table, 4, "WRITE", {"numOutputRows": "16"}, who("other"))
    assert rows_by_task(commits_of_run(tmp_path, 7, 0)) == {"gold": 1, "other": 16}
    assert [(item.table, item.version) for item in commits_of_run(tmp_path, 7, 0)] == [
        ("retail.gold.daily", 0),
        ("retail.gold.daily", 4),
    ]


def test_a_lake_that_is_not_there_has_no_commits(tmp_path: Path) -> None:
    assert commits_of_run(tmp_path / "none", 7, 0) == []


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

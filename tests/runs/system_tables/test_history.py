"""Each change of a definition is a new row; nothing is written for what stayed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from medallion.runs.system_tables.history import changed, job_row, task_rows
from medallion.spec.definition import JobDefinition
from medallion.spec.loading import load

DAY = datetime(2026, 3, 1, tzinfo=UTC)
JOB: dict[str, Any] = {
    "name": "nightly load",
    "tags": {"team": "a"},
    "schedule": {"quartz_cron_expression": "0 0 2 * * ?", "timezone_id": "UTC", "pause_status": "PAUSED"},
    "timeout_seconds": 60,
    "health": {"rules": [{"metric": "RUN_DURATION_SECONDS", "op": "GREATER_THAN", "value": 5}]},
    "tasks": [
        {"task_key": "a", "condition_task": {"op": "EQUAL_TO", "left": "1", "right": "1"}},
        {
            "task_key": "b",
            "depends_on": [{"task_key": "a", "outcome": "true"}],
            "condition_task": {"op": "EQUAL_TO", "left": "1", "right": "1"},
        },
    ],
}


def defined(folder: Path, **changes: Any) -> JobDefinition:
    file = folder / "job.json"
    file.write_text(json.dumps({**JOB, **changes}))
    (definition,) = load(file).require()
    return definition


def test_a_job_tells_its_settings(tmp_path: Path) -> None:
    row = job_row("nightly_load", defined(tmp_path), "ann@example.com")
    assert (row["name"], row["tags"], row["timeout_seconds"]) == ("nightly load", {"team": "a"}, 60)
    assert (row["trigger_type"], row["paused"], row["run_as_user_name"]) == ("CRON", True, "ann@example.com")
    assert row["trigger"]["schedule"] == {"quartz_cron_expression": "0 0 2 * * ?", "timezone_id": "UTC"}
    assert row["health_rules"] == [{"metric": "RUN_DURATION_SECONDS", "operator": "GREATER_THAN", "value": 5}]
    assert {key: item["depends_on_keys"] for key, item in task_rows("nightly_load", defined(tmp_path)).items()} == {
        "a": [],
        "b": ["a"],
    }


@pytest.mark.parametrize(
    ("trigger", "word"),
    [
        pytest.param({"periodic": {"interval": 1, "unit": "DAYS"}}, "PERIODIC", id="period"),
        pytest.param({"file_arrival": {"url": "/Volumes/a/b/c"}}, "FILE_ARRIVAL", id="files"),
        pytest.param({"table_update": {"table_names": ["a.b.c"]}}, "TABLE", id="tables"),
    ],
)
def test_a_trigger_has_its_word(tmp_path: Path, trigger: dict[str, Any], word: str) -> None:
    assert job_row("x", defined(tmp_path, schedule=None, trigger=trigger), "u")["trigger_type"] == word


def test_only_changes_are_rows(tmp_path: Path) -> None:
    first = job_row("x", defined(tmp_path), "u")
    made = changed({}, {"1": first}, DAY, gone=frozenset())
    assert [(row["change_time"], row["create_time"], row["delete_time"]) for row in made] == [(DAY, DAY, None)]
    # As a table gives it back: a map is a list of pairs.
    known = {"1": {**made[0], "tags": list(made[0]["tags"].items())}}
    later = DAY + timedelta(days=1)
    assert changed(known, {"1": first}, later, gone=frozenset()) == []
    second = job_row("x", defined(tmp_path, description="new"), "u")
    (row,) = changed(known, {"1": second}, later, gone=frozenset())
    assert (row["description"], row["change_time"], row["create_time"]) == ("new", later, DAY)


def test_a_deleted_job_is_a_row_and_a_job_that_comes_back_another(tmp_path: Path) -> None:
    (made,) = changed({}, {"1": job_row("x", defined(tmp_path), "u")}, DAY, gone=frozenset())
    later = DAY + timedelta(days=1)
    (deleted,) = changed({"1": made}, {}, later, gone=frozenset({"1"}))
    assert (deleted["name"], deleted["delete_time"], deleted["change_time"]) == ("nightly load", later, later)
    assert changed({"1": deleted}, {}, later, gone=frozenset({"1"})) == []
    (back,) = changed({"1": deleted}, {"1": job_row("x", defined(tmp_path), "u")}, later, gone=frozenset())
    assert back["delete_time"] is None

"""Rows of runs and tasks from snapshots; the audit's rows from notes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from medallion.runs.report import report
from medallion.runs.shape import Shape
from medallion.runs.snapshot import Instance, Snapshot
from medallion.runs.system_tables.audit import HIDDEN, request_of, run_events
from medallion.runs.system_tables.pipeline_rows import pipeline_rows, update_rows
from medallion.runs.system_tables.rows import Facts, Whole, run_rows, task_rows
from medallion.runs.system_tables.schema import TABLES
from medallion.runs.system_tables.words import trigger_of_run

TEN = datetime(2026, 3, 1, 10, tzinfo=UTC).timestamp()
SHAPE = Shape("job", {"a": (), "b": ("a",)})


def whole(snapshot: Snapshot, **facts: Any) -> Whole:
    return Whole(None, snapshot, report(SHAPE, snapshot, None), Facts(**facts))


def ended(state: str = "success", start: float | None = TEN + 60, end: float = TEN + 9000) -> Snapshot:
    instances = (
        Instance("a", state="success", try_number=1, start=TEN + 61, end=TEN + 8000),
        Instance("b", state=state, try_number=1, start=TEN + 8001, end=TEN + 8990),
    )
    return Snapshot("job", "run", state, start, end, instances)


def test_only_the_last_period_of_a_long_run_has_its_result() -> None:
    rows = run_rows(whole(ended(), queued=TEN + 30))
    assert [row.get("result_state") for row in rows] == [None, None, "SUCCEEDED"]
    assert [row["period_end_time"].hour for row in rows] == [11, 12, 12]
    last = rows[-1]
    assert (last["run_duration_seconds"], last["queue_duration_seconds"]) == (8940, 30)
    assert (last["termination_code"], last["termination_type"]) == ("SUCCESS", "SUCCESS")
    assert all(row.get("run_duration_seconds") is None for row in rows[:-1])


def test_the_past_hours_of_a_run_that_goes_on_are_the_same_rows_as_at_its_end() -> None:
    going = replace(ended(), state="running", end=None)
    early = run_rows(whole(going), now=TEN + 7500)
    assert early == run_rows(whole(ended()))[:2]
    assert run_rows(whole(going), now=TEN + 100) == []


def test_a_run_that_never_ran_has_one_row_that_starts_when_it_ends() -> None:
    skipped = Snapshot("job", "run", "failed", None, TEN, (Instance("a", state="skipped"),))
    (row,) = run_rows(whole(skipped))
    assert row["period_start_time"] == row["period_end_time"] == datetime.fromtimestamp(TEN, UTC)


@pytest.mark.parametrize(
    ("state", "canceled", "word"),
    [
        pytest.param("success", False, "SUCCEEDED", id="good"),
        pytest.param("failed", False, "FAILED", id="bad"),
        pytest.param("failed", True, "CANCELLED", id="cancelled"),
    ],
)
def test_results_have_the_tables_words(state: str, canceled: bool, word: str) -> None:
    rows = run_rows(whole(replace(ended(state), canceled=canceled)))
    assert rows[-1]["result_state"] == word


def test_rows_have_no_column_that_their_table_has_not() -> None:
    run = whole(ended())
    for name, rows in (("job_run_timeline", run_rows(run)), ("job_task_run_timeline", task_rows(run))):
        known = {column for column, _ in TABLES[name].columns}
        assert set().union(*rows) == known


def test_the_trigger_of_a_run() -> None:
    assert trigger_of_run("scheduled", {}, None) == "CRON"
    assert trigger_of_run("manual", {}, None) == "ONETIME"
    assert trigger_of_run("manual", {"trigger_type": "file_arrival"}, None) == "FILE_ARRIVAL"


def test_who_started_cancelled_and_repaired_a_run() -> None:
    notes = {
        "canceled": {"who": "ann", "when": "2026-03-01T10:05:00+00:00"},
        "canceled_tasks": {"b": {"who": "bob", "when": "2026-03-01T10:04:00+00:00"}},
        "repairs": [{"id": 7, "who": "cid", "when": "2026-03-01T11:00:00+00:00", "tasks": ["b"]}],
    }
    run = whole(ended(), queued=TEN, user="eve")
    events = run_events(run, notes)
    assert [(row["action_name"], row["user_identity"]["email"]) for row in events] == [
        ("runNow", "eve"),
        ("cancel", "ann"),
        ("cancel", "bob"),
        ("repairRun", "cid"),
    ]
    assert events == run_events(run, notes), "told again they are the same rows"
    assert len({row["event_id"] for row in events}) == 4
    assert events[3]["request_params"]["rerunTasks"] == "b"
    triggered = run_events(whole(ended(), run_type="scheduled", queued=TEN), {})
    assert [row["action_name"] for row in triggered] == ["runTriggered"]


def test_secrets_of_requests_are_left_out() -> None:
    text = '{"key": "token", "val": "s3cret", "value": "s3cret", "password": "x", "extra": "{}", "pool": "a"}'
    assert request_of(text) == {"key": "token", "pool": "a"}
    assert "password" in HIDDEN
    assert request_of("not json") == {}


def test_an_update_of_a_pipeline_is_cut_like_a_run_and_a_pipeline_has_a_row_for_each_change() -> None:
    record = {
        "pipeline_id": "p",
        "update_id": "u",
        "name": "sales",
        "start": TEN + 60,
        "end": TEN + 4000,
        "state": "COMPLETED",
        "update_type": "FULL_REFRESH",
        "refresh_selection": ["a"],
        "settings": {"serverless": True, "edition": "CORE"},
        "configuration": {"x": 1},
    }
    rows = update_rows(whole(ended()), record, 5, "ann")
    assert [row.get("result_state") for row in rows] == [None, "COMPLETED"]
    assert (rows[0]["trigger_details"]["job_task"]["job_task_run_id"], rows[0]["refresh_selection"]) == ("5", ["a"])
    (first,) = pipeline_rows({"p": record}, {}, "ann")
    assert (first["name"], first["settings"]["serverless"], first["configuration"]) == ("sales", True, {"x": "1"})
    later = {**record, "start": TEN + 9000}
    assert pipeline_rows({"p": later}, {"p": first}, "ann") == []
    (second,) = pipeline_rows({"p": {**later, "name": "sales 2"}}, {"p": first}, "ann")
    assert (second["name"], second["create_time"]) == ("sales 2", first["change_time"])
    known = {column for column, _ in TABLES["pipelines"].columns}
    assert set(first) == known

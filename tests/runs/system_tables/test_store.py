"""The tables: there from the start, each row once, small whatever the number of commits."""

from __future__ import annotations

import multiprocessing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from medallion.runs.system_tables import store as stores
from medallion.runs.system_tables.schema import TABLES, arrow_schema
from medallion.runs.system_tables.store import Store, make_system_tables
from medallion.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.load(tmp_path, environ={})


def write(commits: int, table: str = "jobs", job: str = "7") -> list[dict[str, Any]]:
    return [{"job_id": job, "change_time": datetime(2026, 3, 1, 0, 0, commits, tzinfo=UTC), "tags": {"a": "b"}}]


def test_tables_are_there_empty_before_the_first_run(settings: Settings) -> None:
    make_system_tables(settings)
    for table in TABLES.values():
        place = settings.lake / "system" / table.schema / table.name
        delta = DeltaTable(str(place))
        names = [field.name for field in delta.schema().fields]
        assert names == [name for name, _ in table.columns]
        assert (delta.protocol().min_reader_version, delta.protocol().min_writer_version) == (1, 2)
        arrow = delta.to_pyarrow_dataset()
        with duckdb.connect() as db:
            db.register("found", arrow)
            assert db.execute("SELECT count(*) FROM found").fetchall() == [(0,)]


def test_columns_stand_as_documented() -> None:
    runs = [name for name, _ in TABLES["job_run_timeline"].columns]
    assert runs[:7] == [
        *("account_id", "workspace_id", "job_id", "run_id", "period_start_time", "period_end_time", "trigger_type")
    ]
    assert {"run_duration_seconds", "queue_duration_seconds", "termination_type"} < set(runs)
    kinds = {field.name: field.type for field in arrow_schema("job_run_timeline")}
    assert kinds["compute_ids"] == pa.list_(pa.string())
    assert kinds["job_parameters"] == pa.map_(pa.string(), pa.string())
    assert kinds["period_start_time"] == pa.timestamp("us", tz="UTC")


def test_a_row_that_is_there_is_not_written_again(settings: Settings) -> None:
    store = Store(settings)
    assert store.add("jobs", write(1)) == 1
    version = store.table("jobs").version()
    assert store.add("jobs", [*write(1), *write(1)]) == 0
    assert store.table("jobs").version() == version
    assert Store(settings).add("jobs", [*write(1), *write(2)]) == 1
    assert len(store.rows("jobs")) == 2


def add_all(settings: Settings) -> None:
    store = Store(settings)
    for number in range(10):
        store.add("jobs", write(number))


def test_two_processes_that_write_the_same_rows_write_each_once(settings: Settings) -> None:
    make_system_tables(settings)
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=add_all, args=(settings,)) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    assert len(Store(settings).rows("jobs")) == 10


def test_many_commits_leave_few_files(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "KEEP_HOURS", 0)
    monkeypatch.setattr(stores, "TIDY_COMMITS", 20)
    store = Store(settings)
    for number in range(45):
        store.add("jobs", write(number))
    place = store.place("jobs")
    assert len(list(place.glob("*.parquet"))) <= 25
    assert len(store.table("jobs").file_uris()) <= 25
    assert len(store.rows("jobs")) == 45


def test_a_table_that_was_taken_away_is_made_again(settings: Settings) -> None:
    import shutil

    store = Store(settings)
    store.add("jobs", write(1))
    shutil.rmtree(store.folder)
    assert store.add("jobs", write(2)) == 1
    assert len(store.rows("jobs")) == 1

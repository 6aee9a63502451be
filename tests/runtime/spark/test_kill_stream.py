"""A task's process is killed in the middle of an Auto Loader stream, again and again: each row is there exactly once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from compute.catalog_spark import Lake, SparkProcess

pytestmark = [pytest.mark.spark, pytest.mark.slow]

FILES, ROWS, PER_BATCH, KILLS = 160, 10, 4, 3


def load(spark: Any) -> None:
    """What the task does."""
    reader = spark.readStream.format("cloudFiles").option("cloudFiles.format", "json")
    reader = reader.option("cloudFiles.inferColumnTypes", "true").option("cloudFiles.maxFilesPerTrigger", PER_BATCH)
    rows = reader.option("cloudFiles.schemaLocation", "/Volumes/main/killed/state").load("/Volumes/main/killed/in")
    writer = rows.writeStream.option("checkpointLocation", "/Volumes/main/killed/state").trigger(availableNow=True)
    writer.toTable("main.killed.rows").awaitTermination()


def task(lake: Lake) -> SparkProcess:
    """A new process with what a task's start does."""
    process = lake.spark()
    process.call(teach)
    return process


def teach(spark: Any) -> None:
    from medallion.runtime.spark.install import install

    install(spark)


def wait_until(what: Callable[[], bool], seconds: float = 120) -> None:
    limit = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < limit
        time.sleep(0.02)


def test_kills_of_the_process_lose_and_double_nothing(lake: Lake) -> None:
    landing = lake.volumes / "main" / "killed" / "in"
    landing.mkdir(parents=True)
    for number in range(FILES):
        lines = (f'{{"id": {number * ROWS + row}, "file": {number}}}\n' for row in range(ROWS))
        (landing / f"{number:04}.json").write_text("".join(lines))
    task(lake).sql("CREATE SCHEMA main.killed")
    log = lake.path / "main" / "killed" / "rows" / "_delta_log"
    for _ in range(KILLS):
        process, before = task(lake), versions(log)
        process.send(load)
        wait_until(lambda before=before: versions(log) >= before + 3)  # type: ignore[misc]
        os.kill(process.process.pid, signal.SIGKILL)
        process.process.wait()
    assert versions(log) < FILES // PER_BATCH, "the kills came in the middle"
    last = task(lake)
    last.call(load)
    asked = "count(*), count(DISTINCT id), count(DISTINCT file), count(_rescued_data)"
    assert last.sql(f"SELECT {asked} FROM main.killed.rows") == [(FILES * ROWS, FILES * ROWS, FILES, 0)]


def versions(log: Path) -> int:
    """Commits of a table, looked at without Spark."""
    return len(list(log.glob("*.json")))

"""The ecommerce example's pipeline: datasets and expectations beside what its generator planted."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from jobs.conftest import Bench

pytestmark = [pytest.mark.spark, pytest.mark.airflow, pytest.mark.e2e]

JOB = "ecommerce_pipeline"
SCHEMA = "workspace.ecommerce_pipeline"
REASONS = (
    "event_time is a time",
    "event_type is known",
    "product_id is a number",
    "price is not negative",
    "user_id is a number",
)


@pytest.fixture(scope="module")
def files(bench: Bench) -> Path:
    """The monthly files of the example."""
    out = bench.home / "volumes" / "workspace" / "ecommerce" / "ecommerce_data"
    script = bench.project / "jobs" / "ecommerce" / "generate.py"
    words = ["--events", "1000", "--seed", "7", "--out", str(out)]
    subprocess.run([sys.executable, str(script), *words], check=True, capture_output=True, timeout=120)
    return out


@pytest.fixture(scope="module")
def rows(files: Path) -> list[dict[str, str]]:
    """All rows of all months."""
    found = []
    for file in sorted(files.glob("2019-*.csv")):
        with file.open(newline="") as lines:
            found += list(csv.DictReader(lines))
    return found


@pytest.fixture(scope="module")
def first(bench: Bench, files: Path) -> dict[str, Any]:
    return bench.run(JOB)


def failed(bench: Bench) -> Counter[str]:
    """Failed records by expectation, over all updates, from the event log."""
    (log,) = (bench.home / "lake").joinpath(*SCHEMA.split(".")).glob("event_log_*")
    counts: Counter[str] = Counter()
    for (text,) in bench.rows(f"{SCHEMA}.{log.name}", "details"):
        quality = json.loads(text).get("flow_progress", {}).get("data_quality", {})
        for rule in quality.get("expectations", []):
            counts[rule["name"]] += rule["failed_records"]
    return counts


def test_the_pipeline_makes_what_the_files_hold(
    bench: Bench, first: dict[str, Any], rows: list[dict[str, str]]
) -> None:
    assert first["result_state"] == "SUCCESS"
    assert sum(bench.counted(f"{SCHEMA}.bronze_events", "source_file").values()) == len(rows)
    refused = failed(bench)
    planted = Counter(
        rule
        for row in rows
        for rule, wrong in {
            "event_time is a time": row["event_time"] == "2019-13-45 00:00:00 UTC",
            "event_type is known": row["event_type"] == "teleport",
            "product_id is a number": row["product_id"] == "n/a",
            "price is not negative": row["price"] == "-1.00",
            "user_id is a number": row["user_id"] == "",
        }.items()
        if wrong
    )
    assert {rule: refused[rule] for rule in REASONS} == {rule: planted[rule] for rule in REASONS}
    assert sum(planted.values()) > 0
    kept = len(rows) - sum(planted.values())
    assert sum(bench.counted(f"{SCHEMA}.silver_events", "event_type").values()) == kept


def test_a_second_run_reads_no_file_again(bench: Bench, first: dict[str, Any], rows: list[dict[str, str]]) -> None:
    before = bench.rows(f"{SCHEMA}.gold_daily_sales")
    assert bench.run(JOB)["result_state"] == "SUCCESS"
    assert sum(bench.counted(f"{SCHEMA}.bronze_events", "source_file").values()) == len(rows)
    assert bench.rows(f"{SCHEMA}.gold_daily_sales") == before
    assert before

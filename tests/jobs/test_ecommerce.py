"""The ecommerce example: its gold tables, reports and dbt marts beside a computation from the raw files by DuckDB."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from jobs.conftest import RUN_SECONDS, Bench

pytestmark = [pytest.mark.spark, pytest.mark.airflow, pytest.mark.e2e]

JOB = "ecommerce_daily"
TABLES = "workspace.ecommerce"
COUNTRIES = ("PL", "DE", "US")

RULES = """
CREATE TABLE typed AS
SELECT
  try_strptime(event_time, '%Y-%m-%d %H:%M:%S UTC') AS event_time,
  lower(trim(event_type)) AS event_type,
  try_cast(product_id AS BIGINT) AS product_id,
  try_cast(category_id AS BIGINT) AS category_id,
  category_code,
  coalesce(brand, 'unknown') AS brand,
  try_cast(price AS DECIMAL(12, 2)) AS price,
  try_cast(user_id AS BIGINT) AS user_id,
  user_session
FROM read_csv($file, header = true, all_varchar = true, nullstr = '');

CREATE TABLE judged AS
SELECT *, CASE
    WHEN event_time IS NULL THEN 'bad_event_time'
    WHEN event_type NOT IN ('view', 'cart', 'remove_from_cart', 'purchase') THEN 'bad_event_type'
    WHEN product_id IS NULL THEN 'bad_product_id'
    WHEN price IS NULL OR price < 0 THEN 'bad_price'
    WHEN user_id IS NULL THEN 'bad_user_id'
  END AS reason
FROM typed;

CREATE TABLE events AS SELECT DISTINCT * FROM judged WHERE reason IS NULL;
CREATE TABLE sold AS
SELECT e.*, u.country FROM events e LEFT JOIN read_csv($users, header = true) u USING (user_id)
WHERE event_type = 'purchase';
"""
DAILY = """
SELECT event_time::DATE, count(*) FILTER (event_type = 'view'), count(*) FILTER (event_type = 'cart'),
  count(*) FILTER (event_type = 'purchase'), coalesce(sum(price) FILTER (event_type = 'purchase'), 0)
FROM events GROUP BY 1
"""
BRANDS = "SELECT brand, count(*), sum(price) AS revenue FROM sold GROUP BY brand ORDER BY revenue DESC, brand LIMIT 20"
BY_COUNTRY = "SELECT country, count(DISTINCT user_id), count(*), sum(price) FROM sold GROUP BY country"
CATEGORIES = """
SELECT coalesce(split_part(category_code, '.', 1), 'none'), count(*), count(DISTINCT user_id), sum(price)
FROM sold GROUP BY 1
"""


@dataclass(frozen=True)
class Month:
    """What the raw files of a month say."""

    db: duckdb.DuckDBPyConnection

    @classmethod
    def of(cls, folder: Path, month: str) -> Month:
        db = duckdb.connect()
        for statement in RULES.strip().split(";")[:-1]:
            values = {"file": str(folder / f"{month}.csv"), "users": str(folder / "users.csv")}
            used = {name: value for name, value in values.items() if f"${name}" in statement}
            db.execute(statement, used)
        return cls(db)

    def rows(self, query: str) -> set[tuple[Any, ...]]:
        return set(self.db.execute(query).fetchall())


def states(run: dict[str, Any]) -> dict[str, str]:
    return {task["task_key"]: task["result_state"] for task in run["tasks"]}


@pytest.fixture(scope="module")
def data(bench: Bench) -> Path:
    """The sample files where the job looks for them."""
    out = bench.home / "volumes" / "workspace" / "ecommerce" / "ecommerce_data"
    script = bench.project / "jobs" / "ecommerce" / "generate.py"
    command = [sys.executable, str(script), "--events", "3000", "--seed", "7", "--out", str(out)]
    subprocess.run(command, check=True, capture_output=True, timeout=RUN_SECONDS)
    return out


@pytest.fixture(scope="module")
def october(bench: Bench, data: Path) -> dict[str, Any]:
    return bench.run(JOB, countries=json.dumps(COUNTRIES))


def test_a_good_month_goes_to_gold_and_every_table_is_what_the_raw_files_say(
    bench: Bench, data: Path, october: dict[str, Any]
) -> None:
    assert october["result_state"] == "SUCCESS", october
    assert states(october)["quarantine"] == "EXCLUDED"
    expected = Month.of(data, "2019-Oct")
    daily = bench.rows(f"{TABLES}.gold_daily_events", "event_date", "views", "carts", "purchases", "revenue")
    assert daily == expected.rows(DAILY)
    assert bench.rows(f"{TABLES}.gold_brands", "brand", "purchases", "revenue") == expected.rows(BRANDS)
    reports = bench.rows(f"{TABLES}.country_reports", "country", "buyers", "purchases", "revenue")
    assert {row[0] for row in reports} == set(COUNTRIES)
    assert {row for row in reports if row[2]} == {row for row in expected.rows(BY_COUNTRY) if row[0] in COUNTRIES}
    marts = bench.rows("workspace.ecommerce_marts.category_sales", "category", "purchases", "buyers", "revenue")
    assert marts == expected.rows(CATEGORIES)


def test_what_was_planted_is_rejected_with_its_reason(bench: Bench, data: Path, october: dict[str, Any]) -> None:
    planted = json.loads((data / "planted.json").read_text())["2019-Oct"]
    planted.pop("repeated")
    assert bench.reasons(f"{TABLES}.rejected_events") == planted


@pytest.mark.slow
def test_a_bad_month_goes_to_quarantine_and_gold_stays(bench: Bench, data: Path, october: dict[str, Any]) -> None:
    before = bench.counted(f"{TABLES}.gold_daily_events")
    run = bench.run(JOB, month="Nov", max_bad_percent="0.1", countries='["PL"]')
    found = states(run)
    assert (found["quarantine"], found["gold"], found["marts"]) == ("SUCCESS", "EXCLUDED", "EXCLUDED")
    assert found["summary"] == "SUCCESS"
    assert bench.counted(f"{TABLES}.gold_daily_events") == before
    planted = json.loads((data / "planted.json").read_text())["2019-Nov"]
    planted.pop("repeated")
    assert bench.reasons(f"{TABLES}.quarantine_events") == planted


@pytest.mark.slow
def test_fifty_countries_ten_at_a_time(bench: Bench, data: Path, october: dict[str, Any]) -> None:
    run = bench.run(JOB)
    assert run["result_state"] == "SUCCESS"
    loop = next(task for task in run["tasks"] if task["task_key"] == "country_reports")
    assert len({item["label"] for item in loop["iterations"]}) == len(loop["iterations"]) == 50
    spans = [(item["start_time"], item["end_time"]) for item in loop["iterations"]]
    assert 1 < max(sum(start <= moment < end for start, end in spans) for moment, _ in spans) <= 10
    reports = bench.rows(f"{TABLES}.country_reports", "country", "buyers", "purchases", "revenue")
    found = {row for row in reports if row[2]}
    assert found == Month.of(data, "2019-Oct").rows(BY_COUNTRY)
    assert {row[0] for row in reports if not row[2]} | {row[0] for row in found} == {row[0] for row in reports}
    assert len(reports) == 50


TOP = """# Databricks notebook source
dbutils.widgets.text("catalog", "workspace")
dbutils.widgets.text("schema", "ecommerce")
name = f"{dbutils.widgets.get('catalog')}.{dbutils.widgets.get('schema')}"
spark.sql(f'''
    SELECT product_id, sum(price) AS revenue FROM {name}.silver_events
    WHERE event_type = 'purchase' AND month = '2019-Oct' GROUP BY product_id ORDER BY revenue DESC, product_id LIMIT 5
''').write.mode("overwrite").saveAsTable(f"{name}.top_products")
"""


@pytest.mark.slow
def test_a_task_from_a_git_repository(
    bench: Bench, data: Path, october: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tmp_path / "tree"
    (tree / "notebooks").mkdir(parents=True)
    (tree / "notebooks" / "top_products.py").write_text(TOP)
    who = {f"GIT_{who}_{what}": "x@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    for line in ("init -q -b main", "add .", "commit -q -m first", f"clone -q --bare . {tmp_path / 'jobs.git'}"):
        subprocess.run(["git", *line.split()], cwd=tree, check=True, env={**os.environ, **who})
    monkeypatch.setenv("BUNDLE_VAR_git_url", (tmp_path / "jobs.git").as_uri())
    assert bench.run("ecommerce_git_report")["result_state"] == "SUCCESS"
    top = "SELECT product_id, sum(price) FROM sold GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 5"
    found = bench.rows(f"{TABLES}.top_products", "product_id", "revenue")
    assert found == {(product, Decimal(total)) for product, total in Month.of(data, "2019-Oct").rows(top)}


def test_monthly_files_are_ingested_once_and_what_does_not_fit_is_rescued(bench: Bench, data: Path) -> None:
    for _ in range(2):
        run = bench.run("ecommerce_ingest")
        assert run["result_state"] == "SUCCESS"
    with duckdb.connect() as db:
        raw = "read_csv($files, header = true, all_varchar = true, filename = true)"
        counts = f"SELECT parse_filename(filename), count(*) FROM {raw} GROUP BY 1"
        files = {"files": [str(file) for file in sorted(data.glob("20*.csv"))]}
        expected = {(name,): count for name, count in db.execute(counts, files).fetchall()}
    assert bench.counted(f"{TABLES}.raw_events", "source_file") == expected
    rescued = [text for (text,) in bench.counted(f"{TABLES}.raw_events", "_rescued_data") if text]
    assert all(json.loads(text)["product_id"] == "n/a" for text in rescued if "product_id" in text)

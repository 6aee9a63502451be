"""The examples run by the command, as a user runs them; their tables against an independent reading of the raw files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from jobs.conftest import Bench
from jobs.expected import Expected, work_out

pytestmark = [pytest.mark.spark, pytest.mark.airflow, pytest.mark.e2e, pytest.mark.timeout(1800)]

CUSTOMER = ("customer_id", "name", "email", "country", "signup_date")
ORDER = ("order_id", "customer_id", "order_date", "status", "channel", "amount")
SUMMARY = (
    *("customer_id", "name", "email", "country", "orders", "cancelled_orders", "total_amount", "average_amount"),
    *("first_order_date", "last_order_date"),
)
DAILY = ("order_date", "orders", "cancelled_orders", "customers", "total_amount", "average_amount")
RETAILHUB_TABLES = (
    *("bronze.bronze_customers", "bronze.bronze_orders", "silver.silver_customers", "silver.quarantine_customers"),
    *("silver.silver_orders_cleaned", "silver.quarantine_orders", "gold.gold_customer_orders_summary"),
    *("gold.quarantine_customer_orders", "gold.gold_daily_orders"),
)
BUNDLE_TABLES = tuple(
    table.replace("bronze_customers", "bronze_customer").replace("customer_orders_summary", "customer_order_summary")
    for table in RETAILHUB_TABLES
)
LAB_TABLES = (
    *("bronze.bronze_customer", "bronze.bronze_orders", "silver.silver_customer", "silver.silver_orders"),
    *("silver.quarantine_customer", "silver.quarantine_orders", "gold.gold_daily_orders", "gold.gold_summary"),
)


def succeeded(run: dict[str, Any], tasks: int) -> dict[str, Any]:
    """The run, when it and all its tasks succeeded."""
    assert run.get("result_state") == "SUCCESS", json.dumps(run, indent=1)
    assert [task["result_state"] for task in run["tasks"]] == ["SUCCESS"] * tasks
    return run


def contents(bench: Bench, catalog: str, tables: tuple[str, ...]) -> dict[str, Any]:
    """Everything in the tables, ingest times included."""
    return {table: bench.counted(f"{catalog}.{table}") for table in tables}


def check_medallion(bench: Bench, catalog: str, tables: tuple[str, ...], expected: Expected) -> None:
    """All tables of the RetailHub pipeline against what they must hold."""
    name = dict(zip(RETAILHUB_TABLES, (f"{catalog}.{table}" for table in tables), strict=True))
    assert sum(bench.counted(name["bronze.bronze_customers"]).values()) == expected.customer_rows
    assert sum(bench.counted(name["bronze.bronze_orders"]).values()) == expected.order_rows
    customers = {(*row[:4], str(row[4])) for row in bench.rows(name["silver.silver_customers"], *CUSTOMER)}
    assert customers == {(*row[:4], str(row[4])) for row in expected.customers}
    assert bench.rows(name["silver.silver_orders_cleaned"], *ORDER) == expected.orders
    assert bench.reasons(name["silver.quarantine_customers"]) == expected.refused_customers
    assert bench.reasons(name["silver.quarantine_orders"]) == expected.refused_orders
    assert bench.reasons(name["gold.quarantine_customer_orders"]) == {"unknown_customer": expected.unknown_customer}
    assert bench.rows(name["gold.gold_customer_orders_summary"], *SUMMARY) == expected.summary
    assert bench.rows(name["gold.gold_daily_orders"], *DAILY) == expected.daily


def test_retailhub_gives_what_the_raw_files_say_and_a_second_run_changes_nothing(bench: Bench) -> None:
    datasets = bench.generate("retailhub", "retailhub")
    succeeded(bench.run("RetailHub_Medallion_Pipeline"), tasks=6)
    check_medallion(bench, "retailhub", RETAILHUB_TABLES, work_out(datasets))

    before = contents(bench, "retailhub", RETAILHUB_TABLES)
    succeeded(bench.run("RetailHub_Medallion_Pipeline"), tasks=6)
    assert contents(bench, "retailhub", RETAILHUB_TABLES) == before

    # a new file: one order changes, one is late and older, one is new, one is bad
    known = sorted(work_out(datasets).orders)[:2]
    lines = [
        {"order_id": known[0][0], "customer_id": known[0][1], "amount": 1.25, "updated_at": "2026-07-01T00:00:00Z"},
        {"order_id": known[1][0], "customer_id": known[1][1], "amount": 2.5, "updated_at": "2023-01-01T00:00:00Z"},
        {"order_id": "O-new", "customer_id": known[0][1], "amount": "3.75", "updated_at": "2026-07-01T00:00:00Z"},
        {"order_id": "O-bad", "customer_id": known[0][1], "amount": -1, "updated_at": "2026-07-01T00:00:00Z"},
    ]
    text = "".join(
        json.dumps({**line, "order_date": "2026-01-31", "status": "Placed", "channel": "web"}) + "\n" for line in lines
    )
    (datasets / "orders" / "orders_late.json").write_text(text + "{cut\n")
    succeeded(bench.run("RetailHub_Medallion_Pipeline"), tasks=6)
    check_medallion(bench, "retailhub", RETAILHUB_TABLES, work_out(datasets))


def test_the_bundle_gives_the_same_tables_from_the_job_s_parameters(bench: Bench) -> None:
    datasets = bench.generate("retailhub_bundle", "retailhub_trainer")
    succeeded(bench.run("job_medalion_run"), tasks=6)
    check_medallion(bench, "retailhub_trainer", BUNDLE_TABLES, work_out(datasets))
    before = contents(bench, "retailhub_trainer", BUNDLE_TABLES)
    succeeded(bench.run("job_medalion_run"), tasks=6)
    assert contents(bench, "retailhub_trainer", BUNDLE_TABLES) == before


def test_a_failed_run_leaves_the_tables_whole_and_later_ones_mend_them(bench: Bench) -> None:
    datasets = bench.generate("retailhub_bundle", "mended", orders="50")
    parameters = {"catalog": "mended", "source_path": "/Volumes/mended/default/datasets"}
    hidden = datasets / "orders.hidden"
    (datasets / "orders").rename(hidden)
    run = bench.run("job_medalion_run", **parameters)
    states = {task["task_key"]: task["result_state"] for task in run["tasks"]}
    assert run["result_state"] == "FAILED"
    assert states == {
        "bronze_customer": "SUCCESS",
        "bronze_orders": "FAILED",
        "silver_customers": "SUCCESS",
        "silver_orders_cleaned": "UPSTREAM_FAILED",
        "gold_customer_order_summary": "UPSTREAM_FAILED",
        "gold_daily_orders": "UPSTREAM_FAILED",
    }
    assert not (bench.home / "lake" / "mended" / "bronze" / "bronze_orders").exists()
    hidden.rename(datasets / "orders")
    succeeded(bench.run("job_medalion_run", **parameters), tasks=6)
    check_medallion(bench, "mended", BUNDLE_TABLES, work_out(datasets))

    # the same files delivered again: nothing doubles
    bench.generate("retailhub_bundle", "mended", orders="50")
    succeeded(bench.run("job_medalion_run", **parameters), tasks=6)
    check_medallion(bench, "mended", BUNDLE_TABLES, work_out(datasets))


def test_lab08_customers_then_orders(bench: Bench) -> None:
    datasets = bench.generate("lab08", "lab08")
    succeeded(bench.run("customer_pipeline"), tasks=2)
    succeeded(bench.run("orders_pipeline"), tasks=4)
    expected = work_out(datasets)

    assert {row[0] for row in bench.rows("lab08.silver.silver_customer", "customer_id")} == {
        row[0] for row in expected.customers
    }
    assert bench.reasons("lab08.silver.quarantine_customer") == expected.refused_customers
    assert bench.reasons("lab08.silver.quarantine_orders") == {
        **expected.refused_orders,
        "unknown_customer": expected.unknown_customer,
    }
    daily = bench.rows("lab08.gold.gold_daily_orders", "order_date", "orders", "customers", "total_amount")
    assert daily == expected.daily_known
    ((first, last, orders, total, best),) = bench.rows("lab08.gold.gold_summary")
    assert (first, last) == (min(day[0] for day in daily), max(day[0] for day in daily))
    assert (orders, total) == (sum(day[1] for day in daily), sum(day[3] for day in daily))
    assert best == max((day[3], day[0]) for day in daily)[1]

    before = contents(bench, "lab08", LAB_TABLES)
    succeeded(bench.run("customer_pipeline"), tasks=2)
    succeeded(bench.run("orders_pipeline"), tasks=4)
    assert contents(bench, "lab08", LAB_TABLES) == before


def test_lab08_fan_out_fails_on_demand_and_joins_again(bench: Bench) -> None:
    failed = bench.run("fan_out_pipeline", fail_fact_tables="true")
    assert failed["result_state"] == "FAILED"
    assert {task["task_key"]: task["result_state"] for task in failed["tasks"]} == {
        "ingest": "SUCCESS",
        "build_dim_tables": "SUCCESS",
        "build_fact_tables": "FAILED",
        "generate_report": "UPSTREAM_FAILED",
        "send_notification": "UPSTREAM_FAILED",
    }
    assert not (bench.home / "lake" / "lab08" / "fan_out" / "fact_sales").exists()

    succeeded(bench.run("fan_out_pipeline", rows="500"), tasks=5)
    report = bench.counted("lab08.fan_out.report", "product_name", "is_weekend", "sales", "amount")
    assert sum(row[2] for row in report) == 500
    assert sum(row[3] for row in report) == sum(n * 7 % 100 + 1 for n in range(500)) / 4


def test_demo_etl_adds_its_columns_and_sums_them_up(bench: Bench) -> None:
    run = succeeded(bench.run("Demo_ETL_Pipeline"), tasks=3)
    source = bench.counted("samples.nyctaxi.trips")
    trips = bench.counted("main.demo_etl.trips_enriched")
    assert len({row[8] for row in trips}) == 1
    expected: dict[tuple[Any, ...], int] = {}
    for (pickup, dropoff, miles, fare, *zips), count in source.items():
        minutes = int((dropoff - pickup).total_seconds()) / 60
        key = (pickup, dropoff, miles, fare, *zips, minutes, fare / miles if miles > 0 else None)
        expected[key] = expected.get(key, 0) + count
    assert {row[:8]: count for row, count in trips.items()} == expected

    ((count, fare, miles, mean_fare, minutes, cost, _),) = bench.counted("main.demo_etl.trips_report")
    rows = [row for row, times in trips.items() for _ in range(times)]
    costs = [row[7] for row in rows if row[7] is not None]
    assert count == len(rows)
    assert fare == pytest.approx(sum(row[3] for row in rows))
    assert miles == pytest.approx(sum(row[2] for row in rows))
    assert mean_fare == pytest.approx(fare / count)
    assert minutes == pytest.approx(sum(row[6] for row in rows) / count)
    assert cost == pytest.approx(sum(costs) / len(costs))
    assert run["job"] == "Demo_ETL_Pipeline"


def test_a_wrong_job_file_is_refused_before_anything_runs(bench: Bench, project: Path, tmp_path: Path) -> None:
    shutil.copy(project / "tests" / "data" / "RetailHub_Medallion_Pipeline.template.json", tmp_path / "job.json")
    done = bench.medallion("run", str(tmp_path / "job.json"))
    assert done.returncode == 2
    assert "<YOUR_CATALOG>" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr

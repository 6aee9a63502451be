"""Failures, retries and loops: the states of each run, and what the tasks left in the tables."""

from __future__ import annotations

import pytest
from jobs.conftest import Bench

pytestmark = [pytest.mark.spark, pytest.mark.airflow, pytest.mark.e2e]

JOB = "lf_job_etl_pipeline"
COUNTS = {("orders", 300), ("customers", 30), ("products", 15)}
STATES = ("bronze_ingest", "validation", "report")


def states(run: dict[str, object]) -> dict[str, str]:
    return {task["task_key"]: task["result_state"] for task in run["tasks"]}  # type: ignore[index,attr-defined]


def test_a_good_run_excludes_the_alert_and_both_loops_count_the_same(bench: Bench) -> None:
    run = bench.run(JOB)
    assert run["result_state"] == "SUCCESS"
    assert states(run) == {
        "bronze_ingest": "SUCCESS",
        "validation": "SUCCESS",
        "report": "SUCCESS",
        "loop_in_notebook": "SUCCESS",
        "loop_for_each": "SUCCESS",
        "alert": "EXCLUDED",
        "audit": "SUCCESS",
    }
    assert bench.rows("lf_etl.gold.counts_of_loop") == COUNTS
    assert {row for name, _ in COUNTS for row in bench.rows(f"lf_etl.gold.counts_of_{name}")} == COUNTS
    loop = next(task for task in run["tasks"] if task["task_key"] == "loop_for_each")
    assert [item["label"] for item in loop["iterations"]] == ["orders", "customers", "products"]
    revenue = bench.rows("lf_etl.gold.revenue", "customer_id", "orders", "revenue")
    expected: dict[int, float] = {}
    for order in range(300):
        price = (order % 15 * 37 % 90 + 10) / 2
        expected[order % 30] = expected.get(order % 30, 0) + (order % 5 + 1) * price
    assert {(customer, 10, float(total)) for customer, _, total in revenue} == {
        (customer, 10, total) for customer, total in expected.items()
    }


def test_a_failed_validation_stops_the_report_and_starts_the_alert_and_the_audit(bench: Bench) -> None:
    run = bench.run(JOB, catalog="lf_bad", bad_rows="3")
    assert run["result_state"] == "SUCCESS_WITH_FAILURES"
    found = states(run)
    assert [found[key] for key in STATES] == ["SUCCESS", "FAILED", "UPSTREAM_FAILED"]
    assert (found["alert"], found["audit"]) == ("SUCCESS", "SUCCESS")
    assert {failed for _, failed in bench.rows("lf_bad.ops.alerts")} == {"validation"}
    ((*audited, rows),) = bench.rows("lf_bad.ops.audit", "job", *STATES, "attempts", "rows")
    assert audited == [JOB, "success", "failed", "upstream_failed", 1]
    assert rows == 300


@pytest.mark.slow
@pytest.mark.parametrize(("fail", "attempts", "state"), [("1", 2, "SUCCESS"), ("always", 4, "FAILED")])
def test_the_ingest_is_tried_again_a_minute_after_its_start(bench: Bench, fail: str, attempts: int, state: str) -> None:
    run = bench.run(JOB, catalog=f"lf_fail_{fail}", fail=fail)
    ingest = next(task for task in run["tasks"] if task["task_key"] == "bronze_ingest")
    assert (ingest["result_state"], ingest["attempts"]) == (state, attempts)
    assert run["end_time"] - run["start_time"] >= (attempts - 1) * 60_000
    assert states(run)["audit"] == "SUCCESS"

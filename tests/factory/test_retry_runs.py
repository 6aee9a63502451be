"""Retries, intervals and time-outs as real runs."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from factory.lab import Lab, Ran, ask, stub

from medallion.compute import gateway as gateways
from medallion.compute.connection import Connection

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]

COUNT = "{{task.execution_count}}"
LONG = """# Databricks notebook source
import subprocess
child = subprocess.Popen(["sleep", "301.5"])
print("started", flush=True)
spark.sparkContext.setLocalProperty("spark.scheduler.pool", "x")
spark.range(0, 4, 1, 4).rdd.map(lambda x: __import__("time").sleep(120)).count()
"""


@pytest.fixture(scope="module")
def retried(lab: Lab) -> Ran:
    (lab.project / "jobs" / "long.py").write_text(LONG)
    lab.run({"name": "warm", "tasks": [stub("warm")]})  # the time-outs below shall not count the start of a driver
    late = stub("late_i", "sleep", "{{input}}", timeout_seconds=8)
    whole = stub("whole_i", "sleep", "{{input}}", max_retries=1)
    quick = {"min_retry_interval_millis": 0}
    return lab.run(
        {
            "name": "retries",
            "tasks": [
                stub("none", "fail"),
                stub("zero", "fail", max_retries=0),
                stub("two", "fail", max_retries=2, **quick),
                stub("second", "fail_first", "1", COUNT, max_retries=3, **quick),
                stub("endless", "fail_first", "4", COUNT, max_retries=-1, **quick),
                # two seconds of work, an interval of four from start to start
                stub("spaced", "slow_fail", "1", COUNT, max_retries=1, min_retry_interval_millis=4000),
                ask("after_two", after=("two",), run_if="AT_LEAST_ONE_FAILED"),
                stub("late", "sleep", "60", timeout_seconds=2, max_retries=2),
                stub("late_again", "sleep", "60", timeout_seconds=2, max_retries=1, retry_on_timeout=True),
                stub("in_time", "sleep", "1", timeout_seconds=60),
                ask("is_timedout", "{{tasks.late.result_state}}", right="timedout", after=("late",), run_if="ALL_DONE"),
                ask("saw_timedout", after=("is_timedout:true",)),
                {"task_key": "spark", "notebook_task": {"notebook_path": "long"}, "timeout_seconds": 25},
                {"task_key": "loop", "for_each_task": {"inputs": "[0, 60]", "task": late}},
                {"task_key": "whole", "for_each_task": {"inputs": "[0, 60, 0]", "task": whole}, "timeout_seconds": 8},
            ],
        }
    )


@pytest.mark.parametrize(
    ("key", "state", "attempts"),
    [
        pytest.param("none", "FAILED", 1, id="no max_retries"),
        pytest.param("zero", "FAILED", 1, id="0"),
        pytest.param("two", "FAILED", 3, id="n"),
        pytest.param("second", "SUCCESS", 2, id="fewer than n"),
        pytest.param("endless", "SUCCESS", 5, id="-1"),
        pytest.param("late", "TIMEDOUT", 1, id="trap 10: a time-out is not retried"),
        pytest.param("late_again", "TIMEDOUT", 2, id="retry_on_timeout"),
        pytest.param("in_time", "SUCCESS", 1, id="in time"),
    ],
)
def test_attempts(retried: Ran, key: str, state: str, attempts: int) -> None:
    assert (retried.states[key], retried.attempts(key)) == (state, attempts)


def test_a_parent_has_failed_only_after_its_last_attempt(retried: Ran) -> None:
    assert retried.states["after_two"] == "SUCCESS"
    assert retried.span("after_two")[0] >= retried.span("two")[1]


def test_trap_9_the_interval_counts_from_the_start_of_the_failed_attempt(retried: Ran) -> None:
    first, second = (json.loads((retried.folder("spaced") / n / "context.json").read_text()) for n in "12")
    starts = [(retried.folder("spaced") / n / "context.json").stat().st_mtime for n in "12"]
    assert (first["ids"]["attempt"], second["ids"]["attempt"]) == (0, 1)
    ended = (retried.folder("spaced") / "1" / "result.json").stat().st_mtime
    assert starts[1] - starts[0] >= 3.5
    assert starts[1] - ended < 3.9, "counted from the end it would be four seconds and more"


def test_trap_15_execution_count_starts_at_1_and_retry_count_at_0(lab: Lab) -> None:
    words = ("{{task.execution_count}}", "{{task_retry_count}}", "{{task.execution_count}}")
    ran = lab.run({"name": "counts", "tasks": [stub("t", "fail_first", "1", words[0], words[1], max_retries=1)]})
    assert "said|1|2|1" in ran.log("t", attempt=2)


def test_a_time_out_is_timedout_by_its_record(retried: Ran) -> None:
    record = json.loads((retried.folder("late") / "1" / "result.json").read_text())
    assert record["failure"]["kind"] == "Timeout"
    assert "longer than 2 s" in record["failure"]["message"]
    assert retried.states["saw_timedout"] == "SUCCESS"
    loop = next(task for task in retried.report.tasks if task.task_key == "loop")
    assert [str(item.state.result) for item in loop.iterations or ()] == ["SUCCESS", "TIMEDOUT"]


def test_the_time_out_of_a_for_each_task_holds_for_all_its_iterations_together(retried: Ran) -> None:
    loop = next(task for task in retried.report.tasks if task.task_key == "whole")
    states = [str(item.state.result) for item in loop.iterations or ()]
    assert (str(loop.state.result), states[1:]) == ("TIMEDOUT", ["TIMEDOUT", "TIMEDOUT"])
    assert [item.attempts for item in loop.iterations or ()][1:] == [1, 1]
    log = retried.log("whole.iteration", map_index=2)
    assert "for-each task whole ran longer than 8 s" in log


def test_a_time_out_ends_the_process_group_and_the_spark_work(retried: Ran, lab: Lab) -> None:
    assert retried.states["spark"] == "TIMEDOUT"
    assert "started" in retried.log("spark")
    sleeping = [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", "301.5"]]
    assert sleeping == []
    assert active_spark_jobs(lab) == []


def active_spark_jobs(lab: Lab, patience: float = 10) -> list[Any]:
    """Jobs that run on the lab's drivers, asked of Spark itself. A cancelled one is given `patience` seconds to end."""
    end = time.monotonic() + patience
    while True:
        found: list[Any] = []
        for file in Path(lab.settings.home, "drivers").glob("*/*/connection.json"):
            connection = Connection.load(file)
            # By the driver's own gateway: a process attaches only once.
            with gateways.open_gateway(connection.port, connection.secret) as gateway:
                found += list(gateways.root_session(gateway).sparkContext().statusTracker().getActiveJobIds())
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.5)

"""Cancels of runs that go in a process of their own, by the request that `medallion cancel` leaves."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from deltalake import DeltaTable
from factory.lab import Lab, Ran, ask, stub
from factory.test_retry_runs import active_spark_jobs

from medallion.compute.pool import DriverPool
from medallion.factory import naming
from medallion.runs import ids
from medallion.runs.notes import read_notes
from medallion.runs.records import CANCELED
from medallion.runs.requests import CancelRequest, leave_request

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]

WRITER = """# Databricks notebook source
import subprocess, time
spark.sql("CREATE SCHEMA IF NOT EXISTS main.cancelled")
spark.range(10).write.mode("overwrite").saveAsTable("main.cancelled.whole")
stream = spark.readStream.format("rate").load().writeStream.format("noop").start()
child = subprocess.Popen(["sleep", "302.5"])
dbutils.jobs.taskValues.set("begun", True)
open(dbutils.widgets.get("told"), "w").write("writing")
slow = lambda batches: (time.sleep(300) or batch for batch in batches)
spark.range(0, 100, 1, 4).mapInPandas(slow, "id long").write.mode("overwrite").saveAsTable("main.cancelled.whole")
"""


def canceled(lab: Lab, job: dict[str, Any], begun: str, task: str | None = None, **more: Any) -> Ran:
    """Run a job and cancel it, or a task of it, as soon as an attempt of a task has begun.

    :param begun: the attempt's folder below the run's.
    """
    dag_id = naming.dag_id(job["name"])
    runs = lab.settings.home / "runs" / dag_id
    before = set(runs.iterdir()) if runs.is_dir() else set()

    def ask_for_it() -> None:
        end = time.monotonic() + 120
        while time.monotonic() < end:
            for run in set(runs.glob("*")) - before:
                if any((run / begun / name).is_file() for name in ("context.json", "child.json")):
                    leave_request(lab.settings.home, dag_id, run.name, CancelRequest("a person", task))
                    return
            time.sleep(0.1)

    thread = threading.Thread(target=ask_for_it, daemon=True)
    thread.start()
    ran = lab.run(job, **more)
    thread.join(5)
    return ran


def sleepers(lab: Lab) -> list[psutil.Process]:
    """Stub scripts that still run: each has its attempt's folder as its context."""
    home = str(lab.settings.home / "runs")
    return [item for item in psutil.process_iter(["cmdline"]) if home in " ".join(item.info["cmdline"] or ())]


@pytest.fixture(scope="module")
def ended(lab: Lab) -> tuple[Ran, dict[str, Any]]:
    """A cancelled run."""
    tasks = [
        ask("before"),
        stub("long", "sleep", "300", after=("before",), max_retries=3),
        ask("then", after=("long",)),
        ask("clean", after=("long",), run_if="ALL_DONE"),
    ]
    job = {"name": "cancelled", "tasks": tasks}
    return canceled(lab, job, "long/1"), job


def test_a_run_ends_at_once_and_says_who_ended_it(lab: Lab, ended: tuple[Ran, dict[str, Any]]) -> None:
    ran, _ = ended
    assert ran.result == "CANCELED"
    assert ran.states == {
        "before": "SUCCESS",
        "long": "CANCELED",
        "then": "UPSTREAM_CANCELED",
        "clean": "UPSTREAM_CANCELED",
    }
    told = ran.report.to_json()
    assert told["termination_details"]["code"] == "USER_CANCELED"
    assert ran.attempts("long") == 1
    assert ran.seconds < 120
    assert sleepers(lab) == []
    assert read_notes(ran.home, ran.snapshot.dag_id, ran.snapshot.run_id)["canceled"]["who"] == "a person"


def test_a_cancelled_run_can_be_repaired(lab: Lab, ended: tuple[Ran, dict[str, Any]]) -> None:
    ran, job = ended
    job["tasks"][1]["spark_python_task"]["parameters"] = ["ok"]
    after = lab.repair(ran, job)
    assert set(after.states.values()) == {"SUCCESS"}
    assert after.result == "SUCCESS"
    assert [part["result_state"] for part in after.report.repair_history] == ["CANCELED", "SUCCESS"]
    long = next(task for task in after.report.tasks if task.task_key == "long")
    assert [str(item.state.result) for item in long.history] == ["CANCELED", "SUCCESS"]


def test_a_loop_is_cancelled_with_its_waiting_iterations(lab: Lab) -> None:
    loop = {"inputs": "[1, 2, 3]", "task": stub("one", "sleep", "300"), "concurrency": 1}
    tasks = [
        {"task_key": "each", "for_each_task": loop},
        stub("told", "print", "{{tasks.each.result_state}}", after=("each",), run_if="ALL_DONE"),
        ask("then", after=("each",)),
    ]
    ran = canceled(lab, {"name": "cancelled loop", "tasks": tasks}, "one/0/1", task="each")
    assert ran.states == {"each": "CANCELED", "told": "SUCCESS", "then": "UPSTREAM_CANCELED"}
    assert "said|canceled" in ran.log("told")
    each = next(task for task in ran.report.tasks if task.task_key == "each")
    assert {str(item.state.result) for item in each.iterations or ()} == {"CANCELED"}
    assert sleepers(lab) == []


def test_the_run_that_a_run_job_task_started_ends_with_it(lab: Lab) -> None:
    lab.write({"name": "cancelled child", "tasks": [stub("long", "sleep", "300")]})
    call = {"task_key": "call", "run_job_task": {"job_id": ids.job_id("cancelled_child")}}
    job = {"name": "cancelled parent", "tasks": [call, ask("then", after=("call",))]}
    ran = canceled(lab, job, "call/1", whole=True)
    assert ran.states == {"call": "CANCELED", "then": "UPSTREAM_CANCELED"}
    (child,) = (lab.settings.home / "runs" / "cancelled_child").iterdir()
    assert read_notes(lab.settings.home, "cancelled_child", child.name)["canceled"]["who"] == "a person"
    assert sleepers(lab) == []


def test_a_task_whose_child_was_cancelled_is_cancelled_and_not_tried_again(lab: Lab) -> None:
    lab.write({"name": "left child", "tasks": [stub("long", "sleep", "300")]})
    call = {"task_key": "call", "run_job_task": {"job_id": ids.job_id("left_child")}, "max_retries": 2}
    job = {"name": "left parent", "tasks": [call]}

    def cancel_child() -> None:
        folder = lab.settings.home / "runs" / "left_child"
        end = time.monotonic() + 120
        while time.monotonic() < end:
            if found := list(folder.glob("*/long/1/context.json")):
                run: Path = found[0].parents[2]
                leave_request(lab.settings.home, "left_child", run.name, CancelRequest("a person"))
                return
            time.sleep(0.1)

    thread = threading.Thread(target=cancel_child, daemon=True)
    thread.start()
    ran = lab.run(job, whole=True)
    assert ran.states == {"call": "CANCELED"}
    assert ran.attempts("call") == 1
    failure = ran.report.tasks[0].failure
    assert failure is None or failure["kind"] == CANCELED


@pytest.mark.spark
def test_spark_work_streams_and_leases_end_and_the_table_is_whole(lab: Lab) -> None:
    (lab.project / "jobs" / "writer.py").write_text(WRITER)
    told = str(lab.project / "runs_told.txt")
    cluster = {"job_cluster_key": "c", "new_cluster": {"spark_version": "x", "num_workers": 0}}
    notebook = {"notebook_path": "writer", "base_parameters": {"told": told}}
    write = {"task_key": "write", "job_cluster_key": "c", "notebook_task": notebook}
    job = {"name": "cancelled writer", "job_clusters": [cluster], "tasks": [write]}

    def ask_for_it() -> None:
        end = time.monotonic() + 240
        while time.monotonic() < end and not Path(told).exists():
            time.sleep(0.1)
        for run in (lab.settings.home / "runs" / "cancelled_writer").glob("*"):
            leave_request(lab.settings.home, "cancelled_writer", run.name, CancelRequest("a person"))

    thread = threading.Thread(target=ask_for_it, daemon=True)
    thread.start()
    ran = lab.run(job)
    assert ran.states == {"write": "CANCELED"}, ran.log("write")
    assert active_spark_jobs(lab) == []
    assert [item for item in psutil.process_iter(["cmdline"]) if item.info["cmdline"] == ["sleep", "302.5"]] == []
    held = [name for driver in DriverPool(lab.settings).drivers() for name in driver.holders]
    assert [name for name in held if name.startswith("cancelled_writer/")] == []
    table = DeltaTable(str(lab.settings.lake / "main" / "cancelled" / "whole"))
    assert (table.version(), table.to_pyarrow_table().num_rows) == (0, 10)

"""The tables tell what real runs did: each row once, nothing lost, readable by Spark, DuckDB and delta-rs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from deltalake import DeltaTable
from factory.lab import PROJECT, Lab, Ran, ask, bad, stub

from medallion.components.configuration import environment
from medallion.runs import ids

pytestmark = pytest.mark.airflow

SCRIPT = Path(__file__).with_name("tables_script.py")
Row = dict[str, Any]


def call(lab: Lab, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment(lab.settings),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def place(lab: Lab, name: str) -> Path:
    return lab.settings.lake / "system" / Path(*name.split("."))


def rows(lab: Lab, name: str, **equal: Any) -> list[Row]:
    found = DeltaTable(str(place(lab, name))).to_pyarrow_table().to_pylist()
    return [row for row in found if all(row[key] == value for key, value in equal.items())]


@pytest.fixture(scope="module")
def ran(lab: Lab) -> Ran:
    """A run with every kind of end, and its repair."""
    loop = {
        "task_key": "loop",
        "for_each_task": {"inputs": "[1, 2]", "task": ask("inner", "{{input}}")},
        "depends_on": [{"task_key": "first"}],
    }
    job = {
        "name": "in tables",
        "parameters": [{"name": "x", "default": "1"}],
        "tasks": [
            ask("first", "{{job.parameters.x}}"),
            loop,
            stub("breaks", "fail", after=("first",), max_retries=1),
            ask("never", after=("breaks",)),
            ask("other", after=("first:false",)),
        ],
    }
    lab.run({"name": "well", "tasks": [ask("a")]})
    return lab.run(job, job_parameters={"x": "1"})


@pytest.fixture(scope="module")
def written(lab: Lab, ran: Ran) -> Callable[[], None]:
    def write() -> None:
        call(lab, str(SCRIPT))

    write()
    return write


def test_a_run_has_one_row_with_its_result(lab: Lab, ran: Ran, written: Callable[[], None]) -> None:
    (row,) = rows(lab, "lakeflow.job_run_timeline", run_id=str(ran.report.run_id))
    assert (row["job_id"], row["run_name"]) == (str(ids.job_id("in_tables")), "in tables")
    assert (row["result_state"], row["trigger_type"], row["run_type"]) == ("FAILED", "ONETIME", "JOB_RUN")
    assert row["job_parameters"] == [("x", "1")]
    assert round(row["period_start_time"].timestamp() * 1000) == ran.report.start_time
    assert round(row["period_end_time"].timestamp() * 1000) == ran.report.end_time
    assert row["run_duration_seconds"] == round((ran.report.end_time - ran.report.start_time) / 1000)


def test_every_attempt_and_iteration_has_a_row(lab: Lab, ran: Ran, written: Callable[[], None]) -> None:
    found = rows(lab, "lakeflow.job_task_run_timeline", job_run_id=str(ran.report.run_id))
    assert Counter((row["task_key"], row["result_state"]) for row in found) == {
        ("first", "SUCCEEDED"): 1,
        ("loop", "SUCCEEDED"): 1,
        ("loop[0]", "SUCCEEDED"): 1,
        ("loop[1]", "SUCCEEDED"): 1,
        ("breaks", "FAILED"): 2,
        ("never", "SKIPPED"): 1,
        ("other", "SKIPPED"): 1,
    }
    whole = next(row for row in found if row["task_key"] == "loop")
    assert {row["parent_run_id"] for row in found if row["task_key"].startswith("loop[")} == {whole["run_id"]}
    assert len({row["run_id"] for row in found}) == len(found)
    never = next(row for row in found if row["task_key"] == "never")
    assert never["period_start_time"] == never["period_end_time"]


def test_definitions_have_rows_and_a_change_has_another(lab: Lab, ran: Ran, written: Callable[[], None]) -> None:
    job = str(ids.job_id("well"))
    assert len(rows(lab, "lakeflow.jobs", job_id=job)) == 1
    lab.write({"name": "well", "description": "changed", "tasks": [ask("a"), ask("b")]})
    written()
    assert [row["description"] for row in rows(lab, "lakeflow.jobs", job_id=job)] in (
        [None, "changed"],
        ["changed", None],
    )
    assert Counter(row["task_key"] for row in rows(lab, "lakeflow.job_tasks", job_id=job)) == {"a": 1, "b": 1}
    (lab.project / "jobs" / "well.json").unlink()
    written()
    deleted = [row for row in rows(lab, "lakeflow.jobs", job_id=job) if row["delete_time"] is not None]
    assert len(deleted) == 1
    actions = [row["action_name"] for row in rows(lab, "access.audit") if dict(row["request_params"])["jobId"] == job]
    assert Counter(actions) == {"create": 1, "update": 1, "delete": 1, "runNow": 1}


def test_a_second_telling_writes_nothing(lab: Lab, ran: Ran, written: Callable[[], None]) -> None:
    names = ("lakeflow.job_run_timeline", "lakeflow.job_task_run_timeline", "access.audit")
    before = {name: rows(lab, name) for name in names}
    for file in (lab.settings.home / "jobs_service").glob("airflow.db*"):
        file.unlink()
    written()
    for name in names:
        assert len(rows(lab, name)) == len(before[name]), name


def test_lost_tables_are_made_again(lab: Lab, ran: Ran, written: Callable[[], None]) -> None:
    names = ("lakeflow.job_run_timeline", "lakeflow.job_task_run_timeline")
    before = {name: {row["run_id"]: row for row in rows(lab, name)} for name in names}
    shutil.rmtree(place(lab, "lakeflow.job_run_timeline"))
    (log,) = sorted(place(lab, "lakeflow.job_task_run_timeline").glob("_delta_log/*1.json"))[:1]
    log.write_text("broken")
    told = json.loads(call(lab, "-m", "medallion.runs.system_tables.rebuild").splitlines()[-1])
    for name in names:
        assert {row["run_id"]: row for row in rows(lab, name)} == before[name]
        assert told["rows"][f"system.{name}"] == len(before[name])


def test_a_repair_adds_rows_and_leaves_the_others(lab: Lab, ran: Ran, written: Callable[[], None]) -> None:
    job = {"name": "mended", "tasks": [ask("first"), bad("second", after=("first",))]}
    broken = lab.run(job)
    written()
    mended = {"name": "mended", "tasks": [ask("first"), ask("second", after=("first",))]}
    lab.repair(broken, mended)
    written()
    run = str(broken.report.run_id)
    ends = sorted(
        (row["period_end_time"], row["result_state"]) for row in rows(lab, "lakeflow.job_run_timeline", run_id=run)
    )
    assert [state for _, state in ends] == ["FAILED", "SUCCEEDED"]
    tasks = rows(lab, "lakeflow.job_task_run_timeline", job_run_id=run)
    assert Counter((row["task_key"], row["result_state"]) for row in tasks) == {
        ("first", "SUCCEEDED"): 1,
        ("second", "FAILED"): 1,
        ("second", "SUCCEEDED"): 1,
    }
    actions = [row for row in rows(lab, "access.audit") if dict(row["request_params"]).get("runId") == run]
    assert Counter(row["action_name"] for row in actions) == {"runNow": 1, "repairRun": 1}


def test_duckdb_answers_the_courses_question(lab: Lab, ran: Ran, written: Callable[[], None]) -> None:
    text = (PROJECT / "jobs" / "lab08" / "notebooks" / "failed_runs.sql").read_text(encoding="utf-8")
    query = text.split("-- COMMAND ----------")[-1].replace("system.lakeflow.", "")
    with duckdb.connect() as db:
        table = DeltaTable(str(place(lab, "lakeflow.job_run_timeline"))).to_pyarrow_dataset()
        db.register("job_run_timeline", table)
        failed = {row[1] for row in db.execute(query).fetchall()}
    assert str(ran.report.run_id) in failed


@pytest.mark.spark
def test_the_examples_notebooks_answer_in_spark(lab: Lab, ran: Ran, written: Callable[[], None]) -> None:
    folder = lab.project / "jobs"
    for source in ("demo_etl/notebooks/monitoring.py", "lab08/notebooks/failed_runs.sql"):
        shutil.copy(PROJECT / "jobs" / source, folder)
    (folder / "writes.py").write_text(
        "# Databricks notebook source\n"
        "spark.sql('CREATE SCHEMA IF NOT EXISTS main.lab')\n"
        "spark.range(7).write.saveAsTable('main.lab.written')\n"
    )
    tasks = [
        {"task_key": key, "notebook_task": {"notebook_path": key}} for key in ("monitoring", "failed_runs", "writes")
    ]
    monitor = lab.run({"name": "monitor", "tasks": tasks})
    assert monitor.states == dict.fromkeys(("monitoring", "failed_runs", "writes"), "SUCCESS")
    result = json.loads((monitor.folder("monitoring") / "1" / "result.json").read_text(encoding="utf-8"))
    assert str(ran.report.run_id) in json.dumps(result)
    page = (monitor.folder("failed_runs") / "1" / "notebook.ipynb").read_text(encoding="utf-8")
    assert str(ran.report.run_id) in page
    written()
    (row,) = rows(lab, "lakeflow.job_task_writes", job_run_id=str(monitor.report.run_id))
    assert (row["task_key"], row["table_name"], row["rows"]) == ("writes", "main.lab.written", 7)
    assert row["bytes"] > 0
    assert row["task_seconds"] > 0

"""Pipeline, JAR and spark-submit tasks of real runs, by Airflow."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from factory.lab import Lab, Ran
from java_jars import build_jar

from medallion.compute.processes import is_running

pytestmark = [pytest.mark.spark, pytest.mark.airflow]

MAIN = """
import org.apache.spark.sql.SparkSession;

public class Report {
  public static void main(String[] args) {
    SparkSession spark = SparkSession.builder().getOrCreate();
    long rows = spark.table("plant.shop.clean").count();
    System.out.println("the report says " + args[0] + " " + rows);
    if (args[0].equals("fail")) {
      System.exit(4);
    }
  }
}
"""
SCRIPT = """
import subprocess, sys
from pyspark.sql import SparkSession

deaf = "trap '' TERM HUP; while :; do sleep 60; done"
left = subprocess.Popen(["setsid", "bash", "-c", deaf], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print("left", left.pid)
if sys.argv[2] != "0":
    sys.exit(int(sys.argv[2]))  # before a session costs seconds
spark = SparkSession.builder.getOrCreate()
print("submitted", sys.argv[1], spark.table("plant.shop.clean").count())
"""
PIPELINE = """
from pyspark import pipelines as dp

@dp.table
@dp.expect_or_drop("even", "id % 2 = 0")
def clean():
    return spark.range(int(spark.conf.get("shop.rows")))
"""


def job(name: str, *tasks: dict[str, object]) -> dict[str, object]:
    pipeline = {
        "name": "shop pipeline",
        "catalog": "plant",
        "schema": "shop",
        "development": True,
        "configuration": {"shop.rows": "5"},
        "libraries": [{"file": {"path": "shop_pipeline.py"}}],
    }
    return {"resources": {"jobs": {"shop": {"name": name, "tasks": list(tasks)}}, "pipelines": {"shop": pipeline}}}


def task(key: str, after: str | None = None, **settings: object) -> dict[str, object]:
    return {"task_key": key, **({"depends_on": [{"task_key": after}]} if after else {}), **settings}


@pytest.fixture(scope="module")
def ran(lab: Lab) -> Ran:
    jobs = lab.project / "jobs"
    build_jar(jobs / "lib", "report", {"Report": MAIN})
    (jobs / "shop_pipeline.py").write_text(PIPELINE)
    (jobs / "submitted.py").write_text(SCRIPT)
    libraries = [{"jar": "lib/report.jar"}]
    submit = ["--conf", "spark.ui.enabled=true", "--driver-memory", "600m", "submitted.py"]
    tasks = [
        task("update", pipeline_task={"pipeline_id": "${resources.pipelines.shop.id}"}),
        task(
            "report", "update", spark_jar_task={"main_class_name": "Report", "parameters": ["ok"]}, libraries=libraries
        ),
        task(
            "failing",
            "update",
            spark_jar_task={"main_class_name": "Report", "parameters": ["fail"]},
            libraries=libraries,
        ),
        task("submit", "update", spark_submit_task={"parameters": [*submit, "{{job.run_id}}", "0"]}),
        task("submit_status", "update", spark_submit_task={"parameters": ["submitted.py", "again", "3"]}),
        task("no_pipeline", pipeline_task={"pipeline_id": "shpo"}),
        task("bad_submit", spark_submit_task={"parameters": ["--classs", "X", "x.jar"]}),
        task("no_jar", spark_jar_task={"main_class_name": "Report"}),
    ]
    (jobs / "shop_types.json").write_text(json.dumps(job("shop types", *tasks)))
    return lab.run("shop types")


def test_each_kind_ends_as_its_program_does(ran: Ran) -> None:
    assert ran.states == {
        "update": "SUCCESS",
        "report": "SUCCESS",
        "failing": "FAILED",
        "submit": "SUCCESS",
        "submit_status": "FAILED",
        "no_pipeline": "FAILED",
        "bad_submit": "FAILED",
        "no_jar": "FAILED",
    }


def test_what_programs_say_is_in_the_log(ran: Ran) -> None:
    assert "the report says ok 3" in ran.log("report")
    assert f"submitted {ran.report.run_id} 3" in ran.log("submit")
    assert "spark.ui.enabled has no effect" in ran.log("submit")
    assert "even" in ran.log("update")
    assert "plant.shop.clean" in ran.log("update")


@pytest.mark.parametrize("key", ["submit", "submit_status"])
def test_what_a_submitted_program_leaves_running_ends_with_it(ran: Ran, key: str) -> None:
    (pid,) = re.findall(r"left (\d+)", ran.log(key))
    limit = time.monotonic() + 20
    while is_running(int(pid), None):
        assert time.monotonic() < limit
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        pytest.param("failing", "System.exit(4)", id="exit of a main"),
        pytest.param("submit_status", "spark-submit ended with status", id="exit of spark-submit"),
        pytest.param("no_pipeline", "shop", id="pipeline"),
        pytest.param("bad_submit", "no option --classs", id="option"),
        pytest.param("no_jar", "spark_jar_task has no JAR", id="jar"),
    ],
)
def test_failures_are_said_in_words(ran: Ran, key: str, words: str) -> None:
    assert words in ran.log(key)


def test_the_update_leaves_a_record_in_the_attempt(ran: Ran) -> None:
    found: list[Path] = list(ran.folder("update").rglob("pipeline_update.json"))
    assert json.loads(found[0].read_text())["state"] == "COMPLETED"

"""Jobs on a real Spark cluster, a standalone master and two workers, give the tables that they give on this machine."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from java_jars import build_jar
from jobs.conftest import Bench
from jobs.expected import work_out
from jobs.test_ecommerce import BRANDS, BY_COUNTRY, CATEGORIES, DAILY, Month
from jobs.test_runs import BUNDLE_TABLES, RETAILHUB_TABLES, check_medallion, succeeded
from spark_cluster import HOST, Cluster, free_port

pytestmark = [pytest.mark.spark, pytest.mark.airflow, pytest.mark.e2e, pytest.mark.timeout(1800)]

RETAILHUB, BUNDLE = "RetailHub_Medallion_Pipeline", "job_medalion_run"
BUNDLE_CLUSTER = "0918-101530-k7x2m9qa"
SHOP = "workspace.ecommerce"


@dataclass(frozen=True, slots=True)
class ClusterBench(Bench):
    """A home whose settings name the cluster. The jobs are the examples, as they are."""

    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {**Bench.environment.fget(self), "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO", **self.more}  # type: ignore[attr-defined]

    def log(self, task: str) -> str:
        """The logs of a task, of all attempts and runs."""
        files = [file for file in (self.home / "logs").rglob("*.log") if f"task_id={task}" in file.parts]
        return "\n".join(file.read_text() for file in sorted(files))

    def say(self, *arguments: str) -> dict[str, Any]:
        """A command's JSON."""
        done = self.medallion(*arguments, "--json")
        assert done.stdout.strip(), done.stderr
        return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory, project: Path, cluster: Cluster) -> Iterator[ClusterBench]:
    gone = f"spark://{HOST}:{free_port()}"
    targets = {
        "cluster": {"kind": "spark", "master": cluster.master, "executor_memory": "768m", "executors": 1},
        # Drivers of equal settings are shared; two targets make two of them.
        "second": {"kind": "spark", "master": cluster.master, "executor_memory": "768m", "executors": 1},
        "gone": {"kind": "spark", "master": gone},
    }
    settings = {
        "MEDALLION_TARGETS": json.dumps(targets),
        "MEDALLION_NODE_TYPES": json.dumps({"i3.xlarge": "cluster"}),
        "MEDALLION_CLUSTERS": json.dumps({BUNDLE_CLUSTER: "second"}),
        "MEDALLION_DRIVER_START_SECONDS": "240",
    }
    bench = ClusterBench(project, tmp_path_factory.mktemp("farm"), settings)
    assert bench.medallion("setup").returncode == 0  # two first runs at once would both make Airflow's database
    yield bench
    bench.medallion("down")


def test_retailhub_by_its_node_type_gives_what_the_raw_files_say(farm: ClusterBench, cluster: Cluster) -> None:
    datasets = farm.generate("retailhub", "retailhub", orders="500")
    succeeded(farm.run(RETAILHUB), tasks=6)
    check_medallion(farm, "retailhub", RETAILHUB_TABLES, work_out(datasets))
    log = farm.log("bronze_orders")
    assert f"Target cluster: {cluster.master}, at most 1 cores in executors of 1 with 768m" in log
    (application,) = cluster.applications()
    assert application["cores"] == 1  # num_workers of the job: the other worker is free for others


NOTEBOOK = """# Databricks notebook source
import os, sys
from pathlib import Path

dbutils.fs.mkdirs("/Volumes/main/default/shared")
Path("/Volumes/main/default/shared/word.txt").write_text("from the volume")

def read(_):
    return open("/Volumes/main/default/shared/word.txt").read()

rows = spark.sparkContext.parallelize(range(2), 2)
assert rows.map(read).distinct().collect() == ["from the volume"]
assert rows.map(lambda _: os.environ["STAGE"]).distinct().collect() == ["dev"]

# COMMAND ----------
import pandas as pd
from pyspark.sql.functions import pandas_udf

@pandas_udf("long")
def twice(values: pd.Series) -> pd.Series:
    return values * 2

spark.sql("CREATE SCHEMA IF NOT EXISTS main.udfs")
spark.range(100).select(twice("id").alias("n")).write.mode("overwrite").saveAsTable("main.udfs.twice")
spark.sql("MERGE INTO main.udfs.twice t USING (SELECT 4 AS n) s ON t.n = s.n WHEN MATCHED THEN UPDATE SET n = -1")
assert spark.table("main.udfs.twice").selectExpr("sum(n)").first()[0] == 9900 - 4 - 1
dbutils.notebook.exit(spark.sparkContext.master)
"""


def job_file(folder: Path, **more: Any) -> Path:
    """A job of one notebook on a cluster of its own."""
    (folder / "n.py").write_text(NOTEBOOK)
    cluster = {"node_type_id": "i3.xlarge", "num_workers": 1, "spark_env_vars": {"STAGE": "dev"}}
    task = {"task_key": "t", "notebook_task": {"notebook_path": "n"}, "new_cluster": cluster, **more}
    file = folder / "udfs.json"
    file.write_text(json.dumps({"name": "udfs", "tasks": [task]}))
    return file


@pytest.mark.slow
def test_functions_on_executors_open_volumes_and_see_the_clusters_variables(
    farm: ClusterBench, cluster: Cluster, tmp_path: Path
) -> None:
    run = farm.run(str(job_file(tmp_path)))
    assert run["result_state"] == "SUCCESS", farm.log("t")
    assert cluster.master in farm.log("t")


@pytest.mark.slow
def test_a_master_that_is_gone_is_said_and_the_next_run_works(farm: ClusterBench, tmp_path: Path) -> None:
    file = str(job_file(tmp_path))
    failed = farm.say("run", file, "--compute", "gone")
    assert failed["result_state"] == "FAILED"
    assert "target 'gone': no Spark master answers at spark://127.0.0.1:" in farm.log("t")
    succeeded(farm.say("run", file, "--target", "cluster"), tasks=1)


def test_targets_that_do_not_exist_are_named_before_anything_starts(farm: ClusterBench) -> None:
    done = farm.medallion("run", RETAILHUB, "--compute", "clutser")
    assert done.returncode == 1
    assert "did you mean cluster?" in done.stderr
    done = farm.medallion("run", BUNDLE, "--target", "prd")
    assert "prd: no such target" in " ".join(done.stderr.split())


@pytest.mark.slow
def test_a_worker_that_is_killed_in_the_middle_changes_no_table(farm: ClusterBench, cluster: Cluster) -> None:
    datasets = farm.generate("retailhub_bundle", "retailhub_trainer", orders="500")
    ended: list[dict[str, Any]] = []
    running = threading.Thread(target=lambda: ended.append(farm.run(BUNDLE)))
    running.start()
    try:
        bronze = farm.home / "lake" / "retailhub_trainer" / "bronze" / "bronze_orders" / "_delta_log"
        limit = time.monotonic() + 300
        while not bronze.is_dir() and time.monotonic() < limit:
            time.sleep(0.2)
        for name in cluster.busy():
            cluster.kill(name)
        cluster.start_worker("worker2")
        cluster.start_worker("worker3")
        running.join(600)
    finally:
        running.join(1)
    succeeded(ended[0], tasks=6)
    check_medallion(farm, "retailhub_trainer", BUNDLE_TABLES, work_out(datasets))


@pytest.mark.slow
def test_the_ecommerce_job_by_target_gives_what_the_raw_files_say(farm: ClusterBench, project: Path) -> None:
    data = farm.home / "volumes" / "workspace" / "ecommerce" / "ecommerce_data"
    script = project / "jobs" / "ecommerce" / "generate.py"
    subprocess.run(
        [sys.executable, str(script), "--events", "1000", "--seed", "7", "--out", str(data)],
        check=True,
        capture_output=True,
    )
    countries = ["PL", "DE"]
    run = farm.say("run", "ecommerce_daily", "--target", "cluster", "-p", f"countries={json.dumps(countries)}")
    assert run["result_state"] == "SUCCESS", run
    expected = Month.of(data, "2019-Oct")
    daily = farm.rows(f"{SHOP}.gold_daily_events", "event_date", "views", "carts", "purchases", "revenue")
    assert daily == expected.rows(DAILY)
    assert farm.rows(f"{SHOP}.gold_brands", "brand", "purchases", "revenue") == expected.rows(BRANDS)
    reports = farm.rows(f"{SHOP}.country_reports", "country", "buyers", "purchases", "revenue")
    assert {row for row in reports if row[2]} == {row for row in expected.rows(BY_COUNTRY) if row[0] in countries}
    marts = farm.rows("workspace.ecommerce_marts.category_sales", "category", "purchases", "buyers", "revenue")
    assert marts == expected.rows(CATEGORIES)
    planted = json.loads((data / "planted.json").read_text())["2019-Oct"]
    planted.pop("repeated")
    assert farm.reasons(f"{SHOP}.rejected_events") == planted
    assert "Target cluster: spark://" in farm.log("gold")


@pytest.mark.slow
def test_two_jobs_share_the_cluster(farm: ClusterBench, cluster: Cluster) -> None:
    """Each has a driver of its own, for one worker each: neither waits for the other's end."""
    first, second = (
        farm.generate("retailhub", "retailhub", orders="500"),
        farm.generate("retailhub_bundle", "retailhub_trainer", orders="500"),
    )
    ended: dict[str, dict[str, Any]] = {}
    jobs = [
        threading.Thread(target=lambda name=name: ended.update({name: farm.run(name)})) for name in (RETAILHUB, BUNDLE)
    ]
    for job in jobs:
        job.start()
    most = 0
    while any(job.is_alive() for job in jobs):
        most = max(most, sum(1 for item in cluster.applications() if item["cores"]))
        time.sleep(0.5)
    assert most >= 2
    succeeded(ended[RETAILHUB], tasks=6)
    succeeded(ended[BUNDLE], tasks=6)
    check_medallion(farm, "retailhub", RETAILHUB_TABLES, work_out(first))
    check_medallion(farm, "retailhub_trainer", BUNDLE_TABLES, work_out(second))


MAIN = """
import org.apache.spark.api.java.function.MapFunction;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.SparkSession;

public class Doubles {
  public static void main(String[] args) {
    SparkSession spark = SparkSession.builder().getOrCreate();
    MapFunction<Long, Long> twice = n -> 2 * n;
    long most = spark.range(100).map(twice, Encoders.LONG()).collectAsList().stream().mapToLong(n -> n).max().getAsLong();
    System.out.println("the jar on " + spark.sparkContext().master() + " says " + most);
  }
}
"""
SUBMITTED = """
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
spark.sql("CREATE SCHEMA IF NOT EXISTS main.submitted")
spark.range(20).repartition(3).write.mode("overwrite").saveAsTable("main.submitted.numbers")
most = spark.sparkContext.parallelize(range(9), 3).map(lambda n: n * n).max()
print("submitted to", spark.sparkContext.master, spark.table("main.submitted.numbers").count(), most)
"""


@pytest.mark.slow
def test_jars_and_spark_submit_run_on_the_cluster(farm: ClusterBench, cluster: Cluster, tmp_path: Path) -> None:
    jar = build_jar(tmp_path, "doubles", {"Doubles": MAIN})
    (tmp_path / "app.py").write_text(SUBMITTED)
    by = {"new_cluster": {"node_type_id": "i3.xlarge", "num_workers": 1}}
    submit = ["--executor-memory", "48g", "--conf", "spark.cores.max=64", str(tmp_path / "app.py")]
    tasks = [
        {"task_key": "jar", "spark_jar_task": {"main_class_name": "Doubles"}, "libraries": [{"jar": str(jar)}], **by},
        {
            "task_key": "submit",
            "depends_on": [{"task_key": "jar"}],
            "spark_submit_task": {"parameters": submit},
            **by,
        },
    ]
    (tmp_path / "programs.json").write_text(json.dumps({"name": "programs", "tasks": tasks}))
    succeeded(farm.run(str(tmp_path / "programs.json")), tasks=2)
    assert f"the jar on {cluster.master} says 198" in farm.log("jar")
    log = farm.log("submit")
    assert f"submitted to {cluster.master} 20 64" in log
    assert "--executor-memory 48g has no effect: the target decides how large executors are" in log
    assert "--conf spark.cores.max has no effect" in log

"""A pipeline task beside `spark-pipelines run`, on one warm driver: the same datasets, everything started over each time.

    python benchmarks/pipelines_task.py [--rows 200000] [--rounds 5]

(a) the pipeline task, from the request for its process to its result, event log written; (b) Spark's own command, in its
remote mode, since only so does it find the catalogs; (c) the pipeline task with three expectations, which Spark lacks.
The two take turns. The first round is not counted.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import keep, median

from medallion.compute import gateway as gateways
from medallion.compute.connect import open_session
from medallion.compute.connection import Connection
from medallion.compute.driver import DriverSpec
from medallion.compute.jars import spark_home
from medallion.compute.pool import DriverPool
from medallion.runtime.launch import launch
from medallion.runtime.protocol import Places, RunIds, TaskContext
from medallion.runtime.spare_start import connect
from medallion.settings import Settings

CODE = """
from pyspark import pipelines as dp
from pyspark.sql import functions as F


@dp.table
{bronze}def bronze():
    return spark.readStream.schema("id INT, shop INT, price DOUBLE").option("header", True).csv("{data}")


@dp.materialized_view
{silver}def silver():
    return spark.read.table("bronze").where("price > 1")


@dp.materialized_view
def gold():
    return spark.read.table("silver").groupBy("shop").agg(F.sum("price").alias("total"))
"""
SPEC = """
name: rival
storage: {storage}
catalog: main
database: rival
libraries:
  - glob:
      include: code.py
"""


class Nothing:
    """A pipeline asks its worker for nothing."""


def generate(file: Path, rows: int) -> None:
    """The CSV file that all read."""
    rng = random.Random(7)
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(("id", "shop", "price"))
        writer.writerows((number, rng.randrange(50), round(rng.random() * 100, 2)) for number in range(rows))


def task(settings: Settings, driver: Path, root: Path, number: int) -> float:
    """Seconds of one pipeline task."""
    pipeline = {"name": root.name, "catalog": "main", "schema": root.name, "libraries": [{"file": {"path": "code.py"}}]}
    context = TaskContext(
        kind="pipeline",
        path=root.name,
        output=str(root / f"out{number}"),
        places=Places(str(settings.lake), str(settings.volumes), str(settings.dbfs)),
        ids=RunIds(run_id=1, task_run_id=number),
        driver=str(driver),
        root=str(root),
        tag=f"benchmark-{root.name}-{number}",
        options={"pipeline_id": root.name, "pipeline": pipeline, "request": {"full_refresh": True}},
    )
    started = time.monotonic()
    lines: list[str] = []
    result = launch(context, settings, answers=Nothing(), on_output=lines.append)
    if not result.success:
        raise RuntimeError("\n".join(lines))
    return time.monotonic() - started


def rival(root: Path, remote: str) -> float:
    """Seconds of one `spark-pipelines run`."""
    command = [str(spark_home() / "bin" / "spark-pipelines"), "--remote", remote, "run"]
    command += ["--spec", str(root / "spark-pipeline.yml"), "--full-refresh-all"]
    environment = {**os.environ, "SPARK_HOME": str(spark_home()), "PYSPARK_PYTHON": sys.executable}
    started = time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stdout + done.stderr)
    return time.monotonic() - started


def measure(folder: Path, rows: int, rounds: int) -> dict[str, list[float]]:
    """Seconds by way of running."""
    (folder / "data").mkdir()
    generate(folder / "data" / "orders.csv", rows)
    rules = {
        "bronze": '@dp.expect("has an id", "id IS NOT NULL")\n',
        "silver": '@dp.expect_or_drop("has a shop", "shop IS NOT NULL")\n@dp.expect("cheap", "price < 90")\n',
    }
    for name, expectations in {"task": {}, "rival": {}, "expecting": rules}.items():
        (folder / name).mkdir()
        found = {"bronze": "", "silver": "", **expectations}
        (folder / name / "code.py").write_text(CODE.format(data=folder / "data", **found))
    (folder / "rival" / "spark-pipeline.yml").write_text(SPEC.format(storage=(folder / "storage").as_uri()))
    settings = Settings.load(folder / "home", environ={"MEDALLION_DRIVER_START_SECONDS": "300"})
    pool = DriverPool(settings)
    try:
        driver = pool.acquire(DriverSpec(memory="1g"), "benchmark")
        spare = connect(settings)  # as on a worker that has run a task before
        with contextlib.suppress(AttributeError):
            spare.close()
        connection = Connection.load(driver)
        port, token = open_session(connection, "benchmark", {})
        with gateways.open_gateway(connection.port, connection.secret) as gateway:
            gateways.root_session(gateway).sql("CREATE SCHEMA IF NOT EXISTS main.rival")
        remote = f"sc://localhost:{port}/;token={token}"
        seconds: dict[str, list[float]] = {"a_task": [], "b_spark_pipelines": [], "c_task_expectations": []}
        for number in range(rounds + 1):
            seconds["a_task"].append(task(settings, driver, folder / "task", number))
            seconds["b_spark_pipelines"].append(rival(folder / "rival", remote))
            seconds["c_task_expectations"].append(task(settings, driver, folder / "expecting", 100 + number))
    finally:
        pool.stop()
    return {name: [round(value, 2) for value in values[1:]] for name, values in seconds.items()}


def main() -> None:
    """Measure and keep the ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        seconds = measure(Path(folder), arguments.rows, arguments.rounds)
    a, b, c = (median(values) for values in seconds.values())
    ratios = {"a / b": round(a / b, 2), "c / b": round(c / b, 2)}
    keep("pipelines_task", {"rows": arguments.rows, "seconds": seconds, "ratios": ratios})


if __name__ == "__main__":
    main()

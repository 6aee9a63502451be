"""The six RetailHub notebooks in one plain PySpark process, as someone without Medallion runs them.

    python plain_notebooks.py FOLDER_OF_DATA WAREHOUSE [--tuned] [--only TASK]

Set up as Delta's quick start says: `configure_spark_with_delta_pip`. With --tuned it gets the Spark settings of
Medallion's drivers. With --only it keeps its tables in a Hive metastore on Derby, because the next task is another
process. `dbutils` and `display` are the smallest stand-ins that the notebooks need.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

NOTEBOOKS = Path(__file__).parents[2] / "jobs" / "retailhub" / "notebooks"
JOB = Path(__file__).parents[2] / "jobs" / "retailhub" / "RetailHub_Medallion_Pipeline.json"
CATALOG = "spark_catalog"


class Widgets:
    """`dbutils.widgets` over a dictionary."""

    def __init__(self, values: dict[str, str]) -> None:
        self.values = values

    def text(self, name: str, default: str, label: str | None = None) -> None:
        self.values.setdefault(name, default)

    def get(self, name: str) -> str:
        return self.values[name]


class DBUtils:
    """`dbutils` with widgets only."""

    def __init__(self, values: dict[str, str]) -> None:
        self.widgets = Widgets(values)


def session(warehouse: Path, *, tuned: bool, shared: bool) -> Any:
    """A session of its own, with Delta."""
    from delta import configure_spark_with_delta_pip
    from pyspark.sql import SparkSession

    builder = (
        SparkSession.builder.appName("RetailHub")
        .master("local[*]")
        .config("spark.driver.memory", "2g")
        .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
        .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
        .config("spark.sql.warehouse.dir", str(warehouse))
        .config("spark.ui.enabled", "false")
    )
    if tuned:
        from medallion.compute.driver import SMALL_DATA

        for name, value in SMALL_DATA.items():
            builder = builder.config(name, value)
    if shared:
        database = f"jdbc:derby:;databaseName={warehouse / 'metastore_db'};create=true"
        builder = builder.config("spark.hadoop.javax.jdo.option.ConnectionURL", database).enableHiveSupport()
    return configure_spark_with_delta_pip(builder).getOrCreate()


def cells(path: Path) -> list[str]:
    """The Python cells of a notebook in source format."""
    text = path.read_text(encoding="utf-8")
    parts = text.split("# COMMAND ----------")
    return [part for part in parts if not part.strip().startswith(("# MAGIC", "# Databricks notebook source\n# MAGIC"))]


def run(spark: Any, task: dict[str, Any], data: Path) -> float:
    """One notebook; the seconds that it took."""
    started = time.monotonic()
    values = dict(task["notebook_task"]["base_parameters"]) | {"catalog": CATALOG}
    if "source_path" in values:
        values["source_path"] = str(data / Path(values["source_path"]).name)
    names = {
        "spark": spark,
        "dbutils": DBUtils(values),
        "display": lambda frame: frame.show(10),
        "__name__": "notebook",
    }
    for cell in cells(NOTEBOOKS / (Path(task["notebook_task"]["notebook_path"]).name + ".py")):
        exec(compile(cell, task["task_key"], "exec"), names)
    return time.monotonic() - started


def main() -> None:
    """Run the notebooks in the job's order and print the seconds of each as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("warehouse", type=Path)
    parser.add_argument("--tuned", action="store_true")
    parser.add_argument("--only")
    arguments = parser.parse_args()
    started = time.monotonic()
    spark = session(arguments.warehouse, tuned=arguments.tuned, shared=arguments.only is not None)
    seconds = {"session": time.monotonic() - started}
    for task in json.loads(JOB.read_text(encoding="utf-8"))["tasks"]:
        if arguments.only in (None, task["task_key"]):
            seconds[task["task_key"]] = run(spark, task, arguments.data)
    spark.stop()
    json.dump(seconds, sys.stdout)


if __name__ == "__main__":
    main()

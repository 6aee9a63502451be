"""What a statement costs on a warm driver of Medallion, beside the same statement in a plain PySpark session.

    python benchmarks/statements.py [--rounds 5] [--beside-up] [--only count,merge] [--second-compiler]

(A) plain: one PySpark process with Delta's JARs and Medallion's Spark settings, and none of its JARs, catalogs, files or
hooks; (B) a notebook's session on a driver of Medallion. Both hold the same two tables of 10,000 orders and 2,000
customers. Statement by statement and in turn: A, B, A, B. Beside the seconds it counts CPU seconds of the JVM, which
other work on the machine changes little; the ratio of both sides is what counts. With --beside-up, `medallion up` runs
beside the notebook.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any

from measure import MEDALLION, home, keep, median, run

CATALOGS = {"plain": "spark_catalog", "medallion": "bench"}
SCHEMA = "statements"
IDLE_SECONDS = 3.0
"""Between the notebook that makes the tables and the one that is measured: the driver has no task, and tidies up."""
WARM_ROUNDS, REPEATS = 4, 3
SEED_ORDERS = """
CREATE OR REPLACE TABLE {schema}.orders USING delta AS
SELECT id AS order_id, id % 2000 AS customer_id, cast(id % 97 AS double) * 1.5 AS amount,
       date_add(DATE'2026-01-01', cast(id % 365 AS int)) AS order_date, concat('status-', id % 5) AS status
FROM range(10000)
"""
SEED_CUSTOMERS = """
CREATE OR REPLACE TABLE {schema}.customers USING delta AS
SELECT id AS customer_id, concat('name-', id) AS name, concat('city-', id % 50) AS city FROM range(2000)
"""
SEED_SMALL = "CREATE OR REPLACE TABLE {schema}.{name} USING delta AS SELECT 1L AS id, 'one' AS word"
SMALL = ("merged", "updated", "overwritten")
MERGE = """
MERGE INTO {schema}.merged t USING (SELECT 1L AS id, 'two' AS word) s ON t.id = s.id
WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *
"""


def seed(spark: Any, catalog: str) -> None:
    """Make the tables, and look at them once."""
    schema = f"{catalog}.{SCHEMA}"
    spark.sql(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    spark.sql(SEED_ORDERS.format(schema=schema))
    spark.sql(SEED_CUSTOMERS.format(schema=schema))
    for name in SMALL:
        spark.sql(SEED_SMALL.format(schema=schema, name=name))
    for name in ("orders", "customers", *SMALL):
        spark.table(f"{schema}.{name}").count()


def anti_join(spark: Any, schema: str) -> None:
    """Plan a query without running it."""
    orders, customers = spark.table(f"{schema}.orders"), spark.table(f"{schema}.customers")
    orders.join(customers, "customer_id", "left_anti")._jdf.queryExecution().executedPlan()


def overwrite(spark: Any, schema: str) -> None:
    """Overwrite a Delta table with one row."""
    row = spark.sql("SELECT 2L AS id, 'two' AS word")
    row.write.format("delta").mode("overwrite").saveAsTable(f"{schema}.overwritten")


def parquet(spark: Any, schema: str) -> None:
    """Overwrite a folder of Parquet with one row."""
    place = Path(tempfile.gettempdir()) / f"medallion-statements-{os.getpid()}.parquet"
    spark.sql("SELECT 2L AS id, 'two' AS word").write.mode("overwrite").parquet(place.as_uri())


STATEMENTS: dict[str, Callable[[Any, str], object]] = {
    "select": lambda spark, _: spark.sql("SELECT 1").collect(),
    "count": lambda spark, schema: spark.table(f"{schema}.orders").count(),
    "limit": lambda spark, schema: spark.table(f"{schema}.customers").limit(1).collect(),
    "anti_join_plan": anti_join,
    "parquet_overwrite": parquet,
    "delta_overwrite": overwrite,
    "merge": lambda spark, schema: spark.sql(MERGE.format(schema=schema)),
    "update": lambda spark, schema: spark.sql(f"UPDATE {schema}.updated SET word = 'again' WHERE id = 1"),
}


@dataclass(frozen=True, slots=True)
class Cost:
    """What a statement took: seconds by the clock, CPU seconds of the JVM."""

    seconds: float
    cpu: float


def serve(spark: Any, catalog: str, address: str) -> None:
    """Run statements in this process as they are asked for. Runs in a plain process and in a notebook."""
    import psutil

    schema = f"{catalog}.{SCHEMA}"
    jvm = psutil.Process(spark._jvm.java.lang.ProcessHandle.current().pid())
    with Client(address, "AF_UNIX") as asked:
        asked.send(jvm.pid)
        while name := asked.recv():
            before, started = jvm.cpu_times(), time.perf_counter()
            for _ in range(REPEATS):
                STATEMENTS[name](spark, schema)
            seconds, after = time.perf_counter() - started, jvm.cpu_times()
            cpu = after.user + after.system - before.user - before.system
            asked.send((seconds / REPEATS, cpu / REPEATS))


def plain_session(warehouse: Path, java_options: str) -> Any:
    """A session with Delta and Medallion's Spark settings, without anything else of it."""
    from pyspark.sql import SparkSession

    from medallion.compute.driver import SMALL_DATA
    from medallion.compute.jars import fetch_jars
    from medallion.settings import Settings

    conf = {
        "spark.driver.memory": "2g",
        "spark.driver.extraClassPath": os.pathsep.join(map(str, fetch_jars(Settings.load()))),
        "spark.driver.extraJavaOptions": java_options,
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.warehouse.dir": str(warehouse),
        "spark.ui.enabled": "false",
        **SMALL_DATA,
    }
    builder = SparkSession.builder.master("local[*]").appName("statements")
    for name, value in conf.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


@contextmanager
def plain_side(address: str, *, second_compiler: bool) -> Iterator[None]:
    """The plain process, which serves until it is told to stop."""
    options = "" if second_compiler else "-XX:TieredStopAtLevel=1"
    with tempfile.TemporaryDirectory() as warehouse:
        command = [sys.executable, __file__, "--serve", address, "--warehouse", warehouse, f"--java={options}"]
        process = subprocess.Popen(command, cwd=warehouse, stderr=subprocess.DEVNULL)
        try:
            yield
        finally:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


NOTEBOOK = """# Databricks notebook source
import sys
sys.path.insert(0, {folder!r})
import statements
"""


SEED_NOTEBOOK = f"""{NOTEBOOK}spark.sql("CREATE CATALOG IF NOT EXISTS bench")
statements.seed(spark, "bench")
"""
SERVE_NOTEBOOK = f"""{NOTEBOOK}statements.serve(spark, "bench", {{address!r}})
"""


@contextmanager
def medallion_side(address: str) -> Iterator[None]:
    """A notebook on a driver of its own, which serves until it is told to stop."""
    from notebook_start import Nothing

    from medallion.compute.driver import DriverSpec
    from medallion.compute.pool import DriverPool
    from medallion.runtime.launch import launch
    from medallion.runtime.protocol import Places, TaskContext
    from medallion.settings import Settings

    settings = Settings.load()
    settings.home.mkdir(parents=True, exist_ok=True)
    target = settings.targets["default"]
    pool = DriverPool(settings)
    places = Places(lake=str(settings.lake), volumes=str(settings.volumes), dbfs=str(settings.dbfs))

    def work(text: str) -> None:
        notebook = settings.home / "notebook.py"
        notebook.write_text(text.format(folder=str(Path(__file__).parent), address=address), encoding="utf-8")
        owner, output = "statements", settings.home / "out"
        connection = pool.acquire(DriverSpec(master=target.master, memory=target.memory), owner)
        context = TaskContext(
            kind="notebook", path=str(notebook), output=str(output), places=places, driver=str(connection), tag=owner
        )
        result = launch(context, settings, answers=Nothing(), on_output=print)
        pool.release(owner)
        if not result.success:
            print(result, flush=True)
            os._exit(1)

    work(SEED_NOTEBOOK)
    time.sleep(IDLE_SECONDS)
    task = threading.Thread(target=work, args=(SERVE_NOTEBOOK,))
    task.start()
    try:
        yield
    finally:
        task.join(30)
        pool.stop()


def rounds(sides: dict[str, Connection], names: list[str], count: int) -> dict[str, dict[str, list[Cost]]]:
    """The costs of each statement on each side, after rounds that are not counted."""
    costs: dict[str, dict[str, list[Cost]]] = {name: {side: [] for side in sides} for name in names}
    for number in range(WARM_ROUNDS + count):
        for name in names:
            for side, connection in sides.items():
                connection.send(name)
                cost = Cost(*connection.recv())
                if number >= WARM_ROUNDS:
                    costs[name][side].append(cost)
    return costs


def summary(costs: dict[str, list[Cost]]) -> dict[str, float]:
    """The medians of one statement, and the ratios of both sides."""
    seconds = {side: median([cost.seconds for cost in given]) for side, given in costs.items()}
    cpu = {side: median([cost.cpu for cost in given]) for side, given in costs.items()}
    return {
        "plain_seconds": round(seconds["plain"], 3),
        "medallion_seconds": round(seconds["medallion"], 3),
        "ratio": round(seconds["medallion"] / seconds["plain"], 2),
        "plain_cpu_seconds": round(cpu["plain"], 3),
        "medallion_cpu_seconds": round(cpu["medallion"], 3),
        "cpu_ratio": round(cpu["medallion"] / max(cpu["plain"], 0.001), 2),
    }


def measure(arguments: argparse.Namespace, names: list[str]) -> dict[str, Any]:
    """Both sides up, all rounds, the summary."""
    with ExitStack() as stack:
        environment = stack.enter_context(home(MEDALLION_PORT="18481"))
        os.environ.update(environment)
        if arguments.beside_up:
            run([MEDALLION, "up", "--detach"], environment)
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        sides: dict[str, Connection] = {}
        for side in CATALOGS:
            address = f"{folder}/{side}"
            listener = stack.enter_context(Listener(address, "AF_UNIX"))
            made = (
                plain_side(address, second_compiler=arguments.second_compiler)
                if side == "plain"
                else medallion_side(address)
            )
            stack.enter_context(made)
            sides[side] = listener.accept()
            stack.callback(sides[side].send, None)
            print(f"{side}: JVM {sides[side].recv()}", file=sys.stderr, flush=True)
        costs = rounds(sides, names, arguments.rounds)
    return {name: summary(given) for name, given in costs.items()}


def main() -> None:
    """Measure both sides and keep the ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default=",".join(STATEMENTS))
    parser.add_argument("--beside-up", action="store_true")
    parser.add_argument("--second-compiler", action="store_true", help="give the plain side the second compiler too")
    parser.add_argument("--name", default="statements", help="of the results")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--warehouse", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--java", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        spark = plain_session(arguments.warehouse, arguments.java)
        seed(spark, CATALOGS["plain"])
        time.sleep(IDLE_SECONDS)
        serve(spark, CATALOGS["plain"], arguments.serve)
        return
    load = os.getloadavg()[0]
    found = measure(arguments, arguments.only.split(","))
    options = {"beside_up": arguments.beside_up, "plain_has_second_compiler": arguments.second_compiler}
    keep(arguments.name, {"load": [round(load, 1), round(os.getloadavg()[0], 1)], **options, "statements": found})


if __name__ == "__main__":
    main()

"""RetailHub: Medallion warm and cold, the same notebooks in one plain PySpark process, and a spark-submit per task.

    python benchmarks/pipeline.py [--orders 10000] [--rounds 5] [--ways a_warm,c_plain]

(a) warm: the whole `medallion run` against a running scheduler and driver; (b) cold: nothing runs; (c) one plain PySpark
process as Delta's quick start sets it up; (c') the same with Medallion's Spark settings; (d) Airflow with a spark-submit
per task, counted from the run's start to its end. Every run writes an empty lake. JARs are in the caches of all.
When a run fails, the benchmark ends and says which tasks failed, why, and where their logs are.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from measure import MEDALLION, PROJECT, home, keep, median, run, run_job

JOB = "RetailHub_Medallion_Pipeline"
RIVALS = Path(__file__).parent / "rivals"
PLAIN = RIVALS / "plain_notebooks.py"


def generate(folder: Path, orders: int) -> None:
    """The sample files."""
    run([sys.executable, PROJECT / "jobs/retailhub/generate.py", "--orders", str(orders), "--out", folder], {})


def volumes_of(data: Path) -> Path:
    """The folder of volumes in which the generated files lie where the job looks for them."""
    return data.parents[2]


def empty(environment: dict[str, str]) -> None:
    """Drop what the last run wrote."""
    run([MEDALLION, "sql", "DROP CATALOG IF EXISTS retailhub CASCADE"], environment)


def warm(data: Path) -> float:
    """Seconds of `medallion run` with scheduler, driver and spare process running, after one run that is not counted."""
    with home(MEDALLION_VOLUMES=str(volumes_of(data)), MEDALLION_PORT="18480") as environment:
        run([MEDALLION, "up", "--detach"], environment)
        run_job(JOB, environment)
        empty(environment)
        return run_job(JOB, environment).seconds


def cold(data: Path) -> float:
    """Seconds of `medallion run` when nothing runs and the home is new, database included."""
    with home(MEDALLION_VOLUMES=str(volumes_of(data))) as environment:
        return run_job(JOB, environment).seconds


def ivy_home(data: Path) -> dict[str, str]:
    """A home of its own for Ivy: it fails on a Maven cache that holds a POM without its JAR."""
    return {"JAVA_TOOL_OPTIONS": f"-Duser.home={data.parents[3] / 'ivy_home'}"}


def plain(data: Path, *flags: str) -> float:
    """Seconds of the six notebooks in one plain PySpark process."""
    with tempfile.TemporaryDirectory() as warehouse:
        return run([sys.executable, PLAIN, data, warehouse, *flags], ivy_home(data)).seconds


def submit(data: Path) -> float:
    """Seconds from the start to the end of the run of Airflow with a spark-submit per task."""
    with tempfile.TemporaryDirectory() as folder, home() as environment:
        rival = {
            **environment,
            **ivy_home(data),
            "AIRFLOW_HOME": f"{folder}/airflow",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(RIVALS),
            "PYSPARK_PYTHON": sys.executable,
            "BENCHMARK_RIVALS": str(RIVALS),
            "BENCHMARK_DATA": str(data),
            "BENCHMARK_WAREHOUSE": f"{folder}/warehouse",
        }
        airflow = Path(sys.executable).parent / "airflow"
        run([airflow, "db", "migrate"], rival)
        run([airflow, "dags", "test", "retailhub_spark_submit"], rival)
        with closing(sqlite3.connect(f"{folder}/airflow/airflow.db")) as database:
            start, end = database.execute("SELECT start_date, end_date FROM dag_run").fetchone()
        return seconds_between(start, end)


def seconds_between(start: str, end: str) -> float:
    """Seconds between two ISO times."""
    from datetime import datetime

    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


WAYS: dict[str, Callable[[Path], float]] = {
    "c_plain": plain,
    "c_plain_tuned": lambda data: plain(data, "--tuned"),
    "b_cold": cold,
    "a_warm": warm,
    "d_spark_submit": submit,
}


def main() -> None:
    """Measure in one go and keep the ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--orders", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ways", default=",".join(WAYS), help="which to measure")
    arguments = parser.parse_args()
    ways = arguments.ways.split(",")
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "volumes" / "retailhub" / "default" / "datasets"
        small = Path(folder) / "small" / "retailhub" / "default" / "datasets"
        generate(data, arguments.orders)
        generate(small, 1000)
        plain(small)  # fills Ivy's cache; not counted
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(arguments.rounds):  # in turn: what else the machine does meets all of them
            for name in ways:
                seconds[name].append(round(WAYS[name](data), 1))
    medians = {name: median(values) for name, values in seconds.items()}
    ratios = {
        f"{one[0]} / {other[0]}{tick}": round(medians[one] / medians[other], 2)
        for one, other, tick in (
            ("a_warm", "c_plain", ""),
            ("b_cold", "c_plain", ""),
            ("a_warm", "c_plain_tuned", "'"),
            ("d_spark_submit", "a_warm", ""),
        )
        if one in medians and other in medians
    }
    keep(f"pipeline_{arguments.orders}", {"orders": arguments.orders, "seconds": seconds, "ratios": ratios})


if __name__ == "__main__":
    main()

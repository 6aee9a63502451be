"""The shapes of Databricks' own templates run unchanged by `medallion run`, from nothing but the bundle.

The bundles of tests/data/bundles/templates have the fields, files and statements of the templates default-python (for
serverless and for classic compute), default-sql, dbt-sql, lakeflow-pipelines and default-scala; their code is ours.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from deltalake import DeltaTable

from medallion.components.sweep import end_everything
from medallion.settings import Settings

pytestmark = [pytest.mark.e2e, pytest.mark.spark, pytest.mark.timeout(900)]

BUNDLES = Path(__file__).parents[1] / "data" / "bundles" / "templates"
MEDALLION = Path(sys.executable).parent / "medallion"
DROPPED = ("AIRFLOW_", "MEDALLION_", "DATABRICKS_", "DBT_")
Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("templates")
    (folder / "medallion.toml").write_text("parallelism = 2\ndriver_start_seconds = 300\n")
    yield folder
    end_everything(Settings.load(folder, environ={}))


@pytest.fixture(scope="module")
def run(project: Path) -> Run:
    """Run the only job of a bundle to its success; what `medallion run` tells of it, with the logs of its tasks."""

    def logs() -> Iterator[Path]:
        return (Settings.load(project, environ={}).home / "logs" / "tasks").rglob("attempt=1.log")

    def call(name: str, *options: str) -> dict[str, Any]:
        shutil.copytree(BUNDLES / name, project / name, dirs_exist_ok=True)
        before = set(logs())
        environ = {key: value for key, value in os.environ.items() if not key.startswith(DROPPED)}
        done = subprocess.run(
            [MEDALLION, "run", name, "--json", *options],
            cwd=project,
            env=environ,
            capture_output=True,
            text=True,
            timeout=800,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        told["log"] = "\n".join(file.read_text() for file in set(logs()) - before)
        return told

    return call


def results(told: dict[str, Any]) -> dict[str, str]:
    return {task["task_key"]: task["result_state"] for task in told["tasks"]}


def rows(project: Path, query: str, *tables: str) -> list[tuple[Any, ...]]:
    """What a query tells of tables of the lake, which it names t0, t1, …"""
    lake = Settings.load(project, environ={}).lake
    with duckdb.connect() as db:
        for number, table in enumerate(tables):
            db.register(f"t{number}", DeltaTable(str(lake / table)).to_pyarrow_dataset())
        return db.execute(query).fetchall()


def test_default_sql_makes_its_streaming_table_and_its_view(project: Path, run: Run) -> None:
    told = run("my_default_sql")
    assert results(told) == {"orders_raw": "SUCCESS", "orders_daily": "SUCCESS"}
    count = "SELECT count(*), count(DISTINCT order_number), count(order_date) FROM t0"
    assert rows(project, count, "main/someone/orders_raw") == [(2000, 2000, 1990)]
    days = "SELECT count(*), min(order_date)::text, max(order_date)::text FROM t0"
    assert rows(project, days, "main/someone/orders_daily") == [(31, "2019-08-01", "2019-08-31")]
    assert results(run("my_default_sql")) == {"orders_raw": "SUCCESS", "orders_daily": "SUCCESS"}
    assert rows(project, count, "main/someone/orders_raw") == [(2000, 2000, 1990)]


def test_a_jar_that_the_bundle_builds_prints_its_arguments(run: Run) -> None:
    assert shutil.which("javac"), "this test needs a JDK"
    assert "given one,two" in run("my_jar")["log"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "catalog"),
    [
        pytest.param("my_default_python", "main", id="serverless"),
        pytest.param("my_classic_python", "hive_metastore", id="job cluster"),
    ],
)
def test_default_python_runs_its_notebook_its_wheel_and_its_pipeline(
    project: Path, run: Run, name: str, catalog: str
) -> None:
    told = run(name)
    tasks = ("notebook_task", "python_wheel_task", "refresh_pipeline")
    assert results(told) == dict.fromkeys(tasks, "SUCCESS")
    assert f"notebook in {catalog} someone" in told["log"]
    assert f"wheel in {catalog} someone" in told["log"]
    fares = "SELECT (SELECT round(sum(fare_amount)) FROM t0) = (SELECT round(sum(total_fare)) FROM t1)"
    tables = [f"main/someone/sample_{kind}_{name}" for kind in ("trips", "zones")]
    assert rows(project, fares, *tables) == [(True,)]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["my_pipelines_python", "my_pipelines_sql"])
def test_lakeflow_pipelines_update_their_tables(project: Path, run: Run, name: str) -> None:
    assert results(run(name)) == {"refresh_pipeline": "SUCCESS"}
    tables = [f"main/someone/sample_{kind}_{name}" for kind in ("trips", "zones")]
    assert rows(project, "SELECT count(*) FROM t0", tables[0]) == [(22_000,)]
    assert rows(project, "SELECT count(*) > 10 FROM t0", tables[1]) == [(True,)]


@pytest.mark.slow
def test_dbt_sql_runs_on_the_tasks_own_session(project: Path, run: Run) -> None:
    told = run("my_dbt_sql")
    assert "is of type databricks: it runs on this task's own Spark session" in told["log"]
    assert rows(project, "SELECT count(*) FROM t0", "main/someone/orders_raw") == [(2000,)]
    days = "SELECT count(*), sum(number_of_orders) = (SELECT count(*) FROM t1 WHERE order_date < '2019-09-01') FROM t0"
    assert rows(project, days, "main/someone/orders_daily", "main/someone/orders_raw") == [(31, True)]


@pytest.mark.slow
def test_default_scala_finds_its_jar_where_databricks_tool_puts_it(run: Run) -> None:
    assert "schema someone" in run("my_default_scala")["log"]

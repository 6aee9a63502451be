"""A real dbt project on the lake: seeds, views, tables, incremental models, snapshots, tests that fail."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest
from deltalake import DeltaTable
from factory.lab import Lab, Ran

pytestmark = [pytest.mark.airflow, pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(900)]

PROJECT = Path(__file__).parents[1] / "data" / "dbt_shop"
PROFILE = "shop: {target: dev, outputs: {dev: {type: postgres, host: h, http_path: p, schema: s, token: t}}}"


def dbt(*commands: str, **more: Any) -> dict[str, Any]:
    given = {"project_directory": "shop", "warehouse_id": "w", "catalog": "dbt_lab", "schema": "shop", **more}
    wanted = [{"pypi": {"package": "dbt-databricks>=1.0.0,<2.0.0"}}]
    return {"dbt_task": {"commands": list(commands), **given}, "libraries": wanted}


@pytest.fixture(scope="module")
def built(lab: Lab) -> Ran:
    shutil.copytree(PROJECT, lab.project / "jobs" / "shop")
    (lab.project / "jobs" / "catalog.sql").write_text("CREATE CATALOG IF NOT EXISTS dbt_lab")
    (lab.project / "profiles").mkdir()
    (lab.project / "jobs" / "profiles").mkdir()
    (lab.project / "jobs" / "profiles" / "profiles.yml").write_text(PROFILE)
    least = "{{job.parameters.least}}"
    own = {"project_directory": "shop", "profiles_directory": "profiles"}
    after = {"depends_on": [{"task_key": "catalog"}]}
    return lab.run(
        {
            "name": "dbt shop",
            "parameters": [{"name": "least", "default": "-5"}],
            "tasks": [
                {"task_key": "catalog", "sql_task": {"warehouse_id": "w", "file": {"path": "catalog.sql"}}},
                {
                    "task_key": "build",
                    **dbt("dbt seed", "dbt run --vars '{least: 0}'", f"dbt test --vars '{{least: {least}}}'", "dbt ls"),
                    **after,
                },
                {"task_key": "no_project", **dbt("dbt run", project_directory="."), **after},
                {"task_key": "no_catalog", **dbt("dbt run", catalog="dbt_lba"), **after},
                {"task_key": "no_dbt", **dbt("rm -rf x"), **after},
                {"task_key": "own_profile", "dbt_task": {"commands": ["dbt run"], **own}, **after},
            ],
        }
    )


def rows(lab: Lab, table: str) -> set[tuple[Any, ...]]:
    delta = DeltaTable(str(lab.settings.home / "lake" / "dbt_lab" / "shop" / table)).to_pyarrow_dataset()
    with duckdb.connect() as db:
        db.register("delta", delta)
        return set(db.execute("SELECT * FROM delta").fetchall())


def test_the_tables_of_the_project_are_in_the_lake(lab: Lab, built: Ran) -> None:
    assert built.states["build"] == "SUCCESS", built.log("build")
    assert rows(lab, "customer_totals") == {("ada", 2, 15.0), ("bob", 1, 7.0)}
    assert rows(lab, "order_log") == {(1, "ada"), (2, "ada"), (3, "bob")}


def test_each_command_has_its_log_and_its_result(built: Ran) -> None:
    told = json.loads(next(built.folder("build").glob("1/result.json")).read_text())["output"]["commands"]
    assert [item["command"].split()[1] for item in told] == ["seed", "run", "test", "ls"]
    assert {node["name"]: node["status"] for node in told[1]["nodes"]} == {
        "valid_orders": "success",
        "customer_totals": "success",
        "order_log": "success",
    }
    for line in ("+ dbt seed", "PASS=1", "dbt run: succeeded", "PASS=3"):
        assert line in built.log("build")


@pytest.mark.parametrize(
    ("key", "told"),
    [
        pytest.param("no_project", "set project_directory to shop", id="project"),
        pytest.param("no_catalog", "there is no catalog 'dbt_lba'; did you mean dbt_lab?", id="catalog"),
        pytest.param("no_dbt", "'rm -rf x' does not begin with dbt", id="command"),
        pytest.param("own_profile", "connects to postgres; give the task a warehouse_id", id="profile"),
    ],
)
def test_what_is_wrong_is_said_in_words(built: Ran, key: str, told: str) -> None:
    assert built.states[key] == "FAILED"
    assert told in built.log(key)


def test_a_failing_test_fails_the_task_and_later_commands_do_not_run(lab: Lab, built: Ran) -> None:
    wanted = ["dbt run -s valid_orders --vars '{least: -5}'", "dbt test --vars '{least: 0}'", "dbt snapshot"]
    task = {"task_key": "failing", **dbt(*wanted)}
    failed = lab.run({"name": "dbt failing", "tasks": [task]})
    assert failed.states == {"failing": "FAILED"}
    assert "1 of 3 failed: accepted_values_valid_orders_customer" in failed.log("failing")
    assert "dbt snapshot" not in failed.log("failing")


def test_an_incremental_model_and_a_snapshot_take_what_changed(lab: Lab, built: Ran) -> None:
    seed = lab.project / "jobs" / "shop" / "seeds" / "orders.csv"
    commands = ("dbt seed", "dbt snapshot", "dbt run -s valid_orders order_log")
    task = {"task_key": "again", **dbt(*commands)}
    assert lab.run({"name": "dbt again", "tasks": [task]}).result == "SUCCESS"
    seed.write_text(seed.read_text().replace("3,bob,7.0", "3,bea,8.0") + "5,eve,1.0\n")
    assert lab.run("dbt again").result == "SUCCESS"
    assert rows(lab, "order_log") == {(1, "ada"), (2, "ada"), (3, "bea"), (5, "eve")}
    history = {row[:3] for row in rows(lab, "orders_history") if row[0] == 3}
    assert {float(amount) for _, _, amount in history} == {7.0, 8.0}

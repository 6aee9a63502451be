"""SQL tasks: files, queries, parameters, results that other tasks read, alerts. All as one real run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from factory.lab import Lab, Ran, ask, parents

pytestmark = [pytest.mark.airflow, pytest.mark.spark, pytest.mark.timeout(600)]

SEVERAL = """
CREATE CATALOG IF NOT EXISTS lab;
CREATE SCHEMA IF NOT EXISTS lab.sql_tasks;
CREATE OR REPLACE TABLE IDENTIFIER(:target) (id INT, name STRING);
INSERT INTO IDENTIFIER(:target) VALUES (1, 'a;b'), (2, :name), (3, '{{quoted}}');
SELECT id, name, id * 1.5 AS half FROM IDENTIFIER(:target) ORDER BY id;
"""
QUERY = "SELECT count(*) AS rows, max(id) AS most FROM IDENTIFIER(:target)"
HEADER = "# Databricks notebook source\n"
SQL_CELL = "# MAGIC %sql\n# MAGIC INSERT INTO lab.sql_tasks.t VALUES (0, 'by a cell')\n"
PYTHON_CELL = "raise RuntimeError('Python ran')\n\n# COMMAND ----------\n\n"
ALERTS: dict[str, tuple[dict[str, Any], str]] = {
    "triggered": (
        {
            "display_name": "Many rows",
            "query_text": "SELECT * FROM lab.sql_tasks.t",
            "evaluation": {
                "comparison_operator": "GREATER_THAN",
                "source": {"name": "id", "aggregation": "SUM"},
                "threshold": {"value": {"double_value": 5}},
            },
        },
        "TRIGGERED",
    ),
    "fine": (
        {
            "query_lines": ["SELECT name\n", "FROM lab.sql_tasks.t WHERE id = 2"],
            "evaluation": {
                "comparison_operator": "EQUAL",
                "source": {"name": "NAME"},
                "threshold": {"value": {"string_value": "nobody"}},
            },
        },
        "OK",
    ),
    "legacy": (
        {
            "query_id": "q-empty",
            "condition": {
                "op": "LESS_THAN",
                "operand": {"column": {"name": "id"}},
                "threshold": {"value": {"double_value": 1}},
            },
        },
        "UNKNOWN",
    ),
}
BUNDLE = """
bundle: {name: lab_alerts}
resources:
  alerts:
    late:
      display_name: Late orders
      query_text: SELECT 3 AS late
      warehouse_id: w
      evaluation:
        comparison_operator: GREATER_THAN_OR_EQUAL
        source: {name: late}
        threshold: {value: {double_value: 3}}
  jobs:
    lab_alerts:
      name: lab_alerts
      tasks:
        - task_key: late
          sql_task:
            warehouse_id: w
            alert: {alert_id: "${resources.alerts.late.id}", subscriptions: [{user_name: a@b.example}]}
        - task_key: same
          alert_task: {alert_id: "${resources.alerts.late.id}", warehouse_id: w}
"""


def sql_task(key: str, after: tuple[str, ...] = (), **body: Any) -> dict[str, Any]:
    return {"task_key": key, "sql_task": {"warehouse_id": "w", **body}, **parents(after)}


@pytest.fixture(scope="module")
def ran(lab: Lab) -> Ran:
    jobs = lab.project / "jobs"
    (jobs / "several.sql").write_text(SEVERAL)
    (jobs / "bad.sql").write_text("SELECT 1;\n\nSELECT raise_error('stop here');\nSELECT 2")
    (jobs / "sql_notebook.py").write_text(HEADER + SQL_CELL)
    (jobs / "mixed.py").write_text(HEADER + PYTHON_CELL + SQL_CELL)
    queries = lab.project / "queries"
    queries.mkdir()
    (queries / "count.sql").write_text(QUERY)
    (queries / "empty.sql").write_text("SELECT id FROM lab.sql_tasks.t WHERE false")
    toml = '[queries]\n"q-count" = "queries/count.sql"\n"q-empty" = "queries/empty.sql"\n[alerts]\n'
    for key, (told, _) in ALERTS.items():
        (queries / f"{key}.json").write_text(json.dumps(told))
        toml += f'"a-{key}" = "queries/{key}.json"\n'
    with (lab.project / "medallion.toml").open("a") as stream:
        stream.write(toml)
    given = {"target": "lab.sql_tasks.t", "name": "it's", "quoted": "legacy"}
    tasks = [
        sql_task("several", file={"path": "several.sql"}, parameters=given),
        sql_task("query", ("several",), query={"query_id": "q-count"}, parameters=given),
        ask("reads_row", "{{tasks.query.output.first_row.most}}", right="3", after=("query",)),
        ask("reads_rows", "{{tasks.query.output.rows}}", right='[{"rows":3,"most":3}]', after=("query",)),
        *(
            {"task_key": key, "notebook_task": {"notebook_path": key, "warehouse_id": "w"}, **parents(("query",))}
            for key in ("sql_notebook", "mixed")
        ),
        sql_task("bad", ("several",), file={"path": "bad.sql"}),
        sql_task("unknown", ("several",), query={"query_id": "q-cuont"}),
        sql_task("dashboard", ("several",), dashboard={"dashboard_id": "d"}),
        *(sql_task(key, ("several",), alert={"alert_id": f"a-{key}"}) for key in ALERTS),
        *(
            ask(f"{key}_is", f"{{{{tasks.{key}.output.alert_state}}}}", right=state, after=(key,))
            for key, (_, state) in ALERTS.items()
        ),
    ]
    return lab.run({"name": "sql tasks", "tasks": tasks})


def test_several_statements_with_parameters_and_identifiers(ran: Ran) -> None:
    output = json.loads(next(ran.folder("several").glob("1/result.json")).read_text())["output"]

    assert [(row["id"], row["name"]) for row in output["rows"]] == [(1, "a;b"), (2, "it's"), (3, "legacy")]
    assert [float(row["half"]) for row in output["rows"]] == [1.5, 3.0, 4.5]


def test_a_query_by_its_id_and_its_result_in_other_tasks(ran: Ran) -> None:
    assert ran.states["query"] == "SUCCESS"
    for key in ("reads_row", "reads_rows"):
        assert '"outcome": "true"' in next(ran.folder(key).glob("*/result.json")).read_text(), ran.log(key)


def test_a_notebook_on_a_warehouse_runs_its_sql_cells_only(ran: Ran) -> None:
    assert (ran.states["sql_notebook"], ran.states["mixed"]) == ("SUCCESS", "FAILED")
    assert "RuntimeError: Python ran" not in ran.log("mixed")
    assert "a SQL warehouse runs SQL only" in ran.log("mixed")
    cells = json.loads(next(ran.folder("sql_notebook").glob("1/notebook.ipynb")).read_text())["cells"]
    assert cells[-1]["outputs"][0]["data"] == {"text/plain": "OK"}


@pytest.mark.parametrize("key", ALERTS)
def test_trap_27_an_alert_succeeds_whatever_its_state(ran: Ran, key: str) -> None:
    assert ran.states[key] == "SUCCESS", ran.log(key)
    assert f": {ALERTS[key][1]}: " in ran.log(key)
    assert '"outcome": "true"' in next(ran.folder(f"{key}_is").glob("*/result.json")).read_text()


@pytest.mark.parametrize(
    ("key", "told"),
    [
        pytest.param("bad", "stop here", id="a statement that is not the last"),
        pytest.param("unknown", "no file is set for query_id 'q-cuont'; did you mean q-count?", id="query"),
        pytest.param("dashboard", "Databricks only", id="dashboard"),
    ],
)
def test_what_fails_says_why(ran: Ran, key: str, told: str) -> None:
    assert ran.states[key] == "FAILED"
    assert told in ran.log(key)


def test_alerts_of_a_bundle_by_their_reference(lab: Lab, ran: Ran) -> None:
    folder = lab.project / "jobs" / "lab_alerts"
    folder.mkdir()
    (folder / "databricks.yml").write_text(BUNDLE)
    lab.sources["lab_alerts"] = folder / "databricks.yml"
    bundle = lab.run("lab_alerts")
    assert bundle.states == {"late": "SUCCESS", "same": "SUCCESS"}
    assert "Alert Late orders: TRIGGERED: late is 3; the rule is GREATER_THAN_OR_EQUAL 3" in bundle.log("late")
    assert "Subscribers of the alert are not told" in bundle.log("late")
    assert "TRIGGERED" in bundle.log("same")

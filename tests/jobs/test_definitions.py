"""The examples as definitions: they load without a problem, and every path in them leads to a notebook."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medallion.settings import Settings
from medallion.spec.definition import JobDefinition
from medallion.spec.loading import load

Graph = dict[str, list[str]]

RETAILHUB: Graph = {
    "bronze_customers": [],
    "bronze_orders": [],
    "silver_customers": ["bronze_customers"],
    "silver_orders_cleaned": ["bronze_orders"],
    "gold_customer_orders_summary": ["silver_customers", "silver_orders_cleaned"],
    "gold_daily_orders": ["silver_orders_cleaned"],
}
BUNDLE: Graph = {
    "bronze_customer": [],
    "bronze_orders": [],
    "silver_customers": ["bronze_customer"],
    "silver_orders_cleaned": ["bronze_orders"],
    "gold_customer_order_summary": ["silver_customers", "silver_orders_cleaned"],
    "gold_daily_orders": ["gold_customer_order_summary"],
}
FAN_OUT: Graph = {
    "ingest": [],
    "build_dim_tables": ["ingest"],
    "build_fact_tables": ["ingest"],
    "generate_report": ["build_dim_tables", "build_fact_tables"],
    "send_notification": ["generate_report"],
}
EXAMPLES = [
    pytest.param(
        "retailhub/RetailHub_Medallion_Pipeline.json", "RetailHub_Medallion_Pipeline", RETAILHUB, id="retailhub"
    ),
    pytest.param("retailhub_bundle", "job_medalion_run", BUNDLE, id="bundle"),
    pytest.param(
        "lab08/customer_pipeline.json",
        "customer_pipeline",
        {"bronze_customer": [], "silver_customer": ["bronze_customer"]},
        id="lab08 customers",
    ),
    pytest.param(
        "lab08/orders_pipeline.json",
        "orders_pipeline",
        {
            "bronze_orders": [],
            "silver_orders": ["bronze_orders"],
            "gold_daily_orders": ["silver_orders"],
            "gold_summary": ["gold_daily_orders"],
        },
        id="lab08 orders",
    ),
    pytest.param("lab08/fan_out_pipeline.json", "fan_out_pipeline", FAN_OUT, id="lab08 fan-out"),
    pytest.param(
        "demo_etl/Demo_ETL_Pipeline.json",
        "Demo_ETL_Pipeline",
        {"validate": [], "transform": ["validate"], "report": ["transform"]},
        id="demo",
    ),
]


def only_job(path: Path) -> JobDefinition:
    (definition,) = load(path).require()
    return definition


def local_notebook(settings: Settings, path: str) -> Path:
    """The file that a workspace path stands for; the longest mapped prefix wins."""
    prefix = max((prefix for prefix in settings.workspace if path.startswith(prefix + "/")), key=len)
    place = settings.workspace[prefix] / path.removeprefix(prefix + "/")
    (file,) = [
        place.with_name(place.name + end) for end in (".py", ".sql", ".ipynb") if Path(f"{place}{end}").is_file()
    ]
    return file


@pytest.mark.parametrize(("path", "name", "graph"), EXAMPLES)
def test_an_example_loads_without_an_error_and_has_its_tasks(project: Path, path: str, name: str, graph: Graph) -> None:
    loaded = load(project / "jobs" / path)
    assert [str(problem) for problem in loaded.errors] == []
    # the course writes {{run.id}}, which Databricks leaves as it is
    warned = {problem.path for problem in loaded.problems}
    assert warned <= {"$.tasks[2].notebook_task.base_parameters.run_id"}
    (definition,) = loaded.jobs
    assert definition.job.name == name
    found = {task.task_key: [edge.task_key for edge in task.depends_on or ()] for task in definition.job.tasks}
    assert found == graph


@pytest.mark.parametrize(("path", "name", "graph"), EXAMPLES)
def test_every_notebook_path_leads_to_one_notebook(project: Path, path: str, name: str, graph: Graph) -> None:
    settings = Settings.load(project, environ={})
    for task in only_job(project / "jobs" / path).job.tasks:
        file = local_notebook(settings, task.notebook_task.notebook_path)
        if file.suffix == ".ipynb":
            assert json.loads(file.read_text())["metadata"]["language_info"]["name"] == "python"
        else:
            first = file.read_text().splitlines()[0]
            assert first == {".py": "# ", ".sql": "-- "}[file.suffix] + "Databricks notebook source"


def test_the_bundle_s_cluster_is_named_in_the_settings(project: Path) -> None:
    settings = Settings.load(project, environ={})
    job = only_job(project / "jobs" / "retailhub_bundle").job
    assert {task.existing_cluster_id for task in job.tasks} <= set(settings.clusters)
    assert set(settings.clusters.values()) <= set(settings.targets)


def test_the_template_is_refused_with_the_path_of_each_placeholder(project: Path) -> None:
    file = project / "tests" / "data" / "RetailHub_Medallion_Pipeline.template.json"
    expected = set()
    for number, task in enumerate(json.loads(file.read_text())["tasks"]):
        notebook = task["notebook_task"]
        at = f"$.tasks[{number}].notebook_task"
        expected |= {
            f"{at}.base_parameters.{name}" for name, value in notebook["base_parameters"].items() if "<" in value
        }
        expected.add(f"{at}.notebook_path")
    errors = load(file).errors
    assert {error.path for error in errors} == expected
    assert len(errors) == len(expected) == 14
    assert all(error.line for error in errors)


def test_the_template_with_values_is_the_job_that_ships(project: Path) -> None:
    text = (project / "tests" / "data" / "RetailHub_Medallion_Pipeline.template.json").read_text()
    volume = "/Volumes/retailhub/default/datasets"
    for placeholder, value in {
        "<YOUR_CATALOG>": "retailhub",
        "<NOTEBOOK_ROOT>": "/Workspace/Shared/retailhub/notebooks",
        "<SOURCE_CUSTOMERS>": f"{volume}/customers",
        "<SOURCE_ORDERS>": f"{volume}/orders",
    }.items():
        text = text.replace(placeholder, value)
    assert text == (project / "jobs" / "retailhub" / "RetailHub_Medallion_Pipeline.json").read_text()


def test_no_notebook_needs_medallion(project: Path) -> None:
    notebooks = [file for file in (project / "jobs").glob("*/notebooks/*") if file.is_file()]
    assert len(notebooks) >= 20
    assert not [
        file.name
        for file in notebooks
        if "import medallion" in file.read_text() or "from medallion" in file.read_text()
    ]

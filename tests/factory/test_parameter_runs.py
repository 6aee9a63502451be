"""Job parameters, their push-down and overrides, partial runs, as real runs."""

from __future__ import annotations

import pytest
from factory.lab import Lab, Ran, ask, bad, parents, stub

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]

NOTEBOOK = """# Databricks notebook source
print("widgets", dbutils.widgets.getAll())
"""


@pytest.fixture(scope="module")
def parameters(lab: Lab) -> Ran:
    (lab.project / "jobs" / "widgets.py").write_text(NOTEBOOK)
    (lab.project / "jobs" / "one.sql").write_text("SELECT :a AS a, :own AS own")
    own = {"a": "task", "own": "task"}
    notebook = {"notebook_path": "widgets", "base_parameters": {**own, "ref": "{{job.parameters.b}}"}}
    lab.write(
        {
            "name": "pushed",
            "parameters": [{"name": "a", "default": "job"}, {"name": "b", "default": "{{job.parameters.a}}-b"}],
            "tasks": [
                {"task_key": "notebook", "notebook_task": notebook},
                stub("script", "print", "{{job.parameters.a}}", "{{job.parameters.b}}"),
                stub("bare", "print"),
                {
                    "task_key": "sql",
                    "sql_task": {"warehouse_id": "w", "file": {"path": "one.sql"}, "parameters": own},
                },
                ask("sql_a", "{{tasks.sql.output.first_row.a}}", right="given", after=("sql",)),
                ask("sql_is_job", after=("sql_a:true",)),
            ],
        }
    )
    return lab.run("pushed", job_parameters={"a": "given", "new": "key"})


def test_trap_6_the_job_s_parameter_wins_over_the_task_s(parameters: Ran) -> None:
    assert parameters.result == "SUCCESS"
    widgets = {"a": "given", "own": "task", "ref": "given-b", "b": "given-b", "new": "key"}
    assert f"widgets {widgets}" in parameters.log("notebook")
    assert parameters.states["sql_is_job"] == "SUCCESS"


def test_trap_7_a_script_gets_parameters_by_reference_only(parameters: Ran) -> None:
    assert "said|given|given-b" in parameters.log("script")
    assert parameters.log("bare").count("said") == 1
    assert "given" not in parameters.log("bare")


def test_the_trigger_form_gives_each_parameter_as_a_key(lab: Lab, parameters: Ran) -> None:
    ran = lab.run("pushed", a="form", other="no parameter")
    assert "said|form|form-b" in ran.log("script")
    assert "other" not in ran.log("notebook")


def test_a_partial_run_has_the_chosen_tasks_alone(lab: Lab) -> None:
    job = {
        "name": "partial",
        "tasks": [
            bad("first"),
            ask("second", after=("first",)),
            ask("third", after=("second",), run_if="AT_LEAST_ONE_FAILED"),
            ask("beside"),
            {"task_key": "loop", "for_each_task": {"inputs": "[1]", "task": ask("i")}, **parents(("beside",))},
            ask("after_loop", after=("loop",)),
        ],
    }
    ran = lab.run(job, only=["second", "third", "after_loop"])
    assert ran.states == {"second": "SUCCESS", "third": "EXCLUDED", "after_loop": "SUCCESS"}
    assert ran.result == "SUCCESS"

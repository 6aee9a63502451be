"""Whatever way a task fails, its run says why: in its record, its termination message and the log."""

from __future__ import annotations

from typing import Any

import pytest
from factory.lab import Lab, Ran, ask, stub

from medallion.runs import ids

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]

BAD_ELEMENT = "import sys\nif sys.argv[1] == '2':\n    raise ValueError('bad element 2')\n"


def loop(key: str, inputs: str, task: dict[str, Any]) -> dict[str, Any]:
    return {"task_key": key, "for_each_task": {"inputs": inputs, "task": {"task_key": f"{key}_each", **task}}}


def script(file: str, *words: str, **more: Any) -> dict[str, Any]:
    return {"spark_python_task": {"python_file": file, "parameters": list(words)}, **more}


SAID: dict[str, str] = {
    "condition": "MedallionError: task condition: operand 'apple' is not a number; only EQUAL_TO and NOT_EQUAL compare text",
    "underscores": "MedallionError: task underscores: operand '1_000' is not a number",
    "arabic": "MedallionError: task arabic: operand '١٢' is not a number",
    "unsupported": "UnsupportedError: task unsupported: a dashboard_task",
    "no_value": "ReferenceFault: {{tasks.first.values.nope}}: task 'first' set no value 'nope'",
    "no_file": "nowhere.py' not found",
    "no_library": "LibraryError: ",
    "no_job": "MedallionError: task no_job: no job 4711 is known here",
    "child_fails": "of failing failed",
    "no_pipeline": "UnsupportedError: pipeline_id 'nope' names no pipeline of this bundle",
    "no_query": "nope",
    "no_jar": "MedallionError: task no_jar: spark_jar_task has no JAR",
    "inputs": "MedallionError: task inputs: inputs are an object, not an array",
    "elements": "1 of 2 iterations failed: ValueError: bad element 2",
    "iterations": "2 of 2 iterations failed: UnsupportedError: task iterations_each: a dashboard_task",
}
"""By task: what its termination message holds."""


@pytest.fixture(scope="module")
def failed(lab: Lab) -> Ran:
    (lab.project / "jobs" / "bad_element.py").write_text(BAD_ELEMENT)
    lab.write({"name": "failing", "tasks": [ask("x", "apple", "LESS_THAN", "1")]})
    dashboard = {"dashboard_task": {"dashboard_id": "d"}}
    tasks = [
        stub("first"),
        ask("condition", "apple", "LESS_THAN", "1"),
        ask("underscores", "1_000", "GREATER_THAN", "1"),
        ask("arabic", "١٢", "GREATER_THAN", "1"),
        {"task_key": "unsupported", **dashboard},
        {
            "task_key": "no_value",
            **script("stub.py", "{{tasks.first.values.nope}}"),
            "depends_on": [{"task_key": "first"}],
        },
        {"task_key": "no_file", **script("nowhere.py")},
        {"task_key": "no_library", **script("stub.py", libraries=[{"whl": "./nowhere-1-py3-none-any.whl"}])},
        {"task_key": "no_job", "run_job_task": {"job_id": 4711}},
        {"task_key": "child_fails", "run_job_task": {"job_id": ids.job_id("failing")}},
        {"task_key": "no_pipeline", "pipeline_task": {"pipeline_id": "nope"}},
        {"task_key": "no_query", "sql_task": {"query": {"query_id": "nope"}, "warehouse_id": "w"}},
        {"task_key": "no_jar", "spark_jar_task": {"main_class_name": "a.B"}},
        loop("inputs", "{{job.parameters.object}}", script("stub.py")),
        loop("elements", "[1, 2]", script("bad_element.py", "{{input}}")),
        loop("iterations", "[1, 2]", dashboard),
    ]
    parameters = [{"name": "object", "default": '{"a": 1}'}]
    return lab.run({"name": "reasons", "parameters": parameters, "tasks": tasks}, whole=True)


def message(ran: Ran, key: str) -> str:
    (task,) = [task for task in ran.report.tasks if task.task_key == key]
    assert task.termination is not None
    return task.termination.message


@pytest.mark.parametrize("key", SAID)
def test_a_task_that_fails_says_why(failed: Ran, key: str) -> None:
    assert failed.states[key] == "FAILED"
    assert SAID[key] in message(failed, key)
    assert message(failed, key).strip()


def test_the_run_tells_the_first_of_them(failed: Ran) -> None:
    assert failed.report.termination is not None
    assert "failed with message: task condition: operand 'apple' is not a number" in failed.report.termination.message
    assert "more failed" in failed.report.termination.message


def test_a_cluster_that_does_not_start_is_the_reason_of_its_tasks(lab: Lab) -> None:
    cluster = {"spark_version": "18.0", "num_workers": 0, "spark_conf": {"spark.driver.memory": "1000t"}}
    job = {
        "name": "no cluster",
        "job_clusters": [{"job_cluster_key": "huge", "new_cluster": cluster}],
        "tasks": [stub("on_it", job_cluster_key="huge"), stub("after_it", after=("on_it",))],
    }
    ran = lab.run(job)
    assert ran.states == {"on_it": "FAILED", "after_it": "UPSTREAM_FAILED"}
    assert message(ran, "on_it").startswith("ClusterError: job cluster huge did not start: ")

"""Parameters by task type, as a run gives them to its tasks."""

from __future__ import annotations

from typing import Any

import pytest

from medallion.spec.parameters import of_run


@pytest.mark.parametrize(
    ("kind", "own", "run", "expected"),
    [
        pytest.param(
            "notebook_task",
            {"notebook_path": "n", "base_parameters": {"a": "1", "b": "1"}},
            {"notebook_params": {"b": 2, "c": "2"}},
            {"notebook_path": "n", "base_parameters": {"a": "1", "b": "2", "c": "2"}},
            id="notebook: merged, the run's win",
        ),
        pytest.param(
            "notebook_task",
            {"notebook_path": "n"},
            {"notebook_params": {"a": "1"}, "jar_params": ["x"]},
            {"notebook_path": "n", "base_parameters": {"a": "1"}},
            id="notebook without its own",
        ),
        pytest.param(
            "spark_python_task",
            {"python_file": "f.py", "parameters": ["a", "b"]},
            {"python_params": ["c"]},
            {"python_file": "f.py", "parameters": ["c"]},
            id="script: the list takes the place",
        ),
        pytest.param(
            "python_wheel_task",
            {"package_name": "p", "entry_point": "e", "parameters": ["a"]},
            {"python_params": ["b"]},
            {"package_name": "p", "entry_point": "e", "parameters": ["b"]},
            id="wheel by position",
        ),
        pytest.param(
            "python_wheel_task",
            {"package_name": "p", "entry_point": "e", "named_parameters": {"a": "1"}},
            {"python_params": ["b"], "python_named_params": {"c": "3"}},
            {"package_name": "p", "entry_point": "e", "named_parameters": {"a": "1", "c": "3"}},
            id="wheel by name takes no list",
        ),
        pytest.param(
            "spark_jar_task",
            {"parameters": ["a"]},
            {"jar_params": []},
            {"parameters": []},
            id="JAR: an empty list counts",
        ),
        pytest.param(
            "spark_submit_task",
            {"parameters": ["a"]},
            {"spark_submit_params": ["b"]},
            {"parameters": ["b"]},
            id="submit",
        ),
        pytest.param("sql_task", {}, {"sql_params": {"day": "1"}}, {"parameters": {"day": "1"}}, id="sql"),
        pytest.param(
            "dbt_task", {"commands": ["dbt run"]}, {"dbt_commands": ["dbt test"]}, {"commands": ["dbt test"]}, id="dbt"
        ),
        pytest.param(
            "pipeline_task",
            {"pipeline_id": "p"},
            {"pipeline_params": {"full_refresh": True}},
            {"pipeline_id": "p", "full_refresh": True},
            id="pipeline",
        ),
        pytest.param(
            "condition_task", {"left": "1"}, {"notebook_params": {"left": "2"}}, {"left": "1"}, id="no such type"
        ),
        pytest.param("notebook_task", {"notebook_path": "n"}, {}, {"notebook_path": "n"}, id="none given"),
    ],
)
def test_parameters_of_a_run_by_task_type(
    kind: str, own: dict[str, Any], run: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert of_run(kind, own, run) == expected

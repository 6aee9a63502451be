"""Under which key the iterations of a for-each task are kept."""

from __future__ import annotations

from typing import Any

import pytest

from medallion.spec.iterations import iteration_keys
from medallion.spec.job import Job

NOTE = {"notebook_task": {"notebook_path": "/n"}}


def loop(key: str, inner: str) -> dict[str, Any]:
    return {"task_key": key, "for_each_task": {"inputs": "[1]", "task": {"task_key": inner, **NOTE}}}


@pytest.mark.parametrize(
    ("tasks", "keys"),
    [
        pytest.param([loop("a", "a_iteration"), {"task_key": "b", **NOTE}], {"a": "a_iteration"}, id="its own"),
        pytest.param(
            [loop("a", "each"), loop("b", "each"), loop("c", "c_each")],
            {"a": "a.each", "b": "b.each", "c": "c_each"},
            id="that of another loop",
        ),
        pytest.param([loop("a", "b"), {"task_key": "b", **NOTE}], {"a": "a.b"}, id="that of another task"),
        pytest.param([loop("a", "a")], {"a": "a.a"}, id="the loop's own"),
        pytest.param([], {}, id="no tasks"),
    ],
)
def test_no_two_tasks_are_kept_under_one_key(tasks: list[Any], keys: dict[str, str]) -> None:
    assert iteration_keys(Job.from_json({"name": "j", "tasks": tasks})) == keys

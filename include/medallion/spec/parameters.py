"""How parameters of a job and of a run reach tasks. Pure; runs everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PUSHED_DOWN = frozenset({"notebook_task", "python_wheel_task", "sql_task", "run_job_task"})
"""Kinds of task that get job parameters by themselves; a wheel only with `named_parameters`
(Databricks page "Parameterize jobs")."""

BY_KIND: Mapping[str, Mapping[str, str]] = {
    "notebook_task": {"notebook_params": "base_parameters"},
    "spark_python_task": {"python_params": "parameters"},
    "python_wheel_task": {"python_params": "parameters", "python_named_params": "named_parameters"},
    "spark_jar_task": {"jar_params": "parameters"},
    "spark_submit_task": {"spark_submit_params": "parameters"},
    "sql_task": {"sql_params": "parameters"},
    "dbt_task": {"dbt_commands": "commands"},
}
"""Kind of task → parameters by task type of a run (Jobs API, `run-now` and `run_job_task`) → the task's field."""
PIPELINE_PARAMS = "pipeline_params"
BY_TYPE = frozenset({PIPELINE_PARAMS, *(name for fields in BY_KIND.values() for name in fields)})
"""All parameters by task type, as a run's conf and `run_job_task` spell them."""


def pushed_down(kind: str, own: Mapping[str, str], job: Mapping[str, str]) -> dict[str, str]:
    """The parameters of a task: its own, with the job's over them where the kind gets those. All text."""
    return {**own, **job} if kind in PUSHED_DOWN else dict(own)


def of_run(kind: str, payload: Mapping[str, Any], conf: Mapping[str, Any]) -> dict[str, Any]:
    """A task's object with the run's parameters for its type: maps are merged, the run's win; lists take the place.

    :param conf: the run's conf; keys that are no parameters by type do not count.
    """
    made = dict(payload)
    if kind == "pipeline_task":
        return {**made, **(conf.get(PIPELINE_PARAMS) or {})}
    if "named_parameters" in made and "python_params" in conf:
        conf = {name: value for name, value in conf.items() if name != "python_params"}  # a wheel takes one of the two
    for name, field in BY_KIND.get(kind, {}).items():
        given = conf.get(name)
        if isinstance(given, Mapping):
            made[field] = {**(made.get(field) or {}), **{key: str(value) for key, value in given.items()}}
        elif isinstance(given, list | tuple):
            made[field] = [str(item) for item in given]
    return made

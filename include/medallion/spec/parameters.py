"""How job parameters reach tasks. Pure; runs everywhere."""

from __future__ import annotations

from collections.abc import Mapping

PUSHED_DOWN = frozenset({"notebook_task", "python_wheel_task", "sql_task", "run_job_task"})
"""Kinds of task that get job parameters by themselves; a wheel only with `named_parameters`
(Databricks page "Parameterize jobs")."""


def pushed_down(kind: str, own: Mapping[str, str], job: Mapping[str, str]) -> dict[str, str]:
    """The parameters of a task: its own, with the job's over them where the kind gets those. All text."""
    return {**own, **job} if kind in PUSHED_DOWN else dict(own)

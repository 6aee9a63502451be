"""`task_retry_mode` of continuous jobs: how often and when a failed task is tried again."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from medallion.factory.retry import ENDLESS, ContinuousRetryPolicy
from medallion.runs.records import run_folder
from medallion.settings import Settings

pytestmark = pytest.mark.airflow

NOTEBOOK = {"notebook_task": {"notebook_path": "n.py"}}


class Instance:
    """What the policy asks of Airflow's task instance: the states of other tasks."""

    def __init__(self, states: dict[str, str | None]) -> None:
        self.states = states

    def get_task_states(self, *, run_ids: list[str], task_ids: list[str], **_: Any) -> dict[str, dict[str, str | None]]:
        return {run_ids[0]: {key: self.states.get(key) for key in task_ids}}


class Run:
    """A run's names."""

    dag_id, run_id = "stream", "r1"


def decide(policy: ContinuousRetryPolicy, number: int, states: dict[str, str | None]) -> Any:
    context: Any = {"ti": Instance(states), "dag_run": Run()}
    return policy.evaluate(RuntimeError("no"), number, ENDLESS, context)


def test_an_only_task_is_tried_three_more_times_with_growing_waits() -> None:
    told = [decide(ContinuousRetryPolicy(), number, {}) for number in range(1, 6)]
    assert [item.action.name for item in told] == ["RETRY"] * 3 + ["FAIL"] * 2
    assert [item.retry_delay for item in told[:3]] == [timedelta(seconds=seconds) for seconds in (2, 4, 8)]


@pytest.mark.parametrize(
    ("state", "tries", "again"),
    [
        pytest.param("running", 1, True, id="another in its first attempt"),
        pytest.param("running", 2, False, id="another in its second"),
        pytest.param("up_for_retry", 1, False, id="another waits for its second"),
        pytest.param("success", 1, False, id="another has ended"),
    ],
)
def test_a_task_is_tried_as_long_as_another_is_in_its_first_attempt(
    state: str, tries: int, again: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDALLION_PROJECT", str(tmp_path))
    for number in range(1, tries + 1):
        (run_folder(Settings.load().home, "stream", "r1") / "other" / str(number)).mkdir(parents=True)
    told = decide(ContinuousRetryPolicy(("other",)), 7, {"other": state})
    assert told.action.name == ("RETRY" if again else "FAIL")


@pytest.mark.parametrize(
    ("continuous", "own", "retries"),
    [
        pytest.param({"task_retry_mode": "ON_FAILURE"}, {}, ENDLESS, id="on failure"),
        pytest.param({"task_retry_mode": "NEVER"}, {}, 0, id="never"),
        pytest.param({}, {}, 0, id="the API's default is never"),
        pytest.param({"task_retry_mode": "ON_FAILURE"}, {"max_retries": 1}, 1, id="the task's own word wins"),
    ],
)
def test_the_mode_reaches_the_task(
    continuous: dict[str, Any], own: dict[str, Any], retries: int, tmp_path: Path
) -> None:
    import json

    from medallion.factory.dag import build_dag
    from medallion.project.versions import version_of
    from medallion.spec.loading import load

    (tmp_path / "n.py").write_text("# Databricks notebook source\n1")
    job = {"name": "stream", "continuous": continuous, "tasks": [{"task_key": "a", **NOTEBOOK, **own}]}
    (tmp_path / "job.json").write_text(json.dumps(job))
    (definition,) = load(tmp_path / "job.json").require()
    task = build_dag(version_of("j", definition)).get_task("a")
    assert task.retries == retries
    assert isinstance(task.retry_policy, ContinuousRetryPolicy) is (retries == ENDLESS)

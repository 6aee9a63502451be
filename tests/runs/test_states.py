"""Airflow's states as the Jobs API's, case by case."""

from __future__ import annotations

import pytest

from medallion.runs.states import Cause, LifeCycle, Result, State, iterations_state, leaves_of, run_state, task_state

S, F, X, U, D, C, T, SF = (
    Result.SUCCESS,
    Result.FAILED,
    Result.EXCLUDED,
    Result.UPSTREAM_FAILED,
    Result.DISABLED,
    Result.CANCELED,
    Result.TIMEDOUT,
    Result.SUCCESS_WITH_FAILURES,
)


@pytest.mark.parametrize(
    ("state", "cause", "life_cycle", "result"),
    [
        pytest.param(None, Cause(), "BLOCKED", None, id="waits for its parents"),
        pytest.param("scheduled", Cause(), "PENDING", None, id="scheduled"),
        pytest.param("queued", Cause(), "QUEUED", None, id="queued"),
        pytest.param("running", Cause(), "RUNNING", None, id="running"),
        pytest.param("deferred", Cause(), "RUNNING", None, id="deferred"),
        pytest.param("up_for_retry", Cause(), "WAITING_FOR_RETRY", None, id="waits for its retry"),
        pytest.param("restarting", Cause(), "TERMINATING", None, id="restarting"),
        pytest.param("success", Cause(), "TERMINATED", "SUCCESS", id="success"),
        pytest.param("failed", Cause(), "TERMINATED", "FAILED", id="failed"),
        pytest.param("failed", Cause(timed_out=True), "TERMINATED", "TIMEDOUT", id="timed out"),
        pytest.param("failed", Cause(canceled=True), "TERMINATED", "CANCELED", id="cancelled while it ran"),
        pytest.param("failed", Cause(canceled=True, timed_out=True), "TERMINATED", "CANCELED", id="cancelled when late"),
        pytest.param("skipped", Cause(), "SKIPPED", "EXCLUDED", id="excluded"),
        pytest.param("skipped", Cause(disabled=True), "SKIPPED", "DISABLED", id="disabled"),
        pytest.param("skipped", Cause(canceled=True), "SKIPPED", "CANCELED", id="not started when cancelled"),
        pytest.param("skipped", Cause(disabled=True, canceled=True), "SKIPPED", "DISABLED", id="disabled, cancelled run"),
        pytest.param("upstream_failed", Cause(), "SKIPPED", "UPSTREAM_FAILED", id="upstream failed"),
        pytest.param("upstream_failed", Cause(upstream_canceled=True), "SKIPPED", "UPSTREAM_CANCELED", id="upstream"),
        pytest.param("removed", Cause(), "SKIPPED", "EXCLUDED", id="no longer in the job"),
    ],
)  # fmt: skip
def test_a_task_state_is_spelled_as_the_jobs_api_spells_it(
    state: str | None, cause: Cause, life_cycle: str, result: str | None
) -> None:
    assert task_state(state, cause) == State(LifeCycle(life_cycle), Result(result) if result else None)


def test_every_state_of_airflow_has_an_answer() -> None:
    from airflow.utils.state import DagRunState, TaskInstanceState

    for state in TaskInstanceState:
        task_state(str(state))
    for state in DagRunState:
        run_state(str(state), {}, ())


def test_an_unknown_state_is_refused() -> None:
    with pytest.raises(ValueError, match="no state of a task"):
        task_state("sleeping")
    with pytest.raises(ValueError, match="no state of a DAG run"):
        run_state("sleeping", {}, ())


@pytest.mark.parametrize(
    ("airflow", "tasks", "leaves", "cause", "result"),
    [
        pytest.param("success", {"a": S, "b": S}, "b", Cause(), S, id="all succeeded"),
        pytest.param("success", {"a": S, "b": X}, "b", Cause(), S, id="an excluded leaf counts as success"),
        pytest.param("success", {"a": S, "b": D}, "b", Cause(), S, id="a disabled leaf counts as success"),
        pytest.param("success", {"a": F, "b": S}, "b", Cause(), SF, id="failed before a good leaf"),
        pytest.param("success", {"a": U, "b": X}, "b", Cause(), SF, id="stopped before an excluded leaf"),
        pytest.param("success", {"a": T, "b": S}, "b", Cause(), SF, id="late before a good leaf"),
        pytest.param("failed", {"a": F, "b": U}, "b", Cause(), F, id="a leaf stopped by its parent"),
        pytest.param("failed", {"a": S, "b": F, "c": S}, "bc", Cause(), F, id="one leaf of two failed"),
        pytest.param("failed", {"a": T}, "a", Cause(), F, id="a leaf timed out"),
        pytest.param("failed", {"a": S}, "a", Cause(), F, id="a setup task of ours failed"),
        pytest.param("failed", {"a": S, "b": C}, "b", Cause(timed_out=True), C, id="a cancelled leaf"),
        pytest.param("failed", {"a": S, "b": X}, "b", Cause(timed_out=True), T, id="the run timed out"),
        pytest.param("failed", {"a": S, "b": C}, "b", Cause(canceled=True), C, id="the run was cancelled"),
    ],
)  # fmt: skip
def test_the_leaves_decide_how_a_run_ended(
    airflow: str, tasks: dict[str, Result], leaves: str, cause: Cause, result: Result
) -> None:
    assert run_state(airflow, tasks, tuple(leaves), cause) == State(LifeCycle.TERMINATED, result)


@pytest.mark.parametrize(("airflow", "life_cycle"), [(None, "PENDING"), ("queued", "QUEUED"), ("running", "RUNNING")])
def test_a_run_that_goes_has_no_result(airflow: str | None, life_cycle: str) -> None:
    assert run_state(airflow, {"a": None}, ("a",)) == State(LifeCycle(life_cycle))


def test_leaves_are_the_tasks_that_nobody_depends_on() -> None:
    assert leaves_of({"a": [], "b": ["a"], "c": ["a", "b"], "d": []}) == {"c", "d"}


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        pytest.param(["success", "success"], State(LifeCycle.TERMINATED, S), id="all good"),
        pytest.param([], State(LifeCycle.TERMINATED, S), id="none"),
        pytest.param(["success", "failed"], State(LifeCycle.TERMINATED, F), id="one failed"),
        pytest.param(["success", "running"], State(LifeCycle.RUNNING), id="one runs"),
        pytest.param(["success", "scheduled"], State(LifeCycle.RUNNING), id="the next waits for its slot"),
        pytest.param(["scheduled", "scheduled"], State(LifeCycle.PENDING), id="none has started"),
        pytest.param(["skipped", "skipped"], State(LifeCycle.SKIPPED, X), id="all excluded"),
        pytest.param(["success", "upstream_failed"], State(LifeCycle.SKIPPED, U), id="upstream failed"),
    ],
)
def test_a_for_each_task_has_the_state_of_its_iterations(states: list[str], expected: State) -> None:
    assert iterations_state(task_state(state) for state in states) == expected


def test_a_disabled_task_behind_a_cluster_that_did_not_start_is_disabled() -> None:
    found = task_state("upstream_failed", Cause(disabled=True))
    assert (found.life_cycle, found.result) == (LifeCycle.SKIPPED, Result.DISABLED)

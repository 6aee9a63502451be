"""The words of the system tables for results, codes and triggers. They are not the Jobs API's. Pure.

Source: Databricks page "Jobs system table reference"; pairs that no page states are in docs/semantics.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from medallion.runs.states import LifeCycle, Result

if TYPE_CHECKING:
    from medallion.runs.states import State
    from medallion.spec.job import Job

RESULTS: Mapping[Result, str] = {
    Result.SUCCESS: "SUCCEEDED",
    Result.SUCCESS_WITH_FAILURES: "SUCCEEDED",
    Result.FAILED: "FAILED",
    Result.TIMEDOUT: "TIMED_OUT",
    Result.CANCELED: "CANCELLED",
    Result.MAXIMUM_CONCURRENT_RUNS_REACHED: "SKIPPED",
    Result.EXCLUDED: "SKIPPED",
    Result.DISABLED: "SKIPPED",
    Result.UPSTREAM_FAILED: "SKIPPED",
    Result.UPSTREAM_CANCELED: "SKIPPED",
}

CODES: Mapping[str, str] = {"CANCELED": "CANCELLED", "USER_CANCELED": "CANCELLED"}
"""Codes that the tables spell in another way than the Jobs API."""

TRIGGERS: Mapping[str, str] = {
    "file_arrival": "FILE_ARRIVAL",
    "table": "TABLE",
    "continuous": "CONTINUOUS",
    "continuous_restart": "CONTINUOUS",
    "retry": "ONETIME_RETRY",
}
"""By `{{job.trigger.type}}`. All others are ONETIME, but for schedules and periods."""

AIRFLOW_TRIGGERS: Mapping[str, str] = {"scheduled": "periodic", "asset_triggered": "table"}
"""By Airflow's kind of a run, for one that does not say."""


def result_word(state: State) -> str | None:
    """How something ended; None while it goes on."""
    if state.life_cycle is LifeCycle.INTERNAL_ERROR:
        return "ERROR"
    return RESULTS[state.result] if state.result else None


def code_word(code: str) -> str:
    """A termination code."""
    return CODES.get(code, code)


def trigger_of_run(run_type: str, conf: Mapping[str, Any], job: Job | None) -> str:
    """What started a run.

    :param run_type: Airflow's.
    :param conf: of the run; `trigger_type` in it wins.
    """
    kind = str(conf.get("trigger_type") or AIRFLOW_TRIGGERS.get(run_type, "one_time"))
    if kind == "periodic":
        return (trigger_of_job(job) if job else None) or "CRON"
    if kind == "table" and job and trigger_of_job(job) in {"FILE_ARRIVAL", "CONTINUOUS"}:
        return str(trigger_of_job(job))
    return TRIGGERS.get(kind, "ONETIME")


def trigger_of_job(job: Job) -> str | None:
    """What starts a job; None for one that only people start."""
    if job.schedule is not None:
        return "CRON"
    if job.continuous is not None:
        return "CONTINUOUS"
    block = job.trigger.to_json() if job.trigger is not None else {}
    known = {"periodic": "PERIODIC", "file_arrival": "FILE_ARRIVAL", "table_update": "TABLE", "table": "TABLE"}
    return next((word for name, word in known.items() if block.get(name)), None)

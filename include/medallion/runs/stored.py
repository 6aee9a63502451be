"""Changes as JSON and back, so that they outlive the process that saw them. Pure; runs in the jobs service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from medallion.runs.changes import Kind, RunChange
from medallion.runs.report import Instance, Snapshot, TaskReport
from medallion.runs.states import LifeCycle, Result, State

if TYPE_CHECKING:
    from medallion.runs.report import RunReport
    from medallion.spec.definition import JobDefinition


def to_body(change: RunChange) -> dict[str, Any]:
    """A change without its definition and its report, which are made again from the snapshot."""
    return {
        "kind": str(change.kind),
        "repair": change.repair,
        "task": asdict(change.task) if change.task else None,
        "attempt": change.attempt,
        "last": change.last,
    }


def snapshot_of(raw: Mapping[str, Any]) -> Snapshot:
    """A snapshot from its JSON."""
    instances = {name: tuple(Instance(**item) for item in raw[name]) for name in ("instances", "history")}
    return Snapshot(**{**raw, **instances, "only": tuple(raw["only"])})


def task_of(raw: Mapping[str, Any]) -> TaskReport:
    """A task's report from its JSON."""
    found = raw["state"]
    state = State(LifeCycle(found["life_cycle"]), Result(found["result"]) if found["result"] else None)
    iterations = raw["iterations"]
    inner = tuple(task_of(item) for item in iterations) if iterations is not None else None
    history = tuple(task_of(item) for item in raw.get("history", ()))
    return TaskReport(**{**raw, "state": state, "iterations": inner, "history": history})


def from_body(
    raw: Mapping[str, Any], definition: JobDefinition | None, snapshot: Snapshot, report: RunReport
) -> RunChange:
    """A change from `to_body`."""
    task = task_of(raw["task"]) if raw["task"] else None
    return RunChange(
        Kind(raw["kind"]), definition, snapshot, report, raw["repair"], task, raw["attempt"], last=raw["last"]
    )

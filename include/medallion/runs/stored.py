"""Changes as JSON and back, so that they outlive the process that saw them. Pure; runs in the jobs service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from medallion.runs.changes import Kind, RunChange
from medallion.runs.report import RunReport
from medallion.runs.snapshot import Instance, Snapshot
from medallion.runs.task_report import state_of, task_of
from medallion.runs.termination import Details

if TYPE_CHECKING:
    from medallion.spec.definition import JobDefinition


def to_look(snapshot: Snapshot, report: RunReport, version: str | None = None) -> dict[str, Any]:
    """What one look saw: the run in both words, and the version of its job. The changes of the look share it."""
    return {"snapshot": asdict(snapshot), "report": asdict(report), "version": version}


def from_look(raw: Mapping[str, Any]) -> tuple[Snapshot, RunReport]:
    """What `to_look` took."""
    return snapshot_of(raw["snapshot"]), report_of(raw["report"])


def to_body(change: RunChange) -> dict[str, Any]:
    """A change without what its look saw, and without the definition, which the look names by its version."""
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


def report_of(raw: Mapping[str, Any]) -> RunReport:
    """A run's report from its JSON."""
    known = {
        "state": state_of(raw["state"]),
        "tasks": tuple(task_of(item) for item in raw["tasks"]),
        "termination": Details(**raw["termination"]) if raw["termination"] else None,
        "repair_history": tuple(raw["repair_history"]),
    }
    return RunReport(**{**raw, **known})


def from_body(
    raw: Mapping[str, Any], definition: JobDefinition | None, snapshot: Snapshot, report: RunReport
) -> RunChange:
    """A change from `to_body`."""
    task = task_of(raw["task"]) if raw["task"] else None
    return RunChange(
        Kind(raw["kind"]), definition, snapshot, report, raw["repair"], task, raw["attempt"], last=raw["last"]
    )

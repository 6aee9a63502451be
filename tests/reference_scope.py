"""A scope with fixed answers that remembers what was asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from medallion.spec.references import TableUpdate

START = datetime(2026, 3, 8, 7, 5, 9, 250_000, tzinfo=UTC)
"""A Sunday."""

TRIGGERED = START.replace(minute=0, second=0, microsecond=0)


@dataclass
class FixedTask:
    """Another task of the run."""

    run_id: int = 21
    execution_count: int = 2
    notebook_path: str | None = "/Shop/load"
    result_state: str = "SUCCESS"
    error_code: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    result: dict[str, Any] | None = None

    def value(self, key: str) -> Any:
        return self.values[key]

    def value_keys(self) -> list[str]:
        return list(self.values)

    def output(self) -> dict[str, Any] | None:
        return self.result


@dataclass
class FixedScope:
    """One task run."""

    job_id: int = 7
    job_name: str = "shop"
    job_run_id: int = 70
    repair_count: int = 0
    start_time: datetime = START
    trigger_time: datetime = TRIGGERED
    trigger_type: str = "PERIODIC"
    file_arrival_location: str | None = None
    updated_tables: tuple[str, ...] = ()
    updates: dict[str, TableUpdate] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    task_key: str = "report"
    task_run_id: int = 22
    execution_count: int = 3
    retry_count: int = 1
    notebook_path: str | None = "/Shop/report"
    tasks: dict[str, FixedTask] = field(default_factory=dict)
    element: Any = LookupError
    backfill_time: datetime | None = None
    workspace_id: int = 0
    workspace_url: str = "localhost"
    asked: list[str] = field(default_factory=list)

    @property
    def task_keys(self) -> list[str]:
        return list(self.tasks)

    def task(self, key: str) -> FixedTask:
        self.asked.append(key)
        return self.tasks[key]

    def table_update(self, name: str) -> TableUpdate | None:
        return self.updates.get(name)

    def input(self) -> Any:
        if self.element is LookupError:
            raise LookupError
        return self.element

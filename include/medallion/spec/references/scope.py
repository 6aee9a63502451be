"""What a reference can ask for, as protocols that the worker fulfils. Pure.

Every answer is asked for when a reference needs it and not before, so a member may be a property that fetches.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class TableUpdate:
    """The latest commit of a table that a table-update trigger watches."""

    version: int
    commit_timestamp: datetime


class OtherTask(Protocol):
    """Another task of the run, finished or not."""

    @property
    def run_id(self) -> int:
        """The Jobs API's id of the task's run."""
        ...

    @property
    def execution_count(self) -> int:
        """How often it ran, retries and repairs included; 1 after the first time."""
        ...

    @property
    def notebook_path(self) -> str | None:
        """Path as the job states it; None when it is no notebook task."""
        ...

    @property
    def result_state(self) -> str:
        """Result as the Jobs API spells it, in any case."""
        ...

    @property
    def error_code(self) -> str | None:
        """Error code of a failed task, else None."""
        ...

    def value(self, key: str) -> Any:
        """A task value; raises KeyError when there is none."""
        ...

    def value_keys(self) -> Iterable[str]:
        """Keys of the task's values, for the hint of an error."""
        ...

    def output(self) -> Mapping[str, Any] | None:
        """Output of a SQL task: `rows`, a list of objects, or `alert_state`; None for other tasks."""
        ...


class Scope(Protocol):
    """Everything that the references of one task run can name."""

    @property
    def job_id(self) -> int:
        """The Jobs API's id of the job."""
        ...

    @property
    def job_name(self) -> str:
        """Name of the job."""
        ...

    @property
    def job_run_id(self) -> int:
        """Id of the job run, the same across repairs."""
        ...

    @property
    def repair_count(self) -> int:
        """Repairs so far; 0 in the first run."""
        ...

    @property
    def start_time(self) -> datetime:
        """When the run started."""
        ...

    @property
    def trigger_time(self) -> datetime:
        """When the trigger fired."""
        ...

    @property
    def trigger_type(self) -> str:
        """Type of the trigger as the Jobs API spells it, in any case."""
        ...

    @property
    def file_arrival_location(self) -> str | None:
        """Location that the file-arrival trigger watches; None in a run started otherwise."""
        ...

    @property
    def updated_tables(self) -> Sequence[str]:
        """Tables updated since the last run, for a table-update trigger."""
        ...

    def table_update(self, name: str) -> TableUpdate | None:
        """Latest commit of a watched table; None in a run started otherwise."""
        ...

    @property
    def parameters(self) -> Mapping[str, str]:
        """Effective job parameters, resolved (see `resolve_parameters`)."""
        ...

    @property
    def task_key(self) -> str:
        """Key of this task."""
        ...

    @property
    def task_run_id(self) -> int:
        """Id of this task's run."""
        ...

    @property
    def execution_count(self) -> int:
        """How often this task ran, this time, retries and repairs included."""
        ...

    @property
    def retry_count(self) -> int:
        """Retries of this task so far; 0 in the first attempt."""
        ...

    @property
    def notebook_path(self) -> str | None:
        """Notebook of this task as the job states it; None for other tasks."""
        ...

    @property
    def task_keys(self) -> Iterable[str]:
        """Keys of the tasks that this one may ask about, for the hint of an error."""
        ...

    def task(self, key: str) -> OtherTask:
        """A task that this one runs after; raises KeyError for any other."""
        ...

    def input(self) -> Any:
        """The element of this for-each iteration; raises LookupError outside one."""
        ...

    @property
    def backfill_time(self) -> datetime | None:
        """Date of this backfill run; None in other runs."""
        ...

    @property
    def workspace_id(self) -> int | str:
        """Id of the workspace."""
        ...

    @property
    def workspace_url(self) -> str:
        """Address of the workspace."""
        ...

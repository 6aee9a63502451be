"""One attempt of one task: its ids, its folder, its lease's name. Runs in the Airflow task process."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.core.stored import unpack
from medallion.runs import ids
from medallion.runs.records import attempt_folder, run_folder

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context

    from medallion.runtime.protocol import RunIds, TaskResult
    from medallion.settings import Settings


def lease_holder(dag_id: str, airflow_run_id: str, name: str) -> str:
    """Name of a lease on a driver: the run, and the job cluster or task that holds it."""
    return f"{dag_id}/{airflow_run_id}/{name}"


@dataclass(frozen=True, slots=True)
class Attempt:
    """Who and where one attempt is.

    :param record: its name in ids and folders: the task's key, or another where an iteration's key is no longer unique.
    :param map_index: place of a for-each iteration, -1 for a task that is none.
    :param try_number: counts from 1, over retries and repairs.
    """

    dag_id: str
    airflow_run_id: str
    task_key: str
    map_index: int
    try_number: int
    job_name: str
    job_id: int
    conf: Mapping[str, Any]
    record: str = ""

    @classmethod
    def of(cls, context: Context, *, task_key: str, job_name: str, job_id: int | None, record: str = "") -> Attempt:
        """The attempt that Airflow's context describes."""
        instance = context["ti"]
        return cls(
            dag_id=instance.dag_id,
            airflow_run_id=instance.run_id,
            task_key=task_key,
            map_index=-1 if instance.map_index is None else instance.map_index,
            try_number=instance.try_number,
            job_name=job_name,
            job_id=job_id or ids.job_id(instance.dag_id),
            conf={name: unpack(value) for name, value in (context["dag_run"].conf or {}).items()},
            record=record,
        )

    @property
    def run_id(self) -> int:
        """The job run's id, as the Jobs API counts."""
        return ids.run_id(self.dag_id, self.airflow_run_id)

    @property
    def task_run_id(self) -> int:
        """The task run's id, as the Jobs API counts."""
        name = self.record or self.task_key
        return ids.task_run_id(self.dag_id, self.airflow_run_id, name, self.map_index, self.try_number)

    @property
    def tag(self) -> str:
        """Spark job tag of all that this attempt starts. Spark forbids commas in it."""
        return f"medallion-{self.task_run_id}"

    def folder(self, settings: Settings) -> Path:
        """Where this attempt's context, result and notebook go."""
        run = run_folder(settings.home, self.dag_id, self.airflow_run_id)
        return attempt_folder(run, self.record or self.task_key, self.map_index, self.try_number)

    def keep(self, settings: Settings, result: TaskResult) -> None:
        """Write the attempt's record, for one whose process cannot."""
        from medallion.runtime.protocol import RESULT_FILE, write_whole

        folder = self.folder(settings)
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / RESULT_FILE, result.to_json())

    def keep_failure(self, settings: Settings, kind: str, message: str) -> None:
        """Write the record of an attempt that failed before, beside or without a process; one that is there stays."""
        from medallion.runtime.protocol import RESULT_FILE, Failure, TaskResult

        if not (self.folder(settings) / RESULT_FILE).exists():
            with contextlib.suppress(OSError):  # a full disk takes no record; the log says why
                self.keep(settings, TaskResult(success=False, failure=Failure(kind, message)))

    def holder(self, name: str) -> str:
        """Name of a lease that this run holds for a job cluster or for this task alone."""
        return lease_holder(self.dag_id, self.airflow_run_id, name)

    def ids(self) -> RunIds:
        """The ids as the task's process gets them."""
        from medallion.runtime.protocol import RunIds

        return RunIds(
            job_id=self.job_id,
            job_name=self.job_name,
            run_id=self.run_id,
            task_run_id=self.task_run_id,
            task_key=self.task_key,
            attempt=self.try_number - 1,
            airflow_run_id=self.airflow_run_id,
        )

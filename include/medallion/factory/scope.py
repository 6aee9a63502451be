"""What references `{{…}}` of a task stand for in one attempt. Runs in the Airflow task process.

Implements `spec.references.Scope`: answers are fetched when a reference asks for them, not before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from medallion.core.stored import unpack
from medallion.factory.answers import VALUE_KEYS, AirflowAnswers
from medallion.factory.naming import for_each_inputs, job_name
from medallion.runs import ids, repairs, run_conf
from medallion.runs.notes import read_notes
from medallion.runs.records import CANCELED, TIMEOUT, Records, run_folder, safe
from medallion.runs.rules import start_rules
from medallion.spec.disabled import disabled_in_run
from medallion.spec.references import TableUpdate, resolve_parameters
from medallion.spec.references.resolve import text_of

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context

    from medallion.factory.attempt import Attempt
    from medallion.factory.operators.base import LakeflowOperator
    from medallion.settings import Settings
    from medallion.spec.job import Job, Task

TRIGGER_TYPES = {"scheduled": "periodic", "manual": "one_time", "asset_triggered": "table", "backfill": "one_time"}
RUN_ERROR = "RunExecutionError"
WAYS_OF_FAILING: Mapping[str | None, str] = {TIMEOUT: "TIMEDOUT", CANCELED: "CANCELED"}
"""Results that Airflow calls failed too, by the kind of failure that the attempt's record names."""


def given_parameters(job: Job, conf: Mapping[str, Any]) -> dict[str, str]:
    """The run's job parameters before their references are resolved: defaults, then what the run was given.

    The trigger form of the UI gives each declared parameter as a key of its own; both count.
    """
    values = {item.name: str(item.default) for item in job.parameters or ()}
    values |= {name: text_of(conf[name]) for name in values if isinstance(conf.get(name), (str, int, float))}
    return values | run_conf.given(conf)


class UpstreamTask:
    """A task that this one runs after."""

    def __init__(
        self, context: Context, operator: LakeflowOperator, attempt: Attempt, settings: Settings, task_key: str
    ) -> None:
        self._context = context
        self._instance = context["ti"]
        self._operator = operator
        self._attempt = attempt
        self._settings = settings
        self.key = task_key

    @property
    def _task(self) -> Task:
        return next(task for task in self._operator.definition.job.tasks or () if task.task_key == self.key)

    @property
    def run_id(self) -> int:
        """Id of the task's latest attempt."""
        count = max(self.execution_count, 1)
        return ids.task_run_id(self._attempt.dag_id, self._attempt.airflow_run_id, self.key, -1, count)

    @property
    def execution_count(self) -> int:
        """How often it ran: the latest of its attempts' folders."""
        folder = run_folder(self._settings.home, self._attempt.dag_id, self._attempt.airflow_run_id) / safe(self.key)
        if not folder.is_dir():
            return 0
        return max((int(entry.name) for entry in folder.iterdir() if entry.name.isdigit()), default=0)

    @property
    def notebook_path(self) -> str | None:
        """Its notebook as the job states it."""
        return notebook_path(self._task)

    @property
    def result_state(self) -> str:
        """Its result in the Jobs API's words."""
        from medallion.factory.operators.base import outcome, states_of

        inputs = for_each_inputs(self.key)
        states = states_of(self._context, [self.key, *((inputs,) if self._task.kind == "for_each_task" else ())])
        found = outcome(self.key, states, disabled_in_run(self._operator.definition.job, self._attempt.conf)).value
        if found in {"FAILED", "UPSTREAM_FAILED"} and self._canceled():
            return "CANCELED"
        if found == "UPSTREAM_FAILED" and states.get(inputs) in {"success", "failed"}:
            return "FAILED"  # Airflow's word for the whole of a loop of which an iteration failed
        return WAYS_OF_FAILING.get(self._failure_kind(), found) if found == "FAILED" else found

    def _failure_kind(self) -> str | None:
        records = Records(self._settings.home, self._attempt.dag_id, self._attempt.airflow_run_id)
        return records.failure_kind(self.key, -1, self.execution_count)

    def _canceled(self) -> bool:
        """Whether a person ended it in this part of the run."""
        notes = read_notes(self._settings.home, self._attempt.dag_id, self._attempt.airflow_run_id)
        return self.key in (notes.get("canceled_tasks") or {})

    @property
    def error_code(self) -> str | None:
        """The error code of a failed task."""
        return RUN_ERROR if self.result_state in {"FAILED", "TIMEDOUT"} else None

    def value(self, key: str) -> Any:
        """A task value; raises KeyError when there is none."""
        return AirflowAnswers(self._instance, ancestors={self.key}).task_value(self.key, key)

    def value_keys(self) -> Iterable[str]:
        """Keys of the values that it set, as it left them at its end."""
        found = unpack(self._instance.xcom_pull(task_ids=self.key, key=VALUE_KEYS, map_indexes=-1))
        return found if isinstance(found, list) else ()

    def output(self) -> Mapping[str, Any] | None:
        """The rows of a SQL task."""
        found = unpack(self._instance.xcom_pull(task_ids=self.key, key="output", map_indexes=-1))
        return found if isinstance(found, Mapping) else None


class AttemptScope:
    """The scope of one attempt."""

    upstream_task: type[UpstreamTask] = UpstreamTask

    def __init__(self, context: Context, operator: LakeflowOperator, attempt: Attempt, settings: Settings) -> None:
        self._context = context
        self._operator = operator
        self._attempt = attempt
        self._settings = settings
        self._run = context["dag_run"]

    @cached_property
    def answers(self) -> AirflowAnswers:
        """Task values and secrets, as this attempt may ask for them."""
        return AirflowAnswers(
            self._context["ti"], ancestors=self._operator.ancestors(), scopes=self._settings.secret_scopes
        )

    @property
    def job_id(self) -> int:
        """The Jobs API's id of the job."""
        return self._attempt.job_id

    @property
    def job_name(self) -> str:
        """Name of the job."""
        return job_name(self._operator.definition.job.name)

    @property
    def job_run_id(self) -> int:
        """Id of the job run."""
        return self._attempt.run_id

    @property
    def repair_count(self) -> int:
        """Repairs so far, as the run's notes count them."""
        return repairs.count(self._settings.home, self._attempt.dag_id, self._attempt.airflow_run_id)

    @property
    def start_time(self) -> datetime:
        """When the run started."""
        return self._run.start_date or self._run.run_after

    @property
    def trigger_time(self) -> datetime:
        """When the trigger fired: the run's logical date, or the moment that a run by hand was asked for.

        The latter may be a microsecond before its second (`runs.rules.at_once`).
        """
        return self._run.logical_date or self._run.run_after + timedelta(microseconds=1)

    @property
    def trigger_type(self) -> str:
        """Type of the trigger."""
        given = self._attempt.conf.get("trigger_type")
        scheduled = given is None and str(self._run.run_type.value) == "scheduled"
        if scheduled and start_rules(self._operator.definition.job).continuous:
            return "continuous"
        return str(given or TRIGGER_TYPES.get(str(self._run.run_type.value), "one_time"))

    @property
    def file_arrival_location(self) -> str | None:
        """Location of the file-arrival trigger, in a run that it started."""
        return self._attempt.conf.get("file_arrival_location")

    @property
    def updated_tables(self) -> Sequence[str]:
        """Tables that started this run."""
        return list(self._attempt.conf.get("updated_tables", ()))

    def table_update(self, name: str) -> TableUpdate | None:
        """Latest commit of a table that started this run."""
        found = self._attempt.conf.get("table_updates", {}).get(name.lower())
        if found is None:
            return None
        return TableUpdate(int(found["version"]), datetime.fromisoformat(found["commit_timestamp"]))

    @cached_property
    def parameters(self) -> Mapping[str, str]:
        """Effective job parameters, resolved."""
        return resolve_parameters(given_parameters(self._operator.definition.job, self._attempt.conf), self)

    @property
    def task_key(self) -> str:
        """Key of this task."""
        return self._attempt.task_key

    @property
    def task_run_id(self) -> int:
        """Id of this attempt."""
        return self._attempt.task_run_id

    @property
    def execution_count(self) -> int:
        """How often this task ran, this time included. Airflow counts on over retries and repairs."""
        return self._attempt.try_number

    @property
    def retry_count(self) -> int:
        """Retries so far."""
        return self._attempt.try_number - 1

    @property
    def notebook_path(self) -> str | None:
        """Notebook of this task as the job states it."""
        return notebook_path(self._operator.task)

    @property
    def task_keys(self) -> Iterable[str]:
        """Keys of the tasks upstream."""
        return sorted(self._operator.ancestors())

    def task(self, key: str) -> UpstreamTask:
        """A task upstream; raises KeyError for any other."""
        if key not in self._operator.ancestors():
            raise KeyError(key)
        return self.upstream_task(self._context, self._operator, self._attempt, self._settings, key)

    def input(self) -> Any:
        """The element of this for-each iteration."""
        if self._operator.iteration is None:
            raise LookupError("not in a for-each task")
        return unpack(self._operator.iteration["input"])

    @property
    def backfill_time(self) -> datetime | None:
        """Date of this backfill run."""
        given = self._attempt.conf.get("backfill_time")
        if given is not None:
            return datetime.fromisoformat(given)
        return self._run.logical_date if str(self._run.run_type.value) == "backfill" else None

    @property
    def workspace_id(self) -> int | str:
        """0: there is no workspace here."""
        return 0

    @property
    def workspace_url(self) -> str:
        """Where the web UI listens."""
        return f"http://{self._settings.host}:{self._settings.port}"


def notebook_path(task: Task) -> str | None:
    """The notebook of a notebook task, None for other tasks."""
    return task.notebook_task.notebook_path if task.notebook_task is not None else None

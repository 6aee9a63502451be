"""Run-job tasks: start another job's run and wait for it. Executed in the Airflow task process."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk.exceptions import AirflowTaskTimeout

from medallion.core.moments import Moment
from medallion.core.stored import pack_odd
from medallion.errors import MedallionError, RunError
from medallion.factory.log import show
from medallion.factory.operators.base import LakeflowOperator
from medallion.factory.record import recorded
from medallion.factory.retry import AttemptFailed, AttemptRefused, AttemptTimedOut
from medallion.factory.scope import AttemptScope
from medallion.runs import ids
from medallion.runs.cancel import children_below
from medallion.runs.notes import read_notes
from medallion.runs.records import CANCELED, run_folder
from medallion.runs.requests import CancelRequest, leave_request
from medallion.runs.rules import at_once
from medallion.runs.run_conf import JOB_PARAMETERS, packed
from medallion.spec.parameters import BY_TYPE, pushed_down
from medallion.spec.references import resolve_task
from medallion.triggers.child_run import ENDED, TIMED_OUT, ChildRunTrigger, child_state

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context

    from medallion.factory.attempt import Attempt
    from medallion.settings import Settings

HANDED_DOWN = ("compute",)
"""Keys of a run's conf that count for the runs that it starts as well."""
MAX_NESTING = 3
"""Run-job tasks inside run-job tasks (Databricks page "Run job task")."""


def keep_links(settings: Settings, attempt: Attempt, child: str, run_id: str, place: str) -> None:
    """Leave `child.json` in the attempt's folder and `parent.json` in the child run's: each names the other.

    :param place: key of the task of the job: the for-each task's where this is an iteration.
    """
    from medallion.runtime.protocol import write_whole

    below = {
        "dag_id": child,
        "airflow_run_id": run_id,
        "job_id": ids.job_id(child),
        "run_id": ids.run_id(child, run_id),
        "task_key": place,
        "map_index": attempt.map_index,
    }
    above = {
        "dag_id": attempt.dag_id,
        "airflow_run_id": attempt.airflow_run_id,
        "run_id": attempt.run_id,
        "task_key": attempt.task_key,
        "task_run_id": attempt.task_run_id,
    }
    places = {
        attempt.folder(settings) / "child.json": below,
        run_folder(settings.home, child, run_id) / "parent.json": above,
    }
    for file, facts in places.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, json.dumps(facts))


def start_child(dag_id: str, run_id: str, conf: Mapping[str, Any]) -> None:
    """Have Airflow make the child's run, as its own operator for this does.

    :raises AttemptRefused: there is a run of that id.
    """
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import ErrorResponse, TriggerDagRun

    wanted = TriggerDagRun(dag_id=dag_id, run_id=run_id, conf=dict(conf), run_after=at_once(datetime.now(UTC)))
    if isinstance(task_runner.SUPERVISOR_COMMS.send(wanted), ErrorResponse):
        raise AttemptRefused(RunError(f"job {dag_id} has a run {run_id} already"))


class RunJobOperator(LakeflowOperator):
    """Starts the child job with the task's parameters and this job's over them; the child's result decides."""

    ui_color = "#e0f2f1"

    def work(self, context: Context, attempt: Attempt, settings: Settings) -> None:
        """Start the child and wait for it without a process."""
        begun = Moment.now()
        try:
            child, run_id = self.begin(context, attempt, settings)
        except AirflowTaskTimeout:  # a short time-out on a busy machine
            self.end_child(context)
            self.time_out(context)
        limit = self.execution_timeout.total_seconds() if self.execution_timeout else None
        home = str(settings.home)
        wait = ChildRunTrigger(child, run_id, limit=limit, begun=begun.to_json(), home=home, who=self.requester)
        self.defer(trigger=wait, method_name="child_ended")

    def begin(self, context: Context, attempt: Attempt, settings: Settings) -> tuple[str, str]:
        """Start the child; gives its DAG id and run id."""
        from medallion.project.registry import JobRegistry

        depth = int(attempt.conf.get("run_job_depth", 0)) + 1
        if depth > MAX_NESTING:
            raise AttemptRefused(RunError(f"task {self.task.task_key}: jobs may be nested {MAX_NESTING} levels deep"))
        scope = AttemptScope(context, self, attempt, settings)
        payload = resolve_task("run_job_task", self.task.payload_json(), scope)
        child = JobRegistry(settings).by_job_id(self.definition, payload["job_id"])
        if child is None:
            raise MedallionError(
                f"task {self.task.task_key}: no job {payload['job_id']!r} is known here",
                hint="put its definition below the jobs folder",
            )
        parameters = pushed_down("run_job_task", payload.get("job_parameters") or {}, scope.parameters)
        self.end_earlier(attempt, settings)
        run_id = f"run_job__{attempt.task_run_id}"
        show(f"Starting job {child}, run {run_id}")
        context["ti"].xcom_push(key="run_id", value={"dag_id": child, "run_id": run_id})
        keep_links(settings, attempt, child, run_id, self.place)
        start_child(
            child,
            run_id,
            {
                **{name: pack_odd(value) for name, value in payload.items() if name in BY_TYPE and value},
                JOB_PARAMETERS: packed(parameters),
                "trigger_type": "run_job_task",
                "run_job_depth": depth,
                **{name: attempt.conf[name] for name in HANDED_DOWN if name in attempt.conf},
                "parent_run_id": attempt.run_id,
            },
        )
        return child, run_id

    def pre_execute(self, context: Context) -> None:
        """Called by Airflow before each part of the attempt. When a for-each task's time is over its children end too."""
        try:
            super().pre_execute(context)
        except AttemptTimedOut:
            self.end_child(context)
            raise

    def child_ended(self, context: Context, event: Mapping[str, str]) -> None:
        """The wait is over: Airflow calls this name when the task goes on.

        :param event: of the trigger.
        :raises AttemptFailed: the child failed.
        :raises AttemptTimedOut: the child took too long.
        :raises AttemptRefused: a person cancelled it.
        """
        from medallion.project.projects import settings_of_dag

        child, run_id = event["dag_id"], event["run_id"]
        with recorded(lambda: self.attempt(context)):
            if event["state"] == TIMED_OUT:
                self.end_active([(child, run_id)], settings_of_dag(self.dag_id))
                self.time_out(context)
            if event["state"] == "failed":
                self.leave_when_canceled(context, child, run_id)
                raise AttemptFailed(f"the run {run_id} of {child} failed{why_skipped(self.dag_id, child, run_id)}")

    def end_child(self, context: Context) -> None:
        """Have the child's run cancelled, if this attempt has started one."""
        from medallion.project.projects import settings_of_dag

        settings = settings_of_dag(self.dag_id)
        self.ask_for_end(children_below(self.attempt(context).folder(settings)), settings)

    def end_earlier(self, attempt: Attempt, settings: Settings) -> None:
        """Have the child of an earlier attempt cancelled that still goes: a person cleared the task meanwhile."""
        if attempt.try_number > 1:
            self.end_active(children_below(attempt.folder(settings).parent), settings)

    def end_active(self, children: Iterable[tuple[str, str]], settings: Settings) -> None:
        """Have those of the children cancelled that still go."""
        self.ask_for_end([run for run in children if child_state(*run) not in ENDED], settings)

    @property
    def requester(self) -> str:
        """Who asks for a child's end, in the words of the child's record."""
        return f"task {self.task.task_key}"

    def ask_for_end(self, children: Iterable[tuple[str, str]], settings: Settings) -> None:
        """Leave requests for those who may cancel."""
        for child, run_id in children:
            show(f"Cancelling run {run_id} of job {child}")
            leave_request(settings.home, child, run_id, CancelRequest(self.requester))

    def time_out(self, context: Context) -> NoReturn:
        """Leave a record and end the attempt as timed out."""
        from medallion.factory.loop_limit import end

        end(self, context, self.late)

    def leave_when_canceled(self, context: Context, child: str, run_id: str) -> None:
        """A child that a person cancelled makes this task CANCELED; it is not tried again."""
        from medallion.project.projects import settings_of_dag
        from medallion.runtime.protocol import Failure, TaskResult

        settings = settings_of_dag(self.dag_id)
        if read_notes(settings.home, child, run_id).get("canceled"):
            text = f"the run {run_id} of {child} was cancelled"
            self.attempt(context).keep(settings, TaskResult(success=False, failure=Failure(CANCELED, text)))
            raise AttemptRefused(RunError(text))


def why_skipped(dag_id: str, child: str, run_id: str) -> str:
    """Why the child of a job never ran, as the end of a sentence; empty when it ran."""
    from medallion.project.projects import settings_of_dag
    from medallion.runs.skipping import termination_of

    found = termination_of(read_notes(settings_of_dag(dag_id).home, child, run_id))
    return f": {found.message}" if found else ""

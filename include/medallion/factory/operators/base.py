"""What all operators of a job's tasks share. Built at parse time, executed in the Airflow task process."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException, AirflowTaskTimeout

from medallion.core.stored import unpack
from medallion.core.text import storable
from medallion.factory.attempt import Attempt
from medallion.factory.log import show
from medallion.factory.loop_limit import hold
from medallion.factory.naming import job_name
from medallion.factory.record import recorded
from medallion.factory.retry import AttemptFailed
from medallion.spec.disabled import disabled_in_run
from medallion.spec.iterations import iteration_keys
from medallion.spec.only import parents_of, reach, selected
from medallion.spec.run_if import Outcome, Verdict, judge

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context

    from medallion.settings import Settings
    from medallion.spec.definition import JobDefinition
    from medallion.spec.job import Task

LABEL = 60
"""Characters of an iteration's label in the UI."""

OUTCOMES = {
    "success": Outcome.SUCCESS,
    "failed": Outcome.FAILED,
    "skipped": Outcome.EXCLUDED,
    "upstream_failed": Outcome.UPSTREAM_FAILED,
}
"""Airflow's states of a parent that has ended, as the Jobs API's."""


class LakeflowOperator(BaseOperator):
    """One task of a job.

    :param definition: the job, with its origin.
    :param task: the task's settings.
    :param judged: whether the task looks at its parents itself, because no trigger rule states its `run_if`.
    :param within: key of the for-each task whose iteration this is.
    :param iteration: `{"input": …}` in an iteration.

    There are no template fields: Jinja would try references such as `{{job.id}}`, and Airflow would store what it made of
    them, in a request for each task.
    """

    def __init__(
        self,
        *,
        definition: JobDefinition,
        task: Task,
        judged: bool = False,
        within: str | None = None,
        iteration: Mapping[str, Any] | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        self.definition = definition
        self.task = task
        self.judged = judged
        self.within = within
        self.iteration = iteration
        self.late = f"task {task.task_key} ran longer than {task.timeout_seconds} s and was ended"

    def pre_execute(self, context: Context) -> None:
        """Called by Airflow before it sets the time-out of the attempt: an iteration's for-each task has one as well."""
        if self.within:
            with recorded(lambda: self.attempt(context)):
                hold(self, context)

    def attempt(self, context: Context) -> Attempt:
        """This attempt's ids and places."""
        return Attempt.of(
            context,
            task_key=self.task.task_key,
            job_name=job_name(self.definition.job.name),
            job_id=self.definition.job_id,
            record=iteration_keys(self.definition.job)[self.within] if self.within else "",
        )

    def leave_when_unmet(self, context: Context) -> None:
        """Skip this task when its `run_if` says so. Only for rules whose unmet verdict is EXCLUDED."""
        if self.judged and verdict(self.definition, self.task, context) is not Verdict.RUN:
            raise AirflowSkipException(f"run_if {self.task.run_if}: not met, so the task is EXCLUDED")

    def execute(self, context: Context) -> Any:
        """Judge the parents, then do the work. What is wrong is said in words, without a traceback of ours."""
        from medallion.project.projects import settings_of_dag

        with recorded(lambda: self.attempt(context)):
            attempt = self.attempt(context)
            if not self.is_asked_for(attempt):
                show(f"Task {self.task.task_key} is not among the tasks of this partial run")
                return self.left_out()
            self.leave_when_unmet(context)
            return self.work(context, attempt, settings_of_dag(self.dag_id))

    def on_kill(self) -> None:
        """Airflow ends this task: a person cancelled it, or the worker goes down. Leave from where it stands.

        Airflow calls this from its handler of SIGTERM, and at a time-out too, whose own exception goes on.
        """
        if not isinstance(sys.exc_info()[1], AirflowTaskTimeout):
            raise AttemptFailed(f"task {self.task.task_key} was ended from outside")

    @property
    def iteration_label(self) -> str:
        """The label of an iteration, which Airflow shows from its start on; see `map_index_template`."""
        return "" if self.iteration is None else label_of(unpack(self.iteration["input"]))

    def left_out(self) -> Any:
        """The return value in a partial run without this task."""
        return None

    def is_asked_for(self, attempt: Attempt) -> bool:
        """Whether the run's `only` list has this task. A task that is left out counts as done for its children."""
        only = attempt.conf.get("only")
        if not isinstance(only, list) or not only:
            return True
        return self.place in selected(parents_of(self.definition.job), only)

    def ancestors(self) -> set[str]:
        """Keys of all tasks upstream of this one, whose values it may ask for."""
        return reach(parents_of(self.definition.job), self.place)

    @property
    def place(self) -> str:
        """The key in the job's graph: an iteration stands where its for-each task does."""
        return self.within or self.task.task_key

    def work(self, context: Context, attempt: Attempt, settings: Settings) -> Any:
        """What the task does; gives its return value."""
        raise TypeError(f"{type(self).__name__} has no work")


def label_of(element: Any) -> str:
    """A short text for an iteration: text as it is, else JSON."""
    text = storable(element if isinstance(element, str) else json.dumps(element, ensure_ascii=False))
    return text if len(text) <= LABEL else text[: LABEL - 1] + "…"


def states_of(context: Context, task_ids: list[str]) -> Mapping[str, Any]:
    """Airflow's states of tasks of this run, by task id."""
    instance = context["ti"]
    found: Mapping[str, Mapping[str, Any]] = instance.get_task_states(
        dag_id=instance.dag_id, run_ids=[instance.run_id], task_ids=task_ids
    )
    return found.get(instance.run_id, {})


def verdict(definition: JobDefinition, task: Task, context: Context) -> Verdict:
    """The verdict of the task's `run_if` over its parents' states in this run.

    In a partial run only the parents that are part of it count. An outcome that its condition did not give excludes the
    task, whatever the rule and the other parents; so does a condition that was excluded itself.
    """
    chosen = selected(parents_of(definition.job), dict(context["dag_run"].conf or {}).get("only") or ())
    edges = [edge for edge in task.depends_on or () if edge.task_key in chosen]
    parents = list(dict.fromkeys(edge.task_key for edge in edges))
    if not parents:
        return Verdict.RUN
    states = states_of(context, parents)
    disabled = disabled_in_run(definition.job, dict(context["dag_run"].conf or {}))
    outcomes = {key: outcome(key, states, disabled) for key in parents}
    for key in parents:
        wanted = {str(edge.outcome) for edge in edges if edge.task_key == key and edge.outcome is not None}
        if wanted and not is_taken(key, outcomes[key], wanted, context):
            return Verdict.EXCLUDED
    return judge(rule_of(task), outcomes.values())


def rule_of(task: Task) -> str:
    """The task's `run_if`, the default where it has none."""
    return str(task.run_if or "ALL_SUCCESS")


def is_taken(key: str, ended: Outcome, wanted: set[str], context: Context) -> bool:
    """Whether a condition task gave one of the outcomes. One that failed or is disabled gave none; then `run_if` decides."""
    if ended is Outcome.SUCCESS:
        return unpack(context["ti"].xcom_pull(task_ids=key, key="outcome", map_indexes=-1)) in wanted
    return ended is not Outcome.EXCLUDED


def outcome(task_key: str, states: Mapping[str, Any], disabled: frozenset[str]) -> Outcome:
    """How a parent ended, from Airflow's states by task id."""
    if task_key in disabled:
        return Outcome.DISABLED
    return OUTCOMES.get(str(states.get(task_key)), Outcome.FAILED)

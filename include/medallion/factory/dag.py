"""One job definition to one Airflow DAG. Runs at parse time."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Param

from medallion.errors import SpecError
from medallion.factory import naming
from medallion.factory.graph import wire
from medallion.runs.rules import run_limit
from medallion.spec.enums import RunIf
from medallion.spec.problems import Problem, Severity, did_you_mean
from medallion.triggers.schedule import schedule_of

if TYPE_CHECKING:
    from medallion.spec.definition import JobDefinition
    from medallion.spec.job import Job

MAX_ACTIVE_TASKS = 1000
"""Tasks of one job that may run at once: the Jobs API knows no limit but the number of tasks; the machine's is
Airflow's `parallelism`."""


def build_dag(definition: JobDefinition) -> DAG:
    """The DAG of a job: same name, description, tags, tasks, edges, rules, retries, time-outs and parameters."""
    job = definition.job
    name = naming.job_name(job.name)
    refuse_unknown_rules(definition)
    dag = DAG(
        naming.dag_id(name),
        dag_display_name=name,
        description=job.description,
        schedule=schedule_of(job, naming.dag_id(name)),
        params=params(job),
        tags=naming.tags(job.tags or {}),
        catchup=False,
        max_active_runs=run_limit(job),
        max_active_tasks=MAX_ACTIVE_TASKS,
        dagrun_timeout=timedelta(seconds=job.timeout_seconds) if job.timeout_seconds else None,
        is_paused_upon_creation=False,
        doc_md=document(definition),
    )
    with dag:
        wire(definition)
    return dag


def refuse_unknown_rules(definition: JobDefinition) -> None:
    """A misspelt `run_if` is a warning in a bundle, as for the Databricks CLI; the Jobs API refuses it, and so does a run.

    :raises SpecError: with every task of the kind.
    """
    problems = [
        Problem(
            Severity.ERROR,
            f"task {task.task_key}: invalid run_if {task.run_if.value!r}",
            file=definition.file,
            hint=did_you_mean(task.run_if.value, RunIf) or f"it is one of {', '.join(RunIf)}",
        )
        for task in definition.job.tasks or ()
        if task.run_if is not None and not task.run_if.is_known
    ]
    if problems:
        raise SpecError(problems)


def digest_of(job: Job) -> str:
    """A digest of the whole job."""
    text = json.dumps(job.to_json(), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def params(job: Job) -> dict[str, Param]:
    """Job parameters as the trigger form's fields. All values are text (Databricks page "Parameterize jobs")."""
    return {
        item.name: Param(item.default, type="string", title=item.name, description="Job parameter")
        for item in job.parameters or ()
    }


def document(definition: JobDefinition) -> str:
    """The page's text in the Airflow UI: where the job comes from.

    The digest in it makes a new DAG version of any change of the job: Airflow compares what it serialises, and tasks are
    serialised without their settings.
    """
    facts: dict[str, Any] = {"Defined in": f"`{definition.file.name}`", "Digest": f"`{digest_of(definition.job)}`"}
    if definition.job.description:
        facts = {"Description": definition.job.description, **facts}
    return "\n\n".join(f"**{name}**: {value}" for name, value in facts.items())

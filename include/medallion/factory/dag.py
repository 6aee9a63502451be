"""One job definition to one Airflow DAG. Runs at parse time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Param

from medallion.core.text import storable
from medallion.errors import SpecError
from medallion.factory import naming
from medallion.factory.graph import wire
from medallion.runs.rules import run_limit
from medallion.spec.enums import RunIf
from medallion.spec.problems import Problem, Severity, did_you_mean
from medallion.triggers.schedule import schedule_of

if TYPE_CHECKING:
    from medallion.project.versions import JobVersion
    from medallion.spec.definition import JobDefinition
    from medallion.spec.job import Job

GONE = "**The definition of this job is gone or wrong.** Runs that began before go on with the job as it was."
MAX_ACTIVE_TASKS = 1000
"""Tasks of one job that may run at once: the Jobs API knows no limit but the number of tasks; the machine's is
Airflow's `parallelism`."""


def build_dag(version: JobVersion, *, over: bool = False) -> DAG:
    """The DAG of a job: same name, description, tags, tasks, edges, rules, retries, time-outs and parameters.

    The parameters come last: each task would have a copy of those that the DAG has when it is made, and tasks of ours ask
    for the job's. They are text by their type, so Airflow need not try each against its schema.

    :param over: no definition gives this job any more: what runs goes on, and nothing starts by itself.
    """
    definition, dag_id = version.definition, version.dag_id
    job = definition.job
    name = naming.job_name(job.name)
    refuse_unknown_rules(definition)
    dag = DAG(
        dag_id,
        dag_display_name=name,
        description=job.description,
        schedule=None if over else schedule_of(job, dag_id),
        tags=naming.tags(job.tags or {}),
        catchup=False,
        max_active_runs=run_limit(job),
        max_active_tasks=MAX_ACTIVE_TASKS,
        dagrun_timeout=timedelta(seconds=job.timeout_seconds) if job.timeout_seconds else None,
        is_paused_upon_creation=False,
        doc_md=document(version, over=over),
    )
    with dag:
        wire(definition)
    dag.params.update(params(job))
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


def params(job: Job) -> dict[str, Param]:
    """Job parameters as the trigger form's fields. All values are text (Databricks page "Parameterize jobs")."""
    return {
        item.name: Param(item.default, type="string", title=item.name, description="Job parameter")
        for item in job.parameters or ()
    }


def as_code(name: str) -> str:
    """A file's name as it may stand between the marks of Markdown's code: in one line, without such a mark."""
    return storable("".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in name)).replace(
        "`", "'"
    )


def document(version: JobVersion, *, over: bool = False) -> str:
    """The page's text in the Airflow UI: where the job comes from.

    The version in it makes a new DAG version of any change of the job: Airflow compares what it serialises, and tasks are
    serialised without their settings. It also tells which version of the job a run of this DAG has (`runs.job_versions`).
    """
    definition = version.definition
    facts: dict[str, Any] = {
        "Defined in": f"`{as_code(definition.file.name)}`",
        "Version": f"`{version.name}`",
    }
    if definition.job.description:
        facts = {"Description": definition.job.description, **facts}
    text = "\n\n".join(f"**{name}**: {value}" for name, value in facts.items())
    return f"{GONE}\n\n{text}" if over else text

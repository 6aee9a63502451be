"""Jobs that start each other by run-job tasks. Runs at `medallion check`; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from medallion.project.naming import job_name
from medallion.project.registry import names_job
from medallion.spec.problems import Problem, Severity

if TYPE_CHECKING:
    from medallion.spec.definition import JobDefinition
    from medallion.spec.job import Job


def called(job: Job) -> Iterator[object]:
    """The `job_id` of each run-job task, those inside for-each tasks too."""
    for task in job.tasks or ():
        # Not by the task's kind: a task that has none is an error of its own and must not hide the circle.
        inner = task.for_each_task.task if task.for_each_task is not None else task
        if inner.run_job_task is not None:
            yield inner.run_job_task.job_id


def circles(definitions: Mapping[str, JobDefinition]) -> list[Problem]:
    """An error for each circle of jobs that start each other (Databricks page "Run Job task": no circular references).

    :param definitions: by DAG id. A job that is not among the definitions is no problem here: it may be known elsewhere.
    """
    known = definitions
    calls = {
        place: [
            other
            for job_id in called(caller.job)
            for other, definition in known.items()
            if names_job(job_id, caller, other, definition)
        ]
        for place, caller in known.items()
    }
    order = list(known)
    problems: list[Problem] = []
    while True:
        try:
            TopologicalSorter(calls).prepare()
        except CycleError as error:
            # graphlib tells the circle from the called to the caller.
            circle = list(reversed(error.args[1]))[:-1]
        else:
            return problems
        start = circle.index(min(circle, key=order.index))
        circle = circle[start:] + circle[:start]
        names = [job_name(known[place].job.name) for place in (*circle, circle[0])]
        problems.append(
            Problem(
                Severity.ERROR,
                f"jobs start each other in a circle: {' → '.join(names)}",
                file=known[circle[0]].file,
                hint="Databricks refuses a run_job_task that leads back to its own job",
            )
        )
        calls = {place: [] if place in circle else others for place, others in calls.items()}

"""Names on the Airflow side: DAG ids, tags and the ids of tasks that are ours. Runs at parse time; pure."""

from __future__ import annotations

from collections.abc import Mapping

from medallion.project.naming import MAX_DAG_ID, dag_id, job_name

__all__ = ["MAX_DAG_ID", "dag_id", "job_name"]


def tags(job_tags: Mapping[str, str]) -> list[str]:
    """A job's tags as Airflow's: `key:value`, or `key` alone where the value is empty. At most 100 characters each."""
    return sorted((f"{key}:{value}" if value else key)[:100] for key, value in job_tags.items())


def cluster_start(job_cluster_key: str) -> str:
    """Task id of the setup task that takes a job cluster's lease."""
    return f"{job_cluster_key}.start"


def cluster_stop(job_cluster_key: str) -> str:
    """Task id of the teardown task that gives a job cluster's lease back."""
    return f"{job_cluster_key}.stop"


def run_if_gate(task_key: str) -> str:
    """Task id of the task that judges a `run_if` which no trigger rule of Airflow can state."""
    return f"{task_key}.run_if"


def for_each_inputs(task_key: str) -> str:
    """Task id of the task that works out the inputs of a for-each task."""
    return f"{task_key}.inputs"


def for_each_iterations(task_key: str) -> str:
    """Task id of the mapped task that holds the iterations of a for-each task."""
    return f"{task_key}.iteration"


def for_each_result(task_key: str) -> str:
    """Task id of the task that looks at how the iterations of a for-each task ended."""
    return f"{task_key}.result"


def is_internal(task_id: str) -> bool:
    """Whether a task is ours and no task of the job. A `task_key` holds no dot (`[\\w-]+`), so a dot tells."""
    return "." in task_id

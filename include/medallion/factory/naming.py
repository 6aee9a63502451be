"""Names on the Airflow side: DAG ids, tags and the ids of tasks that are ours. Runs at parse time; pure."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping

MAX_DAG_ID = 250
_VALID = re.compile(r"[A-Za-z0-9_.-]+")
_INVALID_RUN = re.compile(r"[^A-Za-z0-9_.-]+")


def job_name(name: str | None) -> str:
    """A job's name; the Jobs API calls one without a name "Untitled"."""
    return name or "Untitled"


def dag_id(job_name: str) -> str:
    """The DAG id of a job: its name, or a stable slug of it where Airflow cannot hold the name.

    Airflow takes letters, digits, `_`, `-` and `.`, at most 250. Two names with one slug are found when jobs are
    collected and refused there, so the slug needs no random part.
    """
    if len(job_name) <= MAX_DAG_ID and _VALID.fullmatch(job_name):
        return job_name
    plain = unicodedata.normalize("NFKD", job_name).encode("ascii", "ignore").decode()
    slug = _INVALID_RUN.sub("_", plain).strip("_.-")
    if not slug or len(slug) > MAX_DAG_ID:
        digest = hashlib.sha256(job_name.encode()).hexdigest()[:8]
        slug = f"{slug[: MAX_DAG_ID - 9]}_{digest}" if slug else f"job_{digest}"
    return slug


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

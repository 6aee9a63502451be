"""A chain of 8 plain Airflow Python tasks. A DAG file of a rival."""

from __future__ import annotations

from airflow.sdk import DAG, chain, task

with DAG("plain_chain", schedule=None, catchup=False):

    @task
    def nothing() -> None:
        """Do nothing."""

    chain(*(nothing.override(task_id=f"t{number}")() for number in range(8)))

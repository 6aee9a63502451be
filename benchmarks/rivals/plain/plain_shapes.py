"""Loops, chains and fans of plain Airflow Python tasks. DAG files of a rival."""

from __future__ import annotations

from airflow.sdk import DAG, chain, task

ITERATIONS = 200
CONCURRENCY = 10
TASKS = 100


@task
def nothing() -> None:
    """Do nothing."""


with DAG("plain_loop", schedule=None, catchup=False):

    @task
    def inputs() -> list[int]:
        """What is looped over."""
        return list(range(ITERATIONS))

    @task(max_active_tis_per_dagrun=CONCURRENCY)
    def iteration(number: int) -> None:
        """Do nothing for one input."""

    iteration.expand(number=inputs())

with DAG("plain_chain_100", schedule=None, catchup=False, max_active_tasks=1000):
    chain(*(nothing.override(task_id=f"t{number}")() for number in range(TASKS)))

with DAG("plain_fan_100", schedule=None, catchup=False, max_active_tasks=1000):
    first, *middle, last = [nothing.override(task_id=f"t{number}")() for number in range(TASKS)]
    first >> middle >> last

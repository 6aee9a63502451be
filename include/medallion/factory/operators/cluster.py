"""A job cluster: taken before the tasks that use it, given back after them. Executed in the Airflow task process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from medallion.factory.answers import AirflowAnswers
from medallion.factory.attempt import Attempt, lease_holder
from medallion.factory.log import show
from medallion.factory.record import recorded
from medallion.factory.retry import AttemptFailed

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context

    from medallion.spec.clusters import ClusterSpec
    from medallion.spec.definition import JobDefinition


class StartCluster(BaseOperator):
    """Takes a lease on a driver with the job cluster's Spark settings; starts one where none is free.

    Databricks makes a new cluster for each run. Here runs with equal settings share a driver, and each task has a
    session of its own in it.
    """

    ui_color = "#e8f0fe"

    def __init__(
        self, *, definition: JobDefinition, job_cluster_key: str, cluster: ClusterSpec, **arguments: Any
    ) -> None:
        super().__init__(**arguments)
        self.definition = definition
        self.job_cluster_key = job_cluster_key
        self.cluster = cluster

    def execute(self, context: Context) -> None:
        """Take the lease."""
        from medallion.compute.pool import DriverPool
        from medallion.compute.targets import Wish, driver_for_cluster
        from medallion.project.projects import settings_of_dag

        instance = context["ti"]
        with recorded(lambda: Attempt.of(context, task_key=instance.task_id, job_name="", job_id=None)):
            settings = settings_of_dag(instance.dag_id)
            holder = lease_holder(instance.dag_id, instance.run_id, self.job_cluster_key)
            wish = Wish.of(self.definition, dict(context["dag_run"].conf or {}), dag_id=instance.dag_id)
            spec = driver_for_cluster(
                settings, self.cluster, wish=wish, secret=AirflowAnswers(instance, ancestors=()).secret
            )
            show(f"Job cluster {self.job_cluster_key}, target {spec.target}: {spec.in_words}")
            connection = DriverPool(settings).acquire(spec, holder, progress=show)
            show(f"Job cluster {self.job_cluster_key}: driver {connection.parent.name}")

    def on_kill(self) -> None:
        """Airflow ends this task: stop waiting for the driver, so that no lease is taken for a run that is over."""
        raise AttemptFailed("the start of the job cluster was ended from outside")


class StopCluster(BaseOperator):
    """Gives the lease back. The driver stays for the next run until its idle time is over."""

    ui_color = "#e8f0fe"

    def __init__(self, *, job_cluster_key: str, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.job_cluster_key = job_cluster_key

    def execute(self, context: Context) -> None:
        """Give the lease back. Giving back what is gone does nothing."""
        from medallion.compute.pool import DriverPool
        from medallion.project.projects import settings_of_dag

        instance = context["ti"]
        DriverPool(settings_of_dag(instance.dag_id)).release(
            lease_holder(instance.dag_id, instance.run_id, self.job_cluster_key)
        )

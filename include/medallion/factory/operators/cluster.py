"""A job cluster: taken before the tasks that use it, given back after them. Executed in the Airflow task process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from medallion.factory.attempt import lease_holder
from medallion.factory.retry import AttemptFailed

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context

    from medallion.spec.clusters import ClusterSpec


class StartCluster(BaseOperator):
    """Takes a lease on a driver with the job cluster's Spark settings; starts one where none is free.

    Databricks makes a new cluster for each run. Here runs with equal settings share a driver, and each task has a
    session of its own in it.
    """

    ui_color = "#e8f0fe"

    def __init__(self, *, job_cluster_key: str, cluster: ClusterSpec, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.job_cluster_key = job_cluster_key
        self.cluster = cluster

    def execute(self, context: Context) -> None:
        """Take the lease."""
        from medallion.compute.pool import DriverPool
        from medallion.compute.targets import driver_for_cluster
        from medallion.settings import Settings

        settings = Settings.load()
        instance = context["ti"]
        holder = lease_holder(instance.dag_id, instance.run_id, self.job_cluster_key)
        connection = DriverPool(settings).acquire(driver_for_cluster(settings, self.cluster), holder)
        self.log.info("Job cluster %s: driver %s", self.job_cluster_key, connection.parent.name)

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
        from medallion.settings import Settings

        instance = context["ti"]
        DriverPool(Settings.load()).release(lease_holder(instance.dag_id, instance.run_id, self.job_cluster_key))

"""Which driver a task gets: from settings, an existing cluster or a job cluster's definition. Runs on the worker."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from medallion.compute.driver import DriverSpec
from medallion.errors import TargetError
from medallion.settings import Settings, TargetSettings
from medallion.spec.problems import did_you_mean

if TYPE_CHECKING:
    from medallion.spec.clusters import ClusterSpec
    from medallion.spec.job import Job, Task

DEFAULT_TARGET = "default"
SECRET = re.compile(r"\{\{\s*secrets/([^/}\s]+)/([^/}\s]+)\s*\}\}")

Secrets = Callable[[str, str], str]


def target_named(settings: Settings, name: str) -> TargetSettings:
    """A target of the settings.

    :raises TargetError: there is none of that name.
    """
    if name in settings.targets:
        return settings.targets[name]
    near = did_you_mean(name, settings.targets)
    raise TargetError(
        f"there is no target {name!r} in settings",
        hint=near or f"add a table [targets.{name}] to medallion.toml; known: {', '.join(sorted(settings.targets))}",
    )


def target_of_cluster(settings: Settings, cluster_id: str) -> str:
    """Name of the target that stands for an `existing_cluster_id`.

    :raises TargetError: settings do not name the cluster; says what to add.
    """
    if cluster_id in settings.clusters:
        return settings.clusters[cluster_id]
    near = did_you_mean(cluster_id, settings.clusters)
    add = f'add to medallion.toml:  [clusters]  "{cluster_id}" = "{DEFAULT_TARGET}"'
    raise TargetError(
        f"no target is set for existing_cluster_id {cluster_id!r}", hint=f"{near} Or {add}" if near else add
    )


def target_of_warehouse(settings: Settings, warehouse_id: str) -> str:
    """Name of the target that stands for a `warehouse_id`; without a setting the default, as SQL runs on any driver."""
    return settings.warehouses.get(warehouse_id, DEFAULT_TARGET)


def driver_spec(
    settings: Settings,
    *,
    target: str = DEFAULT_TARGET,
    existing_cluster_id: str | None = None,
    new_cluster: Mapping[str, Any] | None = None,
    secret: Secrets | None = None,
) -> DriverSpec:
    """The driver of a task or job cluster.

    :param target: name of the target when the task names no cluster.
    :param new_cluster: a cluster's definition of the Jobs API; of it `spark_conf` and `spark_env_vars` count here, the
        machine's type and number are this machine's.
    :param secret: gives a secret's text for `{{secrets/scope/key}}` in the definition's values.
    :raises TargetError: target or cluster is unknown, the target is not local, or a secret is missing.
    """
    if existing_cluster_id is not None:
        target = target_of_cluster(settings, existing_cluster_id)
    chosen = target_named(settings, target)
    if chosen.kind != "local":
        raise TargetError(f"target {target!r} is of kind {chosen.kind!r}, which has no driver on this machine")
    cluster = new_cluster or {}
    return DriverSpec(
        master=chosen.master,
        memory=chosen.memory,
        spark_conf={**chosen.spark_conf, **texts(cluster.get("spark_conf"), secret)},
        environment=texts(cluster.get("spark_env_vars"), secret),
    )


def texts(values: Mapping[str, Any] | None, secret: Secrets | None) -> dict[str, str]:
    """Values as text, with secrets put in. Booleans are spelled as JSON spells them, since YAML may have made them."""
    found = {}
    for name, value in (values or {}).items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        found[name] = with_secrets(name, text, secret)
    return found


def with_secrets(name: str, text: str, secret: Secrets | None) -> str:
    """`text` with each `{{secrets/scope/key}}` replaced."""

    def answer(match: re.Match[str]) -> str:
        scope, key = match[1], match[2]
        try:
            if secret is None:
                raise KeyError(key)
            return secret(scope, key)
        except KeyError:
            raise TargetError(f"{name} names the secret {scope}/{key}, which does not exist") from None

    return SECRET.sub(answer, text)


def driver_for_cluster(settings: Settings, cluster: ClusterSpec, *, secret: Secrets | None = None) -> DriverSpec:
    """The driver that stands for a job cluster's definition. Raises as `driver_spec` does."""
    return driver_spec(settings, new_cluster=definition_of(cluster), secret=secret)


def driver_for_task(
    settings: Settings,
    task: Task,
    job: Job,
    *,
    secret: Secrets | None = None,
    spark_conf: Mapping[str, str] | None = None,
) -> DriverSpec:
    """The driver of a task: its existing cluster, its own or the job's cluster definition, else the default target.

    :param spark_conf: settings that the task itself brings, such as its JARs; with them it gets a driver of its own.

    Raises as `driver_spec` does.
    """
    cluster = task.new_cluster
    if task.job_cluster_key is not None:
        shared = {item.job_cluster_key: item.new_cluster for item in job.job_clusters or ()}
        if task.job_cluster_key not in shared:
            near = did_you_mean(task.job_cluster_key, shared)
            raise TargetError(f"task {task.task_key!r}: the job has no cluster {task.job_cluster_key!r}", hint=near)
        cluster = shared[task.job_cluster_key]
    found = driver_spec(
        settings,
        target=target_of_sql(settings, task),
        existing_cluster_id=task.existing_cluster_id,
        new_cluster=definition_of(cluster),
        secret=secret,
    )
    return replace(found, spark_conf=joined(found.spark_conf, spark_conf)) if spark_conf else found


def joined(conf: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """Spark settings with those of a task; lists of JARs and coordinates are put together."""
    lists = {name: f"{conf[name]},{more[name]}" for name in more if name in conf and name.startswith("spark.jars")}
    lists.pop("spark.jars.ivy", None)
    return {**conf, **more, **lists}


def target_of_sql(settings: Settings, task: Task) -> str:
    """The target of a task's warehouse, when it has one, else the default."""
    holders = (task.sql_task, task.notebook_task, task.dbt_task, task.alert_task)
    warehouse = next((holder.warehouse_id for holder in holders if holder is not None), None)
    return target_of_warehouse(settings, warehouse) if warehouse else DEFAULT_TARGET


def definition_of(cluster: ClusterSpec | None) -> dict[str, Any] | None:
    """What of a cluster's definition counts for a local driver."""
    if cluster is None:
        return None
    return {"spark_conf": cluster.spark_conf, "spark_env_vars": cluster.spark_env_vars}

"""Which driver a task gets: by the run, settings, an existing cluster or a cluster's definition. Runs on the worker."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from medallion.compute.cluster_size import size_conf
from medallion.compute.driver import DriverSpec
from medallion.compute.master import is_local, own_address
from medallion.errors import TargetError
from medallion.settings import Settings, TargetSettings
from medallion.spec.problems import did_you_mean

if TYPE_CHECKING:
    from medallion.spec.clusters import ClusterSpec
    from medallion.spec.definition import JobDefinition
    from medallion.spec.job import Job, Task

DEFAULT_TARGET = "default"
COMPUTE = "compute"
"""Key of a run's conf: the target of all its tasks."""
KINDS_OF_MACHINE = ("policy_id", "instance_pool_id", "node_type_id")
"""Keys of a cluster's definition that `[node_types]` knows; the first that it names counts."""
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


def target_of_definition(settings: Settings, cluster: Mapping[str, Any]) -> str:
    """Name of the target that `[node_types]` gives a cluster's definition: by its policy, its pool, its node type.

    A definition that settings do not name runs on the default target, as a machine's type says little about work.
    """
    stated = (str(cluster[kind]) for kind in KINDS_OF_MACHINE if cluster.get(kind))
    return next((settings.node_types[name] for name in stated if name in settings.node_types), DEFAULT_TARGET)


def target_of_job(settings: Settings, names: Iterable[str], tasks: Iterable[str]) -> str | None:
    """Name of the target that `[jobs."NAME"]` gives a task, or all tasks of the job; None where settings say nothing.

    :param names: what the job goes by: its name, its key in a bundle, its DAG id.
    :param tasks: what the task goes by: its key, and that of the for-each task around it.
    """
    said = next((settings.jobs[name] for name in names if name in settings.jobs), None)
    if said is None:
        return None
    return next((said.tasks[key] for key in tasks if key in said.tasks), said.target)


@dataclass(frozen=True, slots=True)
class Wish:
    """What besides the cluster chooses a target. The first that is there counts.

    :param run: target that the run was started with (`--compute`).
    :param job: what the job goes by in `[jobs]`.
    :param tasks: what the task goes by there; empty for a job cluster.
    """

    run: str | None = None
    job: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()

    @classmethod
    def of(cls, definition: JobDefinition, conf: Mapping[str, Any], *tasks: str, dag_id: str = "") -> Wish:
        """For a task of a job, or for a job cluster, in a run with this conf."""
        names = (str(definition.job.name or ""), definition.key, dag_id)
        stated = conf.get(COMPUTE)
        return cls(str(stated) if stated else None, tuple(filter(None, names)), tasks)

    def target(self, settings: Settings) -> str | None:
        """The target's name, or None: then the cluster says it."""
        return self.run or target_of_job(settings, self.job, self.tasks)


def driver_spec(
    settings: Settings,
    *,
    target: str | None = None,
    wish: Wish | None = None,
    existing_cluster_id: str | None = None,
    new_cluster: Mapping[str, Any] | None = None,
    secret: Secrets | None = None,
) -> DriverSpec:
    """The driver of a task or job cluster.

    :param target: name of the target when neither `wish` nor the cluster says one.
    :param wish: what the run and the settings say of this job; it comes before what the job's cluster stands for.
    :param new_cluster: a cluster's definition of the Jobs API; see `definition_of`.
    :param secret: gives a secret's text for `{{secrets/scope/key}}` in the definition's values.
    :raises TargetError: target or cluster is unknown, or a secret is missing.
    """
    cluster = new_cluster or {}
    name = wish.target(settings) if wish else None
    if name is None and existing_cluster_id is not None:
        name = target_of_cluster(settings, existing_cluster_id)
    name = name or target or target_of_definition(settings, cluster)
    chosen = target_named(settings, name)
    return DriverSpec(
        master=chosen.master,
        memory=chosen.memory,
        spark_conf=texts(cluster.get("spark_conf"), secret),
        environment=texts(cluster.get("spark_env_vars"), secret),
        target=name,
        target_conf=conf_of_target(chosen, cluster),
    )


def conf_of_target(target: TargetSettings, cluster: Mapping[str, Any]) -> dict[str, str]:
    """The Spark settings of a target: addresses, executors for a cluster of this size, then what its table says.

    :raises TargetError: no address of this machine leads to its master.
    """
    conf = size_conf(target, cluster)
    if not is_local(target.master) or target.driver_host:
        host = target.driver_host or own_address(target.master)
        conf |= {"spark.driver.host": host, "spark.driver.bindAddress": target.driver_bind_address or host}
    ports = {"spark.driver.port": target.driver_port, "spark.blockManager.port": target.block_manager_port}
    conf |= {name: str(port) for name, port in ports.items() if port}
    if target.python:
        conf |= {"spark.pyspark.python": target.python, "spark.pyspark.driver.python": sys.executable}
    return {**conf, **target.spark_conf}


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


def driver_for_cluster(
    settings: Settings, cluster: ClusterSpec, *, wish: Wish | None = None, secret: Secrets | None = None
) -> DriverSpec:
    """The driver that stands for a job cluster's definition. Raises as `driver_spec` does."""
    return driver_spec(settings, wish=wish, new_cluster=definition_of(cluster), secret=secret)


def driver_for_task(
    settings: Settings,
    task: Task,
    job: Job,
    *,
    wish: Wish | None = None,
    secret: Secrets | None = None,
    spark_conf: Mapping[str, str] | None = None,
) -> DriverSpec:
    """The driver of a task: its existing cluster, its own or the job's cluster definition, else the default target.

    :param wish: what the run and the settings say of this job.
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
        wish=wish,
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


def target_of_sql(settings: Settings, task: Task) -> str | None:
    """The target of a task's warehouse, when it has one."""
    holders = (task.sql_task, task.notebook_task, task.dbt_task, task.alert_task)
    warehouse = next((holder.warehouse_id for holder in holders if holder is not None), None)
    return target_of_warehouse(settings, warehouse) if warehouse else None


def definition_of(cluster: ClusterSpec | None) -> dict[str, Any] | None:
    """What of a cluster's definition counts: settings and variables; on a cluster its kind and number of machines."""
    if cluster is None:
        return None
    scale = cluster.autoscale
    return {
        "spark_conf": cluster.spark_conf,
        "spark_env_vars": cluster.spark_env_vars,
        "num_workers": cluster.num_workers,
        "autoscale": {"min_workers": scale.min_workers, "max_workers": scale.max_workers} if scale else None,
        **{kind: getattr(cluster, kind) for kind in KINDS_OF_MACHINE},
    }

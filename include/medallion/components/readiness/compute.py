"""Clusters, warehouses and secrets of a task. In the user's shell."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from medallion.components.readiness.task import TaskHere, is_open
from medallion.spec.problems import did_you_mean

if TYPE_CHECKING:
    from medallion.settings import Settings
    from medallion.spec.clusters import ClusterSpec

SECRET = re.compile(r"\{\{\s*secrets/([^/}\s]+)/([^/}\s]+)\s*\}\}")


def check_cluster(here: TaskHere) -> None:
    """The driver that stands for the task's cluster or warehouse."""
    from medallion.compute.targets import Wish, driver_for_task

    task = here.task
    if task.existing_cluster_id is not None and is_open(task.existing_cluster_id):
        return
    names = ("existing_cluster_id", "job_cluster_key", "new_cluster")
    part: tuple[str, ...] = next(((name,) for name in names if getattr(task, name) is not None), ())
    warehouse = here.payload.get("warehouse_id")
    if not part and warehouse:
        part = (task.kind, "warehouse_id")
    with here.tell(*part):
        wish = Wish.of(here.definition, {}, task.task_key)
        driver_for_task(here.settings, task, here.definition.job, wish=wish, secret=lambda _scope, _key: "")


def check_warehouse(here: TaskHere) -> None:
    """A warehouse that no setting names: the default target stands in."""
    from medallion.compute.targets import DEFAULT_TARGET

    warehouse = here.payload.get("warehouse_id")
    if is_open(warehouse) or warehouse in here.settings.warehouses:
        return
    near = did_you_mean(str(warehouse), here.settings.warehouses)
    here.findings.note(
        here.in_task(here.task.kind, "warehouse_id"),
        f"no target is set for warehouse_id {warehouse!r}; the target {DEFAULT_TARGET!r} stands in",
        near or f'to choose another, add to medallion.toml:  [warehouses]  "{warehouse}" = "<a target>"',
    )


def check_secrets(here: TaskHere) -> None:
    """Secrets that the task's cluster names and that neither settings nor Airflow on this machine know."""
    for name, cluster in clusters_of(here):
        for field in ("spark_conf", "spark_env_vars"):
            for key, value in (getattr(cluster, field) or {}).items():
                for scope, secret in SECRET.findall(str(value)):
                    if not is_known(here.settings, scope, secret):
                        here.findings.warning(
                            here.in_task(name),
                            f"{key} names the secret {scope}/{secret}, which is not set on this machine",
                            f"set the Airflow variable {scope}__{secret}, or {secret} in the extra of the connection "
                            f"{scope}; if another secrets backend of Airflow has it, name {scope} in secret_scopes",
                        )


def clusters_of(here: TaskHere) -> Iterator[tuple[str, ClusterSpec]]:
    """The task's cluster definitions, by the field that names them."""
    if here.task.new_cluster is not None:
        yield "new_cluster", here.task.new_cluster
    for shared in here.definition.job.job_clusters or ():
        if shared.job_cluster_key == here.task.job_cluster_key and shared.new_cluster is not None:
            yield "job_cluster_key", shared.new_cluster


def is_known(settings: Settings, scope: str, key: str) -> bool:
    """Whether settings, the environment or Airflow's own database on this machine name a secret."""
    return (
        scope in settings.secret_scopes or in_environment(os.environ, scope, key) or in_database(settings, scope, key)
    )


def in_environment(environ: Mapping[str, str], scope: str, key: str) -> bool:
    """Whether a variable gives it as an Airflow variable, or gives the connection of its scope."""
    names = {f"AIRFLOW_CONN_{scope}".upper(), f"AIRFLOW_VAR_{scope}__{key}".upper()}
    return not names.isdisjoint(environ)


def in_database(settings: Settings, scope: str, key: str) -> bool:
    """Whether Airflow's database below the home folder has it; a database elsewhere is not asked."""
    from medallion.components.places import places_of

    file = places_of(settings).database
    if not file.is_file():
        return False
    queries = (
        ("SELECT 1 FROM variable WHERE key IN (?, ?)", (f"{scope}__{key}", f"{scope}/{key}")),
        ("SELECT 1 FROM connection WHERE conn_id = ?", (scope,)),
    )
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=1)) as base:
        return any(base.execute(text, values).fetchone() for text, values in queries)
    return False

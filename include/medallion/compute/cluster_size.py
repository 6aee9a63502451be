"""How much of a cluster a driver takes: from a job's number of workers and the target's sizes. Runs on the worker; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medallion.compute.master import is_local, is_standalone

if TYPE_CHECKING:
    from medallion.settings import TargetSettings


@dataclass(frozen=True, slots=True)
class Workers:
    """Bounds of the number of workers."""

    least: int
    most: int


def workers_of(cluster: Mapping[str, Any], otherwise: int) -> Workers:
    """The workers that a cluster's definition states. A single-node cluster, which has none, gets one executor.

    :param otherwise: how many when it states none.
    """
    scale = cluster.get("autoscale") or {}
    if scale.get("max_workers") is not None:
        most = max(1, int(scale["max_workers"]))
        return Workers(min(most, max(1, int(scale.get("min_workers") or 1))), most)
    stated = cluster.get("num_workers")
    number = otherwise if stated is None else max(1, int(stated))
    return Workers(number, number)


def size_conf(target: TargetSettings, cluster: Mapping[str, Any]) -> dict[str, str]:
    """Spark settings that bound a driver's executors on the target; nothing for a driver without a cluster.

    Each worker that the job states is an executor of `executor_cores`. `cores_max` bounds their sum.
    """
    if is_local(target.master):
        return {}
    workers = workers_of(cluster, target.executors)
    cores = target.executor_cores if target.cores_max is None else min(target.executor_cores, target.cores_max)
    fit = workers.most if target.cores_max is None else max(1, target.cores_max // cores)
    most, least = min(workers.most, fit), min(workers.least, fit)
    conf = {
        "spark.executor.cores": str(cores),
        "spark.executor.memory": target.executor_memory,
        "spark.cores.max": str(most * cores),
    }
    if least < most:
        return conf | {
            "spark.dynamicAllocation.enabled": "true",
            "spark.dynamicAllocation.shuffleTracking.enabled": "true",
            "spark.dynamicAllocation.minExecutors": str(least),
            "spark.dynamicAllocation.initialExecutors": str(least),
            "spark.dynamicAllocation.maxExecutors": str(most),
        }
    return conf if is_standalone(target.master) else conf | {"spark.executor.instances": str(most)}

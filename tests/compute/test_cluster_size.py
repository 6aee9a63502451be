from __future__ import annotations

from typing import Any

import pytest

from medallion.compute.cluster_size import size_conf
from medallion.settings import TargetSettings

MASTER = "spark://127.0.0.1:7077"


def sizes(cluster: dict[str, Any], master: str = MASTER, **target: Any) -> dict[str, str]:
    conf = size_conf(TargetSettings(master=master, **target), cluster)
    return {name.removeprefix("spark."): value for name, value in conf.items()}


@pytest.mark.parametrize(
    ("cluster", "target", "most", "each"),
    [
        pytest.param({}, {}, "2", "1", id="nothing stated: the target's executors"),
        pytest.param({}, {"executors": 5}, "5", "1", id="nothing stated: as many as the target says"),
        pytest.param({"num_workers": 4}, {"executor_cores": 2}, "8", "2", id="workers of several cores"),
        pytest.param({"num_workers": 0}, {}, "1", "1", id="a single node has an executor"),
        pytest.param({"num_workers": 40}, {"cores_max": 6}, "6", "1", id="never more than the bound"),
        pytest.param({"num_workers": 4}, {"executor_cores": 4, "cores_max": 6}, "4", "4", id="whole executors"),
        pytest.param({}, {"executor_cores": 4, "cores_max": 2}, "2", "2", id="an executor within the bound"),
        pytest.param({"autoscale": {"min_workers": 3, "max_workers": 3}}, {}, "3", "1", id="a range of one"),
    ],
)
def test_cores_of_a_driver(cluster: dict[str, Any], target: dict[str, Any], most: str, each: str) -> None:
    conf = sizes(cluster, **target)
    assert (conf["cores.max"], conf["executor.cores"]) == (most, each)
    assert "dynamicAllocation.enabled" not in conf


def test_autoscale_becomes_dynamic_allocation_within_the_bound() -> None:
    conf = sizes({"autoscale": {"min_workers": 2, "max_workers": 8}}, executor_cores=2, cores_max=10)
    bounds = {name: conf[f"dynamicAllocation.{name}Executors"] for name in ("min", "initial", "max")}
    assert bounds == {"min": "2", "initial": "2", "max": "5"}
    assert (conf["cores.max"], conf["dynamicAllocation.enabled"]) == ("10", "true")


def test_yarn_and_kubernetes_are_told_the_number_of_executors() -> None:
    assert sizes({"num_workers": 3}, "yarn")["executor.instances"] == "3"
    assert "executor.instances" not in sizes({"num_workers": 3})


def test_a_driver_without_a_cluster_has_no_sizes() -> None:
    assert sizes({"num_workers": 3}, "local[2]") == {}

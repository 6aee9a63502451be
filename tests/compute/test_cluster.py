"""Drivers on a real standalone cluster: what they say when the cluster lets them down."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from spark_cluster import Cluster

from medallion.compute.pool import DriverPool
from medallion.compute.target_check import check
from medallion.compute.targets import driver_spec
from medallion.errors import TargetError
from medallion.settings import Settings

pytestmark = [pytest.mark.spark, pytest.mark.timeout(900)]

WAITS = """
import sys, time
from pathlib import Path
from medallion.compute.session import attach, is_driver_lost
from medallion.runtime.failures import describe
from medallion.settings import Settings

spark = attach(Path(sys.argv[1]), tag="waits")
print("attached", flush=True)
try:
    spark.sparkContext.parallelize(range(2), 2).map(lambda _: time.sleep(120)).count()
except Exception as error:
    failure = describe(error, Settings.load(), cell=None, line=None, is_lost=is_driver_lost)
    print(failure.kind, failure.transient, failure.message.replace("\\n", " "), flush=True)
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        yield made.start(workers=1)
    finally:
        made.stop()


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Settings:
    targets = {
        "cluster": {"kind": "spark", "master": cluster.master, "executor_memory": "512m", "executors": 1},
        "giant": {"kind": "spark", "master": cluster.master, "executor_memory": "512g", "memory": "1g"},
    }
    environ = {"MEDALLION_TARGETS": json.dumps(targets), "MEDALLION_DRIVER_START_SECONDS": "240"}
    return Settings.load(tmp_path_factory.mktemp("project"), environ=environ)


@pytest.fixture(scope="module")
def pool(settings: Settings) -> Iterator[DriverPool]:
    pool = DriverPool(settings)
    yield pool
    pool.stop()


def test_a_target_is_tried_from_the_driver_to_the_python_of_its_executors(settings: Settings, pool: DriverPool) -> None:
    tried = check(settings, "cluster", print)
    assert tried.fault == ""
    assert [worker.rpartition(" ")[2] for worker in tried.workers] == [".".join(map(str, sys.version_info[:3]))]


def test_a_driver_that_the_master_ended_says_so_and_the_next_one_works(
    settings: Settings, pool: DriverPool, cluster: Cluster
) -> None:
    spec = driver_spec(settings, target="cluster")
    connection = pool.acquire(spec, "first")
    task = subprocess.Popen([sys.executable, "-c", WAITS, str(connection)], stdout=subprocess.PIPE, text=True)
    try:
        assert task.stdout is not None
        assert task.stdout.readline() == "attached\n"
        time.sleep(3)
        (application,) = cluster.applications()
        cluster.end_application(application["id"])
        told, _ = task.communicate(timeout=120)
    finally:
        task.kill()
    assert told.startswith("DriverLost True the Spark driver")
    assert "the cluster's master ended its application" in told
    again = pool.acquire(spec, "first")
    assert again != connection
    assert [item["state"] for item in cluster.applications()] == ["RUNNING"]
    pool.stop()


@pytest.mark.slow
def test_an_executor_larger_than_every_worker_is_said(settings: Settings, tmp_path: Path) -> None:
    short = settings.model_copy(update={"driver_start_seconds": 45, "home": tmp_path})
    with pytest.raises(TargetError, match=r"gave it no executor of 1 cores and 512g .* smaller than executor_cores"):
        DriverPool(short).acquire(driver_spec(short, target="giant"), "giant")


@pytest.mark.slow
def test_work_that_waits_for_a_worker_in_vain_ends_the_driver(
    settings: Settings, cluster: Cluster, tmp_path: Path
) -> None:
    short = settings.model_copy(update={"driver_start_seconds": 60, "home": tmp_path})
    pool = DriverPool(short)
    connection = pool.acquire(driver_spec(short, target="cluster"), "left")
    cluster.kill("worker0")
    try:
        task = subprocess.run(
            [sys.executable, "-c", WAITS, str(connection)], capture_output=True, text=True, timeout=480, check=False
        )
    finally:
        pool.stop()
        cluster.start_worker("worker1")
    assert "DriverLost True" in task.stdout
    assert "while work waited" in task.stdout

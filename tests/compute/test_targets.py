from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from medallion.compute.driver import spark_settings
from medallion.compute.targets import Wish, driver_for_cluster, driver_for_task, driver_spec
from medallion.errors import SettingsError, TargetError
from medallion.settings import Settings
from medallion.spec.job import Job

TOML = """
[clusters]
"0923-164208-abcd1234" = "big"
[warehouses]
"w1" = "big"
[targets.big]
memory = "4g"
spark_conf = { "spark.sql.shuffle.partitions" = "8", "spark.sql.ansi.enabled" = "false" }
[targets.farm]
kind = "spark"
master = "spark://127.0.0.1:7077"
spark_conf = { "spark.driver.extraClassPath" = "/opt/own.jar", "spark.sql.warehouse.dir" = "/no" }
[node_types]
"i3.xlarge" = "farm"
"pool-1" = "big"
"policy-1" = "default"
[jobs.nightly]
target = "farm"
tasks = { small = "default" }
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "medallion.toml").write_text(TOML)
    return Settings.load(tmp_path, environ={})


def test_a_known_cluster_id_gives_its_target(settings: Settings) -> None:
    assert driver_spec(settings, existing_cluster_id="0923-164208-abcd1234").memory == "4g"


def test_an_unknown_cluster_id_says_what_to_add(settings: Settings) -> None:
    with pytest.raises(TargetError) as raised:
        driver_spec(settings, existing_cluster_id="0923-164208-abcd1235")
    assert "did you mean 0923-164208-abcd1234?" in str(raised.value)
    assert '[clusters]  "0923-164208-abcd1235" = "default"' in str(raised.value)


def test_an_unknown_target_is_refused(settings: Settings) -> None:
    with pytest.raises(TargetError, match=r"did you mean big\?"):
        driver_spec(settings, target="bigg")


@pytest.mark.parametrize("line", ['kind = "databricks"', 'connection = "databricks_default"'])
def test_databricks_is_no_target_yet_and_that_is_said_when_settings_are_read(tmp_path: Path, line: str) -> None:
    (tmp_path / "medallion.toml").write_text(f"[targets.cloud]\n{line}\n")
    with pytest.raises(SettingsError, match=r"targets\.cloud: .*Databricks is no target yet: take kind"):
        Settings.load(tmp_path, environ={})


def test_a_cluster_definition_goes_over_the_targets_conf(settings: Settings) -> None:
    cluster = {"spark_conf": {"spark.sql.shuffle.partitions": 3, "spark.x": True}, "spark_env_vars": {"A": "1"}}
    spec = driver_spec(settings, target="big", new_cluster=cluster)
    assert spec.spark_conf == {"spark.sql.shuffle.partitions": "3", "spark.x": "true"}
    conf = spark_settings(spec, settings)
    assert (conf["spark.sql.shuffle.partitions"], conf["spark.sql.ansi.enabled"]) == ("3", "false")
    assert spec.environment == {"A": "1"}


def test_secrets_in_a_cluster_definition_are_resolved(settings: Settings) -> None:
    cluster = {"spark_env_vars": {"TOKEN": "x {{secrets/team/token}}"}}
    spec = driver_spec(settings, new_cluster=cluster, secret=lambda scope, key: f"<{scope}.{key}>")
    assert spec.environment == {"TOKEN": "x <team.token>"}
    with pytest.raises(TargetError, match="team/token"):
        driver_spec(settings, new_cluster=cluster)


def job(**task: Any) -> Job:
    cluster = {"spark_version": "16.2.x-scala2.12", "spark_conf": {"spark.a": "1"}}
    shared = [{"job_cluster_key": "main", "new_cluster": cluster}]
    return Job.model_validate({"name": "j", "tasks": [{"task_key": "t", **task}], "job_clusters": shared})


@pytest.mark.parametrize(
    ("task", "conf", "memory"),
    [
        pytest.param({}, {}, "2g", id="no cluster: the default driver"),
        pytest.param({"job_cluster_key": "main"}, {"spark.a": "1"}, "2g", id="the job's cluster"),
        pytest.param({"new_cluster": {"spark_conf": {"spark.b": "2"}}}, {"spark.b": "2"}, "2g", id="its own cluster"),
        pytest.param({"existing_cluster_id": "0923-164208-abcd1234"}, None, "4g", id="an existing cluster"),
        pytest.param({"notebook_task": {"notebook_path": "n", "warehouse_id": "w1"}}, None, "4g", id="a warehouse"),
    ],
)
def test_the_driver_of_a_task(settings: Settings, task: Any, conf: Any, memory: str) -> None:
    given = job(**task)
    spec = driver_for_task(settings, given.tasks[0], given)  # type: ignore[index]
    assert spec.memory == memory
    assert conf is None or spec.spark_conf == conf


def test_a_missing_job_cluster_is_named(settings: Settings) -> None:
    given = job(job_cluster_key="mian")
    with pytest.raises(TargetError, match=r"did you mean main\?"):
        driver_for_task(settings, given.tasks[0], given)  # type: ignore[index]


@pytest.mark.parametrize(
    ("cluster", "target"),
    [
        pytest.param({"node_type_id": "i3.xlarge"}, "farm", id="a node type"),
        pytest.param({"node_type_id": "i3.xlarge", "instance_pool_id": "pool-1"}, "big", id="a pool goes first"),
        pytest.param({"node_type_id": "i3.xlarge", "policy_id": "policy-1"}, "default", id="a policy goes before all"),
        pytest.param({"node_type_id": "i3.xlarge", "policy_id": "other"}, "farm", id="an unnamed policy says nothing"),
        pytest.param({"node_type_id": "m5.large"}, "default", id="an unnamed node type"),
    ],
)
def test_a_clusters_definition_chooses_the_target(settings: Settings, cluster: Any, target: str) -> None:
    given = job(new_cluster=cluster)
    assert driver_for_task(settings, given.tasks[0], given).target == target  # type: ignore[index]
    shared = Job.model_validate({"name": "j", "job_clusters": [{"job_cluster_key": "k", "new_cluster": cluster}]})
    assert driver_for_cluster(settings, shared.job_clusters[0].new_cluster).target == target  # type: ignore[index,arg-type]


@pytest.mark.parametrize(
    ("wish", "target"),
    [
        pytest.param(Wish(), "big", id="the job's cluster"),
        pytest.param(Wish(job=("other", "nightly")), "farm", id="settings of the job, by any of its names"),
        pytest.param(Wish(job=("nightly",), tasks=("small",)), "default", id="settings of the task"),
        pytest.param(Wish(job=("nightly",), tasks=("item", "small")), "default", id="settings of the for-each task"),
        pytest.param(Wish(run="big", job=("nightly",), tasks=("small",)), "big", id="the run goes before all"),
    ],
)
def test_what_chooses_the_target_and_in_which_order(settings: Settings, wish: Wish, target: str) -> None:
    given = job(existing_cluster_id="0923-164208-abcd1234")
    assert driver_for_task(settings, given.tasks[0], given, wish=wish).target == target  # type: ignore[index]


def test_a_job_written_for_databricks_machines_keeps_a_clusters_sizes(settings: Settings) -> None:
    stated = {"spark.executor.memory": "48g", "spark.cores.max": "64", "spark.sql.shuffle.partitions": "9"}
    given = job(new_cluster={"node_type_id": "i3.xlarge", "num_workers": 3, "spark_conf": stated})
    spec = driver_for_task(settings, given.tasks[0], given)  # type: ignore[index]
    conf = spark_settings(spec, settings)
    assert conf["spark.executor.memory"] == "1g"
    assert conf["spark.cores.max"] == "3"
    assert conf["spark.sql.shuffle.partitions"] == "9"
    assert spec.in_words == "spark://127.0.0.1:7077, at most 3 cores in executors of 1 with 1g"
    assert conf["spark.driver.host"] == "127.0.0.1"


def test_a_targets_own_conf_counts_but_for_what_the_lake_depends_on(settings: Settings) -> None:
    conf = spark_settings(driver_spec(settings, target="farm"), settings)
    assert conf["spark.driver.extraClassPath"] == "/opt/own.jar"
    assert conf["spark.sql.warehouse.dir"] != "/no"


def test_addresses_and_ports_of_a_target(tmp_path: Path) -> None:
    targets = """{"far": {"kind": "spark", "master": "yarn", "driver_host": "10.0.0.7", "driver_bind_address": "0.0.0.0",
        "driver_port": 7001, "block_manager_port": 7002, "python": "/opt/python"}}"""
    settings = Settings.load(tmp_path, environ={"MEDALLION_TARGETS": targets})
    conf = spark_settings(driver_spec(settings, target="far"), settings)
    wanted = {"host": "10.0.0.7", "bindAddress": "0.0.0.0", "port": "7001"}
    assert {name: conf[f"spark.driver.{name}"] for name in wanted} == wanted
    assert (conf["spark.blockManager.port"], conf["spark.pyspark.python"]) == ("7002", "/opt/python")


def test_a_target_of_kind_spark_names_a_master(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="needs a master"):
        Settings.load(tmp_path, environ={"MEDALLION_TARGETS": '{"farm": {"kind": "spark"}}'})

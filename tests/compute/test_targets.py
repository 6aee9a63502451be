from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from medallion.compute.targets import driver_for_task, driver_spec
from medallion.errors import TargetError
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
[targets.cloud]
kind = "databricks"
connection = "databricks_default"
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


def test_an_unknown_target_and_one_without_a_driver_are_refused(settings: Settings) -> None:
    with pytest.raises(TargetError, match=r"did you mean big\?"):
        driver_spec(settings, target="bigg")
    with pytest.raises(TargetError, match="databricks"):
        driver_spec(settings, target="cloud")


def test_a_cluster_definition_goes_over_the_targets_conf(settings: Settings) -> None:
    cluster = {"spark_conf": {"spark.sql.shuffle.partitions": 3, "spark.x": True}, "spark_env_vars": {"A": "1"}}
    spec = driver_spec(settings, target="big", new_cluster=cluster)
    expected = {"spark.sql.shuffle.partitions": "3", "spark.sql.ansi.enabled": "false", "spark.x": "true"}
    assert spec.spark_conf == expected
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

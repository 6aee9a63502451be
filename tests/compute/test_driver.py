from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from medallion.compute.cluster_conf import accepted_conf, left_out
from medallion.compute.driver import DriverSpec, build_launch, spark_settings
from medallion.compute.java import Java
from medallion.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    environ = {"MEDALLION_WORKSPACE": '{"/Workspace/Users/a": "ws", "/Workspace/Users/a/deep": "deep"}'}
    return Settings.load(tmp_path, environ=environ)


def launch(settings: Settings, spec: DriverSpec, folder: Path) -> tuple[list[str], str]:
    made = build_launch(spec, settings, Java(Path("/java"), 17, "test"), [], folder)
    return list(made.command), made.fingerprint


def test_the_key_is_the_same_in_another_process_and_whatever_the_order() -> None:
    spec = DriverSpec(spark_conf={"a": "1", "b": "2"})
    code = "from medallion.compute.driver import DriverSpec; print(DriverSpec(spark_conf={'b': '2', 'a': '1'}).key)"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert other == spec.key


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(DriverSpec(master="local[1]"), id="master"),
        pytest.param(DriverSpec(memory="3g"), id="memory"),
        pytest.param(DriverSpec(spark_conf={"a": "1"}), id="conf"),
        pytest.param(DriverSpec(environment={"a": "1"}), id="environment"),
    ],
)
def test_every_part_of_a_specification_counts(settings: Settings, tmp_path: Path, other: DriverSpec) -> None:
    assert other.key != DriverSpec().key
    assert launch(settings, other, tmp_path)[1] != launch(settings, DriverSpec(), tmp_path)[1]


def test_drivers_are_shared_whatever_their_folder(settings: Settings, tmp_path: Path) -> None:
    here, there = (launch(settings, DriverSpec(), tmp_path / name)[1] for name in ("a", "b"))
    assert here == there


def test_a_clusters_conf_is_honoured_and_the_driver_stays_ours(settings: Settings) -> None:
    given = {
        "spark.master": "local[*, 4]",
        "spark.databricks.cluster.profile": "singleNode",
        "spark.sql.shuffle.partitions": "7",
        "spark.sql.extensions": "org.example.Extensions",
        "spark.plugins": "org.example.Plugin",
        "spark.hadoop.fs.defaultFS": "s3a://x",
    }
    conf = spark_settings(DriverSpec(spark_conf=given), settings)
    assert conf["spark.sql.shuffle.partitions"] == "7"
    assert conf["spark.databricks.cluster.profile"] == "singleNode"
    assert conf["spark.sql.extensions"].startswith("io.delta.sql.DeltaSparkSessionExtension,")
    assert conf["spark.sql.extensions"].endswith(",org.example.Extensions")
    assert conf["spark.hadoop.fs.defaultFS"] == "viewfs://lake/"
    assert "spark.plugins" not in conf
    assert set(left_out(given)) == {"spark.master", "spark.plugins", "spark.hadoop.fs.defaultFS"}
    assert set(accepted_conf(given)) | set(left_out(given)) == set(given)


def test_memory_and_java_options_of_a_cluster_reach_the_jvm(settings: Settings, tmp_path: Path) -> None:
    conf = {"spark.driver.memory": "3g", "spark.driver.extraJavaOptions": "-Da=1 '-Db=2 3'"}
    command, _ = launch(settings, DriverSpec(spark_conf=conf), tmp_path)
    assert "-Xmx3g" in command
    assert command.index("-Da=1") < command.index("-Db=2 3") < command.index("-cp")


def test_variables_that_name_databricks_programs_are_left_out() -> None:
    spec = DriverSpec(environment={"PYSPARK_PYTHON": "/databricks/python3/bin/python3", "STAGE": "dev"})
    assert spec.task_environment() == {"STAGE": "dev"}


def test_workspace_prefixes_are_linked_but_never_nested(settings: Settings) -> None:
    links = [name for name in spark_settings(DriverSpec(), settings) if ".link./Workspace" in name]
    assert links == ["spark.hadoop.fs.viewfs.mounttable.lake.link./Workspace/Users/a"]

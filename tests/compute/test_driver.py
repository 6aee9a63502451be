from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from medallion.compute.cluster_conf import accepted_conf, left_out
from medallion.compute.driver import DriverSpec, plan_driver, spark_settings
from medallion.compute.java import Java
from medallion.compute.pool import idle_seconds
from medallion.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    environ = {"MEDALLION_WORKSPACE": '{"/Workspace/Users/a": "ws", "/Workspace/Users/a/deep": "deep"}'}
    return Settings.load(tmp_path, environ=environ)


def launch(settings: Settings, spec: DriverSpec, folder: Path) -> tuple[list[str], str]:
    made = plan_driver(spec, settings, Java(Path("/java"), 17, "test"), []).launch(folder)
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
        pytest.param(DriverSpec(target="other"), id="target"),
        pytest.param(DriverSpec(target_conf={"spark.a": "1"}), id="the target's conf"),
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


def test_executors_of_a_cluster_get_the_jars_and_the_variables(settings: Settings, tmp_path: Path) -> None:
    spec = DriverSpec(
        master="spark://127.0.0.1:7077",
        spark_conf={"spark.jars": "file:///own.jar"},
        environment={"STAGE": "dev", "JAVA_HOME": "/databricks/java"},
        target_conf={"spark.driver.extraClassPath": "/opt/x.jar"},
    )
    delta = tmp_path / "delta.jar"
    delta.touch()
    made = plan_driver(spec, settings, Java(Path("/java"), 17, "test"), [delta]).launch(tmp_path)
    conf = made.conf
    first, *middle, last = conf["spark.jars"].split(",")
    assert (first, last) == (delta.as_uri(), "file:///own.jar")
    assert [name.rpartition("/")[2] for name in middle] == ["medallion-catalog.jar"]
    assert conf["spark.executorEnv.STAGE"] == "dev"
    assert "spark.executorEnv.JAVA_HOME" not in conf
    assert made.command[made.command.index("-cp") + 1].endswith(":/opt/x.jar")
    assert (made.target, made.master) == ("default", "spark://127.0.0.1:7077")


def test_a_driver_of_this_machine_has_no_jars_to_send(settings: Settings, tmp_path: Path) -> None:
    made = plan_driver(DriverSpec(), settings, Java(Path("/java"), 17, "test"), []).launch(tmp_path)
    assert not [name for name in made.conf if name == "spark.jars" or name.startswith("spark.executorEnv")]


def test_no_setting_stands_in_the_command_line(settings: Settings, tmp_path: Path) -> None:
    spec = DriverSpec(spark_conf={"spark.hadoop.fs.azure.key": "hunter2"}, environment={"TOKEN": "hunter3"})
    made = plan_driver(spec, settings, Java(Path("/java"), 17, "test"), []).launch(tmp_path)
    assert made.conf["spark.hadoop.fs.azure.key"] == "hunter2"
    assert not [word for word in made.command if "hunter" in word or word == "--conf"]


@pytest.mark.parametrize(
    ("master", "seconds", "idle"),
    [
        pytest.param("local[*]", "900", 900, id="this machine"),
        pytest.param("spark://127.0.0.1:7077", "900", 60, id="a cluster's executors are others' too"),
        pytest.param("spark://127.0.0.1:7077", "20", 20, id="a cluster, and the setting is less"),
    ],
)
def test_how_long_a_driver_stays_without_work(tmp_path: Path, master: str, seconds: str, idle: int) -> None:
    settings = Settings.load(tmp_path, environ={"MEDALLION_DRIVER_IDLE_SECONDS": seconds})
    assert idle_seconds(DriverSpec(master=master), settings) == idle

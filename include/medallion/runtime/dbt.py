"""dbt commands of a task, over the task's own Spark session. Runs in the task process.

dbt runs in this process with dbt-spark's `session` method, which takes the Spark session that is there: the one that is
attached to the task's driver. So its tables are the lake's, and a cancelled task ends its statements. The project is
copied to the attempt's folder first, because dbt writes into it.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.errors import MedallionError
from medallion.runtime.protocol import Failure, TaskResult
from medallion.spec.problems import did_you_mean

if TYPE_CHECKING:
    from medallion.runtime.task import Task

PROJECT_FILE = "dbt_project.yml"
PROFILES_FILE = "profiles.yml"
SCHEMA = "default"
TARGET = "medallion"
THREADS = 4
MOST_COMMANDS = 10
COPIED_NOT = ("target", "logs", ".git", "__pycache__", ".venv")
WITH_FORMAT = ("models", "seeds", "snapshots")
FAILED = frozenset({"error", "fail", "runtime error", "partial success"})
SHOWN_NODES = 5


class DbtError(MedallionError):
    """The dbt project, its profile or a command is wrong."""


@dataclass(frozen=True, slots=True)
class NodeResult:
    """What became of one model, test, seed or snapshot.

    :param seconds: how long it took.
    """

    name: str
    status: str
    message: str
    seconds: float


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What became of one command."""

    command: str
    success: bool
    nodes: tuple[NodeResult, ...]
    message: str


def run_dbt(task: Task) -> TaskResult:
    """Run the commands in order, up to the first that fails. The output lists each command's results.

    :raises DbtError: the project, its profile or a command is wrong.
    """
    given = task.context.options["dbt"]
    commands = checked(given["commands"])
    project = copy_project(task.file, Path(task.context.output) / "dbt")
    name = prepare_project(project)
    profiles = profiles_folder(given, project, name, commands, Path(task.context.root))
    use_catalog(task, given.get("catalog"))
    os.chdir(project)
    log = Path(task.context.output) / "dbt"
    os.environ.update(
        DBT_PROFILES_DIR=str(profiles),
        DBT_PROJECT_DIR=str(project),
        DBT_TARGET_PATH=str(log / "target"),
        DBT_LOG_PATH=str(log / "logs"),
        DBT_SEND_ANONYMOUS_USAGE_STATS="false",
        DBT_USE_COLORS="false",
        DBT_VERSION_CHECK="false",
    )
    results: list[CommandResult] = []
    for words in commands:
        task.output.log(f"+ dbt {shlex.join(words)}\n")
        results.append(run_command(words))
        task.output.drain()
        task.output.log(f"dbt {words[0]}: {'succeeded' if results[-1].success else 'failed'}\n")
        if not results[-1].success:
            break
    output = {"commands": [asdict(result) for result in results]}
    last = results[-1]
    failure = None if last.success else Failure("DbtError", last.message)
    if failure is not None:
        task.output.log(f"{failure.kind}: {failure.message}\n")
    return TaskResult(success=last.success, output=output, failure=failure)


def checked(commands: Sequence[str]) -> list[list[str]]:
    """The commands as words, without `dbt`.

    :raises DbtError: one does not begin with dbt, or there are more than ten (Jobs API, `dbt_task`).
    """
    if not 1 <= len(commands) <= MOST_COMMANDS:
        raise DbtError(f"a dbt task has 1 to {MOST_COMMANDS} commands, not {len(commands)}")
    found = []
    for command in commands:
        words = shlex.split(os.path.expandvars(command))
        if not words or words[0] != "dbt" or len(words) == 1:
            raise DbtError(f"the command {command!r} does not begin with dbt", hint="such as: dbt run")
        found.append(words[1:])
    return found


def copy_project(source: Path, folder: Path) -> Path:
    """A copy of the project below `folder`.

    :raises DbtError: there is no project.
    """
    if not (source / PROJECT_FILE).is_file():
        near = (
            next((found.parent for found in sorted(source.glob(f"*/{PROJECT_FILE}"))), None)
            if source.is_dir()
            else None
        )
        raise DbtError(
            f"no dbt project in {source}: it has no {PROJECT_FILE}",
            hint=f"set project_directory to {near.name}" if near else "set project_directory",
        )
    place = folder / "project"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(source, place, ignore=shutil.ignore_patterns(*COPIED_NOT))
    return place


def prepare_project(project: Path) -> str:
    """Make Delta the format of what the project builds, as it is on Databricks; gives the name of its profile."""
    import yaml

    file = project / PROJECT_FILE
    try:
        told: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
        name = str(told.get("profile") or told["name"])
        for kind in WITH_FORMAT:
            settings = told.setdefault(kind, {}) or {}
            if not {"file_format", "+file_format"} & set(settings):
                told[kind] = {**settings, "+file_format": "delta"}
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise DbtError(f"{PROJECT_FILE} cannot be read: {error}") from None
    file.write_text(yaml.safe_dump(told, sort_keys=False), encoding="utf-8")
    return name


def profiles_folder(
    given: Mapping[str, Any], project: Path, name: str, commands: Sequence[Sequence[str]], root: Path
) -> Path:
    """The folder of profiles.yml: the task's own, else one with a generated profile.

    :raises DbtError: the task's own has no profile that can run here.
    """
    import yaml

    if (own := given.get("profiles_directory")) and not given.get("warehouse_id"):
        # It counts from the project's folder or from the root (Jobs API: relative to the project's repository).
        folder = next(
            (base / str(own) for base in (root, project) if (base / str(own) / PROFILES_FILE).is_file()), None
        )
        if folder is None:
            raise DbtError(f"profiles_directory {own!r} has no {PROFILES_FILE}", hint=f"it counts from {root}")
        check_profile(folder / PROFILES_FILE, name)
        return folder
    targets = [TARGET, *(target for words in commands for target in targets_of(words))]
    output = {"type": "spark", "method": "session", "host": "none", "threads": THREADS}
    output["schema"] = given.get("schema") or SCHEMA
    place = project.parent / "profiles"
    place.mkdir(exist_ok=True)
    profile = {name: {"target": TARGET, "outputs": {target: dict(output) for target in targets}}}
    (place / PROFILES_FILE).write_text(yaml.safe_dump(profile), encoding="utf-8")
    return place


def targets_of(words: Sequence[str]) -> list[str]:
    """Targets that a command names; the generated profile is the same for each."""
    return re.findall(r"(?:^|\s)(?:--target|-t)(?:\s+|=)(\S+)", " ".join(words))


def check_profile(file: Path, name: str) -> None:
    """:raises DbtError: the profile is missing or connects to something else than this task's Spark."""
    import yaml

    told = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    if name not in told:
        raise DbtError(f"{file.name} has no profile {name!r}", hint=did_you_mean(name, told))
    outputs = (told[name] or {}).get("outputs") or {}
    if not any(item.get("type") == "spark" and item.get("method") == "session" for item in outputs.values()):
        raise DbtError(
            f"the profile {name!r} connects to {', '.join(sorted({str(item.get('type')) for item in outputs.values()}))}",
            hint="give the task a warehouse_id and a profile is made, or use type: spark with method: session",
        )


def use_catalog(task: Task, catalog: str | None) -> None:
    """Set the catalog that names of two parts count from."""
    if task.spark is None:
        raise DbtError("dbt needs Spark and this task has no driver", hint="give the task a cluster")
    if not catalog:
        return
    known = [item.name for item in task.spark.catalog.listCatalogs()]
    if catalog not in known:
        raise DbtError(
            f"there is no catalog {catalog!r}",
            hint=did_you_mean(catalog, known) or f"CREATE CATALOG {catalog} makes it",
        )
    task.spark.catalog.setCurrentCatalog(catalog)


def run_command(words: Sequence[str]) -> CommandResult:
    """Run one dbt command in this process; its log goes to standard output."""
    from dbt.cli.main import dbtRunner  # type: ignore[import-not-found]  # in the task's environment only

    told = dbtRunner().invoke([*words])
    nodes = tuple(node_of(item) for item in getattr(told.result, "results", None) or ())
    command = "dbt " + shlex.join(words)
    if told.success:
        return CommandResult(command, True, nodes, "")  # noqa: FBT003  a field of the record
    bad = [node for node in nodes if node.status in FAILED]
    if bad:
        shown = "; ".join(f"{node.name}: {first_line(node.message) or node.status}" for node in bad[:SHOWN_NODES])
        message = f"{command}: {len(bad)} of {len(nodes)} failed: {shown}"
    else:
        message = f"{command}: {told.exception or 'failed; see the log'}"
    return CommandResult(command, False, nodes, message)  # noqa: FBT003


def node_of(item: Any) -> NodeResult:
    """dbt's result of one node."""
    name = getattr(getattr(item, "node", None), "name", "")
    return NodeResult(str(name), str(item.status), str(item.message or ""), round(float(item.execution_time or 0), 3))


def first_line(text: str) -> str:
    """The first line of a message that says something."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")

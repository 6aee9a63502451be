"""The container files are valid and safe. No engine runs here: the compose specification's schema is the judge."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

AIRFLOW_SERVICES = ("api-server", "scheduler", "dag-processor", "triggerer", "jobs-service")


@pytest.fixture(scope="module")
def compose(project: Path) -> dict[str, Any]:
    return yaml.safe_load((project / "docker-compose.yaml").read_text(encoding="utf-8"))


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

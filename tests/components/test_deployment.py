"""Whose database a command works on: never another deployment's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medallion.cli import main
from medallion.components.configuration import Endpoint, write_configuration
from medallion.components.database import connection, ensure_database
from medallion.components.deployment import (
    OtherDeploymentError,
    Server,
    login_file,
    other_database,
    require_own_database,
    server_of,
)
from medallion.components.places import places_of
from medallion.components.record import Record
from medallion.compute.folder import hold
from medallion.compute.processes import Identity, host_id
from medallion.settings import Settings

CONN = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
SHARED = "postgresql+psycopg2://airflow:secret@db.invalid/airflow"
JOB = {"name": "small", "tasks": [{"task_key": "one", "spark_python_task": {"python_file": "one.py"}}]}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs/small.json").write_text(json.dumps(JOB))
    (tmp_path / "jobs/one.py").write_text("print(1)\n")
    (tmp_path / "medallion.toml").write_text("")
    return tmp_path


@pytest.fixture
def medallion(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """The command line in the project's folder: exit status and what it said."""
    monkeypatch.chdir(project)

    def call(*arguments: str) -> tuple[int, str]:
        status = main(list(arguments))
        said = capsys.readouterr()
        return status, f"{said.out}{said.err}"

    return call


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        pytest.param({}, None, id="nothing"),
        pytest.param({CONN: SHARED}, CONN, id="a server"),
        pytest.param({CONN + "_CMD": "cat /run/secrets/url"}, CONN + "_CMD", id="a command"),
        pytest.param({CONN + "_SECRET": "airflow/url"}, CONN + "_SECRET", id="a secret's name"),
        pytest.param({CONN: "sqlite:////elsewhere/airflow.db"}, CONN, id="a file elsewhere"),
        pytest.param({CONN: "sqlite:///{home}/airflow/airflow.db"}, None, id="our file"),
        pytest.param({CONN: "sqlite:///{home}/airflow/aside.db?timeout=60"}, None, id="our second file"),
    ],
)
def test_what_names_another_database(tmp_path: Path, environ: dict[str, str], named: str | None) -> None:
    settings = Settings.load(tmp_path)
    given = {name: value.format(home=settings.home) for name, value in environ.items()}
    assert other_database(places_of(settings), given) == named


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        pytest.param("[database]\nsql_alchemy_conn = {url}\n", False, id="another's"),
        pytest.param("# Written by `medallion`; …\n[database]\nsql_alchemy_conn = {url}\n", True, id="of our making"),
        pytest.param("[database]\n# sql_alchemy_conn =\n", True, id="names none"),
        pytest.param("no section\n", True, id="no configuration"),
    ],
)
def test_a_configuration_by_another_hand_counts(tmp_path: Path, text: str, *, ours: bool) -> None:
    settings = Settings.load(tmp_path)
    file = places_of(settings).configuration
    file.parent.mkdir(parents=True)
    file.write_text(text.format(url=SHARED))
    assert (other_database(places_of(settings), {}) is None) == ours
    if not ours:
        with pytest.raises(OtherDeploymentError):
            write_configuration(settings, Endpoint())
        assert file.read_text() == text.format(url=SHARED)


@pytest.mark.parametrize(
    "command",
    [
        ("run", "small"),
        ("run", "jobs/small.json", "--var", "a=b"),
        ("run-now", "small"),
        ("backfill", "small", "--from", "2026-01-01", "--to", "2026-01-02", "--every", "1 DAYS"),
        ("repair", "latest", "--job", "small"),
        ("repair", "17"),
        ("cancel", "latest", "--job", "small"),
        ("runs",),
        ("runs", "show", "17"),
        ("runs", "output", "17", "one"),
        ("airflow", "dags", "test", "small"),
        ("setup",),
        ("up",),
        ("up", "--detach"),
        ("system-tables", "rebuild"),
    ],
    ids=" ".join,
)
def test_no_command_touches_another_database(
    medallion: Callable[..., Any], project: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    def refuse(*arguments: object, **_: object) -> None:
        raise AssertionError(f"a process was started: {arguments}")

    monkeypatch.setenv(CONN, SHARED)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setattr(os, "execve", refuse)
    status, said = medallion(*command)
    assert status == 2
    assert CONN in said
    assert "MEDALLION_API_URL" in said
    assert "secret@" not in said
    assert not list((project / ".medallion").rglob("*")) if (project / ".medallion").exists() else True


def test_doctor_says_what_to_set_and_writes_nothing(
    medallion: Callable[..., Any], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CONN, SHARED)
    _, said = medallion("doctor", "--json")
    (found,) = [item for item in json.loads(said)["findings"] if item["matter"] == "Database"]
    assert found["verdict"] == "warning"
    assert "MEDALLION_API_URL" in found["remedy"]
    assert not (project / ".medallion/airflow").exists()


def test_what_is_below_the_commands_refuses_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.load(tmp_path)
    monkeypatch.setenv(CONN, SHARED)
    for work in (lambda: write_configuration(settings, Endpoint()), lambda: ensure_database(settings)):
        with pytest.raises(OtherDeploymentError):
            work()
    monkeypatch.setenv(CONN, connection(places_of(settings))[CONN])
    require_own_database(settings)


def test_a_deployments_server_runs_no_job_that_it_does_not_serve(
    medallion: Callable[..., Any], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDALLION_API_URL", "http://127.0.0.1:9")
    (project / "other.json").write_text(json.dumps({**JOB, "name": "other"}))
    status, said = medallion("run", "other.json")
    assert status == 2
    assert "http://127.0.0.1:9" in said
    assert not (project / ".medallion").exists()


@pytest.mark.parametrize("command", [("runs",), ("cancel", "17"), ("runs", "show", "17")], ids=" ".join)
def test_without_a_token_it_says_what_to_set(
    medallion: Callable[..., Any], project: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """The own password of this home is not for a server elsewhere."""
    places = places_of(Settings.load(project))
    places.airflow_home.mkdir(parents=True)
    places.passwords.write_text('{"admin": "own"}')
    monkeypatch.setenv("MEDALLION_API_URL", "http://127.0.0.1:9")
    status, said = medallion(*command)
    assert status == 2
    assert "MEDALLION_API_TOKEN" in said


def test_which_password_is_for_which_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = Settings.load(tmp_path)
    assert login_file(own) == places_of(own).passwords
    monkeypatch.setenv("MEDALLION_API_URL", "https://airflow.example/prefix")
    away = Settings.load(tmp_path)
    assert server_of(away) == Server("https://airflow.example/prefix", own=False)
    assert login_file(away) is None
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE", str(tmp_path / "passwords"))
    assert login_file(away) is None
    (tmp_path / "passwords").write_text("{}")
    assert login_file(away) == tmp_path / "passwords"


@pytest.mark.parametrize("url", ["airflow:8080", "ftp://airflow", "http://", "file:///etc/passwd"])
def test_an_address_that_is_none_is_refused(
    medallion: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("MEDALLION_API_URL", url)
    status, said = medallion("runs")
    assert status == 2
    assert "api_url" in said


def test_a_token_is_not_shown(medallion: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDALLION_API_TOKEN", "ey.very.secret")
    for form in ((), ("--json",)):
        status, said = medallion("settings", *form)
        assert status == 0
        assert "api_token" in said
        assert "ey.very" not in said


def record_of(settings: Settings, supervisor: Identity, components: dict[str, Identity]) -> None:
    places = places_of(settings)
    places.airflow_home.mkdir(parents=True)
    Record(supervisor, "http://127.0.0.1:9", "127.0.0.1", 9, components, ready=True).write(places.record)


def test_an_up_of_another_host_is_not_worked_beside(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path)
    record_of(settings, Identity(7, "123", "another"), {})
    with hold(places_of(settings).airflow_home / "up.lock"), pytest.raises(OtherDeploymentError, match="another host"):
        server_of(settings)
    assert server_of(settings) is None, "its lock is free: a start of this machine that is over"


def test_components_without_their_supervisor_are_not_worked_beside(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path)
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        record_of(settings, Identity(7, "123", host_id()), {"scheduler": Identity.of(left.pid)})
        with pytest.raises(OtherDeploymentError, match="medallion down"):
            server_of(settings)
    finally:
        left.kill()
        left.wait()
    assert server_of(settings) is None


HOLD_PORT = """
import socket, sys, time
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
time.sleep(60)
"""


def test_up_ends_what_an_earlier_start_left_before_it_looks_at_the_port(tmp_path: Path) -> None:
    from medallion.cli.services import endpoint_for

    settings = Settings.load(tmp_path)
    command = [sys.executable, "-c", HOLD_PORT]
    left = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert left.stdout is not None
    port = int(left.stdout.readline())
    try:
        record_of(settings, Identity(7, "123", host_id()), {"api-server": Identity.of(left.pid)})
        assert endpoint_for(settings, "127.0.0.1", port).port == port
        assert left.wait(5) is not None
    finally:
        left.kill()
        left.communicate()

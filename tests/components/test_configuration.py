"""Airflow's configuration: what is written, what stays secret, what the processes' environment holds."""

from __future__ import annotations

import configparser
import json
import os
import stat
import sys
from pathlib import Path

import pytest

from medallion.components.configuration import Endpoint, environment, render, write_configuration
from medallion.components.places import HomeError, places_of, shipped
from medallion.components.ports import free_port, holder, is_free
from medallion.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "medallion.toml").write_text("parallelism = 3\n")
    return Settings.load(tmp_path)


def read(file: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(file, encoding="utf-8")
    return parser


def test_the_configuration_names_this_home_and_this_address(settings: Settings) -> None:
    places = write_configuration(settings, Endpoint("127.0.0.1", 18321, 18322, 18323))
    written = read(places.configuration)
    assert written["api"]["base_url"] == "http://127.0.0.1:18321/"
    assert written["core"]["execution_api_server_url"] == "http://127.0.0.1:18321/execution/"
    assert written["database"]["sql_alchemy_conn"] == f"sqlite:///{settings.home}/airflow/airflow.db?timeout=60"
    assert written["core"]["parallelism"] == "3"
    assert written["usage_data_collection"]["enabled"] == "False"
    assert written["core"]["load_examples"] == "False"
    assert [item["name"] for item in json.loads(written["dag_processor"]["dag_bundle_config_list"])]


def test_keys_and_password_stay_the_same_and_are_readable_by_the_owner_alone(settings: Settings) -> None:
    places = write_configuration(settings, Endpoint(port=18321))
    first, password = read(places.configuration), places.passwords.read_text()
    write_configuration(settings, Endpoint(port=18400))
    second = read(places.configuration)
    for section, option in (("core", "fernet_key"), ("api", "secret_key"), ("api_auth", "jwt_secret")):
        assert first[section][option] == second[section][option]
    assert second["api"]["port"] == "18400"
    assert places.passwords.read_text() == password
    assert len(json.loads(password)["admin"]) >= 16
    for file in (places.configuration, places.passwords):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_two_homes_have_different_secrets(tmp_path: Path) -> None:
    found = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        places = write_configuration(Settings.load(tmp_path / name), Endpoint())
        found.append((read(places.configuration)["api_auth"]["jwt_secret"], places.passwords.read_text()))
    assert found[0][0] != found[1][0]
    assert found[0][1] != found[1][1]


def test_a_per_cent_sign_survives_airflows_interpolation(tmp_path: Path) -> None:
    file = tmp_path / "x.cfg"
    file.write_text(render({("core", "dags_folder"): "/a%20b"}))
    assert read(file)["core"]["dags_folder"] == "/a%20b"


def test_the_environment_finds_the_right_python_and_holds_no_secret(settings: Settings) -> None:
    places = write_configuration(settings, Endpoint())
    given = environment(settings, {"PATH": "/usr/bin", "KEPT": "1"})
    assert given["PATH"].split(os.pathsep) == [str(Path(sys.executable).parent), "/usr/bin"]
    assert given["AIRFLOW_HOME"] == str(places.airflow_home)
    assert given["MEDALLION_PROJECT"] == str(settings.project)
    assert given["KEPT"] == "1"
    keys = read(places.configuration)
    secrets = {keys["core"]["fernet_key"], keys["api"]["secret_key"], keys["api_auth"]["jwt_secret"]}
    assert not secrets & set(given.values())


def test_a_home_that_cannot_be_made_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / ".medallion").write_text("a file, not a folder")
    with pytest.raises(HomeError, match=r"cannot be made.*MEDALLION_HOME"):
        write_configuration(Settings.load(tmp_path), Endpoint())


def test_a_home_below_something_that_is_no_folder_is_an_error_in_words(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path, environ={"MEDALLION_HOME": f"{os.devnull}/home"})
    with pytest.raises(HomeError, match=r"cannot be made.*MEDALLION_HOME"):
        write_configuration(settings, Endpoint())


def test_the_projects_own_dags_win_over_those_that_come_with_medallion(tmp_path: Path) -> None:
    assert any(shipped("dags", tmp_path).glob("*.py"))
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "mine.py").touch()
    assert shipped("dags", tmp_path) == tmp_path / "dags"


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:1"), ("0.0.0.0", "http://127.0.0.1:1"), ("::", "http://[::1]:1"), ("::1", "http://[::1]:1")],
)  # fmt: skip
def test_the_url_is_one_that_a_browser_here_can_open(host: str, url: str) -> None:
    assert Endpoint(host, 1).url == url


def test_a_taken_port_is_noticed_and_the_next_free_one_found(tmp_path: Path) -> None:
    import socket

    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        assert not is_free("127.0.0.1", port)
        assert free_port("127.0.0.1", port) != port
        assert f"process {os.getpid()}" in str(holder(port))
    assert is_free("127.0.0.1", port)
    assert places_of(Settings.load(tmp_path)).record.name == "up.json"

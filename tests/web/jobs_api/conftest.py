"""Airflow's own API application with the plugin, on a port of loopback, for the official clients."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def address(airflow_database: None) -> Iterator[str]:
    """Where it listens."""
    import uvicorn
    from airflow.api_fastapi.app import create_app

    # The port is the server's from here on: nobody can take it between the choice and the start.
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(apps="core"), log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.05)
    assert thread.is_alive(), "the server ended"
    jwt_of("viewer")  # the first one makes Airflow print that it makes up a key
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join(30)


def jwt_of(role: str | None, name: str = "ada") -> str:
    """A token of Airflow's own for a user with a role."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    return get_auth_manager().generate_jwt(SimpleAuthManagerUser(username=name, role=role))


@pytest.fixture
def tokens_file() -> Path:
    """Where the server keeps its tokens."""
    return Path(os.environ["AIRFLOW_HOME"]) / "lakeflow_tokens.db"

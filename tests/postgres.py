"""A PostgreSQL server of a test's own, from Debian's package, on a free port of this machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


def binaries() -> Path:
    """The folder of `initdb` and `pg_ctl`, which Debian keeps off the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if not found and not on_path:
        pytest.fail("PostgreSQL is not installed: apt-get install postgresql")
    return found[-1].parent if found else Path(str(on_path)).parent


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """Start a server, give SQLAlchemy's address of its database `airflow`, end it. It refuses to run as root."""
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    as_owner: list[str] = []
    if os.getuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
        as_owner = ["runuser", "-u", "postgres", "--"]
    port, data, programs = free_port(), folder / "data", binaries()

    def do(*command: object) -> None:
        done = subprocess.run(
            [*as_owner, *map(str, command)], cwd=folder, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    do(programs / "initdb", "-D", data, "-U", "airflow", "-A", "trust", "-E", "UTF8", "--locale", "C", "--no-sync")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off -c synchronous_commit=off"
    # Without a log file the server would hold the pipe that its starter reads.
    do(programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start")
    try:
        do(programs / "createdb", "-h", folder, "-p", port, "-U", "airflow", "airflow")
        yield f"postgresql+psycopg2://airflow@127.0.0.1:{port}/airflow"
    finally:
        do(programs / "pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)

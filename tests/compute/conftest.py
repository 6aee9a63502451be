"""A pool of its own for these tests, and one driver that they share."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from medallion.compute.driver import DriverSpec
from medallion.compute.pool import DriverPool
from medallion.settings import Settings

HEADER = """
import sys, json, os, time
from pathlib import Path
from medallion.compute.session import attach, is_driver_lost
spark = attach(Path(sys.argv[1]), tag=sys.argv[2])
"""


@pytest.fixture(scope="session")
def home_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a project in a folder of its own; JARs come from the user's cache."""
    return Settings.load(tmp_path_factory.mktemp("compute"), environ={"MEDALLION_DRIVER_START_SECONDS": "300"})


@pytest.fixture(scope="session")
def pool(home_settings: Settings) -> Iterator[DriverPool]:
    """The pool; everything in it ends with the session."""
    pool = DriverPool(home_settings)
    yield pool
    pool.stop()


@pytest.fixture(scope="session")
def spec() -> DriverSpec:
    """A small driver."""
    return DriverSpec(master="local[2]", memory="1g", environment={"MEDALLION_TEST": "from the cluster"})


@pytest.fixture(scope="session")
def connection_file(pool: DriverPool, spec: DriverSpec) -> Path:
    """A driver that runs for the session."""
    return pool.acquire(spec, "tests")


Task = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start_task(connection_file: Path) -> Iterator[Task]:
    """Starts a process that attaches and runs some code: `start_task(code, tag=…)`."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str, tag: str = "", file: Path = connection_file) -> subprocess.Popen[str]:
        # A tag of its own for each, as attempts have: the driver cancels what is left of a tag when its process ends.
        command = [sys.executable, "-c", HEADER + code, str(file), tag or f"task-{uuid4()}"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def run_task(start_task: Task) -> Callable[..., str]:
    """Runs code as `start_task` does, and gives what it printed."""

    def run(code: str, tag: str = "") -> str:
        out, err = start_task(code, tag).communicate(timeout=240)
        assert out, err
        return out

    return run

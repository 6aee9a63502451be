"""Fixtures for all tests: no setting of the machine leaks in, and Airflow has a home of its own."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent

NEEDS_ROOT = pytest.StashKey[list[str]]()
JOBS_FOLDER = Path(os.environ.get("MEDALLION_JOBS_FOLDER", PROJECT / "jobs"))
"""The jobs that the integrity checks look at: ours, or a user's own by this one setting."""

# A shell that starts the tests in the background has them ignore Ctrl-C, and so every process that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

for _name in list(os.environ):
    if _name.startswith(("AIRFLOW_", "DATABRICKS_", "MEDALLION_", "BUNDLE_VAR_", "SPARK_", "PYSPARK_")):
        del os.environ[_name]

# Airflow reads its settings when it is imported, so they stand before any test module is.
_HOME = tempfile.mkdtemp(prefix="medallion-tests-")
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
os.environ.update(
    AIRFLOW_HOME=f"{_HOME}/airflow",
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__UNIT_TEST_MODE="False",
    AIRFLOW__API_AUTH__JWT_SECRET="a key of the tests alone, as long as the algorithm wants it to be: 64 bytes",
    AIRFLOW__CORE__DAGS_FOLDER=f"{_HOME}/dags",
    AIRFLOW__CORE__PLUGINS_FOLDER=str(PROJECT / "plugins"),
    AIRFLOW__LOGGING__LOGGING_LEVEL="WARNING",
)
Path(_HOME, "dags").mkdir()


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings come from each test alone."""
    for name in list(os.environ):
        if name.startswith(("DATABRICKS_", "MEDALLION_", "BUNDLE_VAR_")):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def project() -> Path:
    """The project's own folder, with its examples."""
    return PROJECT


@pytest.fixture(scope="session")
def jobs_folder() -> Path:
    """The jobs folder under test."""
    return JOBS_FOLDER


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Airflow's metadata database, migrated once for the session."""
    from airflow.utils import db

    db.initdb()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes root where the tests are not root; the summary says so."""
    left_out = [item for item in items if item.get_closest_marker("root") and os.geteuid() != 0]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        config.stash[NEEDS_ROOT] = [item.nodeid for item in left_out]
        items[:] = [item for item in items if item not in left_out]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name what was left out."""
    if left_out := config.stash.get(NEEDS_ROOT, None):
        files = sorted({nodeid.partition("::")[0] for nodeid in left_out})
        terminalreporter.section("not run: these tests become another user of the machine, which takes root", "!")
        terminalreporter.line(f"{len(left_out)} tests of {', '.join(files)}; run them as root: pytest -m root")

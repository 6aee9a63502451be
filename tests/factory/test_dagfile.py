"""The DAG file for a plain dags_folder: which project it stands for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from medallion.factory.dagfile import load_into

pytestmark = pytest.mark.airflow
CONDITION = {"op": "EQUAL_TO", "left": "1", "right": "1"}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MEDALLION_PROJECT", "MEDALLION_JOBS_FOLDER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MEDALLION_HOME", str(tmp_path / "home"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")


def dags(project: Path) -> dict[str, Any]:
    namespace: dict[str, Any] = {}
    load_into(namespace, project=project)
    return namespace


def test_a_project_gives_its_jobs(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "a.json").write_text(
        json.dumps({"name": "a", "tasks": [{"task_key": "t", "condition_task": CONDITION}]})
    )
    assert list(dags(tmp_path)) == ["a"]


def test_the_folder_of_installed_packages_is_no_project(tmp_path: Path) -> None:
    (tmp_path / "site-packages").mkdir()
    found = dags(tmp_path / "site-packages")
    assert list(found) == ["broken_jobs"]
    assert "is no project; name one with MEDALLION_PROJECT" in found["broken_jobs"].doc_md

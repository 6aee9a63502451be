"""What reads a repository runs nothing of it, waits for nothing in it, and does not leave it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

MEDALLION = Path(sys.executable).parent / "medallion"
COMMANDS = (("check",), ("list",), ("check", "--json"), ("resolve", "jobs/bundle"), ("triggers", "fine"), ("settings",))
DATABRICKS = """\
bundle: {name: hostile}
include: [resources/*.yml]
resources:
  jobs:
    pipes:
      name: pipes
      tasks:
        - {task_key: notebook, notebook_task: {notebook_path: pipe.py}}
        - {task_key: zero, notebook_task: {notebook_path: zero.ipynb}}
        - {task_key: file, spark_python_task: {python_file: pipe.py}}
        - {task_key: sql, sql_task: {warehouse_id: w, file: {path: pipe.sql}}}
        - {task_key: dbt, dbt_task: {commands: [dbt run], project_directory: dbt}}
        - task_key: wheel
          spark_python_task: {python_file: pipe.py}
          libraries: [{whl: dist/*.whl}, {requirements: pipe.txt}]
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository that tries what a file, a link or a pipe can try. What it runs leaves a mark."""
    root, mark = tmp_path / "repository", tmp_path / "ran"
    code = f"import pathlib; pathlib.Path({str(mark)!r}).touch()\n"
    shell = f"#!/bin/sh\ntouch {mark}\n"
    bundle = root / "jobs" / "bundle"
    for place in ("dags", "plugins", "include", "", "jobs", "jobs/bundle", "jobs/bundle/resources", "jobs/bundle/dbt"):
        folder = root / place
        folder.mkdir(parents=True, exist_ok=True)
        for name in (
            "sitecustomize",
            "usercustomize",
            "conftest",
            "setup",
            "typing_extensions",
            "pydantic",
            "airflow_x",
        ):
            (folder / f"{name}.py").write_text(code)
    for place in (".venv/bin", "bin", "jobs/bundle/.venv/bin", ".git/hooks"):
        (root / place).mkdir(parents=True, exist_ok=True)
        for name in ("python", "python3", "java", "git", "uv", "post-checkout", "fsmonitor-watchman", "dbt"):
            file = root / place / name
            file.write_text(shell)
            file.chmod(0o755)
    (root / ".git" / "config").write_text(f"[core]\n fsmonitor = {root}/bin/git\n pager = {root}/bin/git\n")
    os.mkfifo(root / ".git" / "HEAD")
    os.mkfifo(root / ".git" / "packed-refs")
    (root / "medallion.toml").write_text(
        f'java_home = "."\n[targets.default]\npython = "{root}/bin/python"\n[workspace]\n"/Workspace/x" = "bin"\n'
    )
    fine = {"task_key": "a", "condition_task": {"op": "EQUAL_TO", "left": "1", "right": "1"}}
    (root / "jobs" / "fine.json").write_text(json.dumps({"name": "fine", "tasks": [fine]}))
    (bundle / "databricks.yml").write_text(DATABRICKS)
    pipes = ("pipe.py", "pipe.sql", "pipe.txt", "resources/pipe.yml", "dbt/dbt_project.yml", "dbt/profiles.yml")
    for name in (*pipes, ".databrickscfg"):
        os.mkfifo(bundle / name)
    os.mkfifo(root / "jobs" / "pipe.json")
    os.mkfifo(root / "jobs" / "pipe.yml")
    (bundle / "zero.ipynb").symlink_to("/dev/zero")
    (root / "jobs" / "zero.json").symlink_to("/dev/zero")
    (root / "jobs" / "everything").symlink_to("/")
    (root / "jobs" / "processes").symlink_to("/proc/self/root")
    return root


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A job that is none of the repository's."""
    (tmp_path / "elsewhere").mkdir()
    job = tmp_path / "elsewhere" / "secret.json"
    job.write_text(json.dumps({"name": "of another project", "tasks": []}))
    return job


def told(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of Medallion in the repository's folder. A pipe that is opened would hold it for ever."""
    dropped = ("AIRFLOW_", "MEDALLION_", "DATABRICKS_", "PYTHON")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    command = [str(MEDALLION), *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=90, check=False)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_reading_runs_nothing_and_waits_for_nothing(
    repository: Path, tmp_path: Path, outside: Path, command: tuple[str, ...]
) -> None:
    done = told(repository, *command)
    assert done.returncode in {0, 2}, done.stderr
    assert "fault of Medallion" not in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert outside.parent.name not in done.stdout
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("command", ["list", "resolve", "check", "triggers", "run"])
def test_a_bundles_python_is_announced_before_it_runs(repository: Path, tmp_path: Path, command: str) -> None:
    bundle = repository / "jobs" / "coded"
    (bundle / ".venv" / "bin").mkdir(parents=True)
    python = bundle / ".venv" / "bin" / "python"
    python.write_text(f"#!/bin/sh\ntouch {tmp_path / 'ran'}\nexit 1\n")
    python.chmod(0o755)
    (bundle / "databricks.yml").write_text("bundle: {name: c}\npython: {venv_path: .venv, resources: ['r:load']}\n")
    named = [] if command in {"list", "check"} else ["jobs/coded"]
    if command in {"list", "resolve", "check"}:
        told(repository, command, *named, "--no-python")
        assert not (tmp_path / "ran").exists()
    done = told(repository, command, *named)
    assert (tmp_path / "ran").exists()
    assert f"{bundle}: its resources are defined in Python, and that code is run now" in done.stderr

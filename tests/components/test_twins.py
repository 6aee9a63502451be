"""Jobs of one name, run for real: each runs its own code, and a bundle's tasks start the bundle's own jobs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.airflow

ALWAYS = {"op": "EQUAL_TO", "left": "1", "right": "1"}
BUNDLE = """
bundle: {{name: template}}
resources:
  jobs:
    parent:
      name: parent
      tasks:
        - {{task_key: start, run_job_task: {{job_id: "${{resources.jobs.child.id}}"}}}}
    child:
      name: child
      tasks:
        - {{task_key: {key}, condition_task: {{op: EQUAL_TO, left: "1", right: "1"}}}}
"""


def run(project: Path, path: str) -> dict[str, Any]:
    """`medallion run PATH --json`."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("medallion")), "run", path, "--json"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_each_runs_its_own_code(tmp_path: Path) -> None:
    project = tmp_path / "project"
    for name in ("same1", "same2"):
        place = project / "jobs" / name / "job.json"
        place.parent.mkdir(parents=True)
        place.write_text(json.dumps({"name": "same", "tasks": [{"task_key": name, "condition_task": ALWAYS}]}))
    for folder, key in ((project / "jobs" / "copy", "inside"), (tmp_path / "elsewhere", "outside")):
        folder.mkdir(parents=True)
        (folder / "databricks.yml").write_text(BUNDLE.format(key=key))
    (project / "medallion.toml").touch()
    for name in ("same2", "same1"):
        told = run(project, f"jobs/{name}/job.json")
        assert [task["task_key"] for task in told["tasks"]] == [name]
    run(project, f"{tmp_path / 'elsewhere'}::parent")
    started = {place.name for place in (project / ".medallion" / "runs").glob("*/*/*") if place.is_dir()}
    assert started == {"same1", "same2", "start", "outside"}

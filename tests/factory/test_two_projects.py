"""Plain Airflow, two projects, called from another folder: each DAG runs for the project that built it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medallion.triggers.ended import ended_file

pytestmark = pytest.mark.airflow

ROOT = Path(__file__).parents[2]
LINES = """
from pathlib import Path
from airflow.sdk import get_parsing_context
from medallion.factory.dagfile import load_into
load_into(globals(), project=Path({project!r}), only=get_parsing_context().dag_id)
"""
ALWAYS = {"op": "EQUAL_TO", "left": "1", "right": "1"}
CONDITION = {"op": "EQUAL_TO", "left": "{{job.parameters.who}}", "right": "{{job.parameters.who}}"}


def job(name: str, **more: Any) -> dict[str, Any]:
    tasks = [
        {"task_key": "a", "condition_task": CONDITION},
        {
            "task_key": "b",
            "depends_on": [{"task_key": "a", "outcome": "true"}],
            "run_job_task": {"job_id": "${resources.jobs.child.id}"},
        },
    ]
    return {"name": name, "parameters": [{"name": "who", "default": name}], "tasks": tasks, **more}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Two projects, each with a job that starts another of its own, and an Airflow that knows their DAG files alone."""
    for name in ("one", "two"):
        jobs = {
            "parent": job(f"{name} 親"),
            "child": {"name": f"{name} child", "tasks": [{"task_key": "c", "condition_task": ALWAYS}]},
        }
        place = tmp_path / name / "jobs" / "jobs.json"
        place.parent.mkdir(parents=True)
        place.write_text(json.dumps({"resources": {"jobs": jobs}}))
        (tmp_path / name / "medallion.toml").touch()
        dag_file = tmp_path / "dags" / f"{name}.py"
        dag_file.parent.mkdir(exist_ok=True)
        dag_file.write_text(LINES.format(project=str(tmp_path / name)))
    (tmp_path / "elsewhere").mkdir()
    return tmp_path


def environment(site: Path, port: int) -> dict[str, str]:
    """What a person sets who runs Airflow by hand: nothing of Medallion."""
    given = {name: text for name, text in os.environ.items() if not name.startswith(("MEDALLION_", "AIRFLOW_"))}
    return given | {
        "AIRFLOW_HOME": str(site / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(site / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API_AUTH__JWT_SECRET": "x" * 64,
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "2",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "PYTHONPATH": str(ROOT / "include"),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), given.get("PATH", os.defpath)]),
    }


def airflow(site: Path, variables: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    """One command, from a folder that is no project."""
    return subprocess.run(
        [sys.executable, "-m", "airflow", *command],
        env=variables,
        cwd=site / "elsewhere",
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def runs_below(project: Path) -> set[str]:
    """DAGs whose runs left something in a project."""
    return {place.name for place in (project / ".medallion" / "runs").glob("*")}


def test_dags_test_runs_each_job_for_its_own_project(site: Path) -> None:
    from medallion.components.ports import free_port

    variables = environment(site, free_port("127.0.0.1", 18300))
    told = airflow(site, variables, "db", "migrate")
    assert told.returncode == 0, told.stderr[-2000:]
    for name in ("one", "two"):
        told = airflow(site, variables, "dags", "test", f"{name}_child")
        assert told.returncode == 0, told.stdout[-3000:] + told.stderr[-3000:]
        assert runs_below(site / name) == {f"{name}_child"}
    assert not list((site / "elsewhere").iterdir())
    assert not (site / ".medallion").exists()


@pytest.fixture
def components(site: Path) -> Iterator[tuple[dict[str, str], int]]:
    """Airflow's four components, started by hand from another folder."""
    from medallion.components.ports import free_port

    port = free_port("127.0.0.1", 18300)
    variables = environment(site, port)
    told = airflow(site, variables, "db", "migrate")
    assert told.returncode == 0, told.stderr[-2000:]
    started = []
    for name in ("api-server", "dag-processor", "scheduler", "triggerer"):
        with (site / f"{name}.log").open("w") as log:
            started.append(
                subprocess.Popen(
                    [sys.executable, "-m", "airflow", name],
                    env=variables,
                    cwd=site / "elsewhere",
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )
    yield variables, port
    for process in started:
        process.terminate()
    for process in started:
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()


@pytest.mark.slow
def test_components_run_each_job_for_its_own_project(site: Path, components: tuple[dict[str, str], int]) -> None:
    variables, port = components
    ids = {"one": "one", "two": "two"}  # plain ids: letters of another script are no part of them
    wait(lambda: knows(site, variables, *ids.values()), site)
    for dag_id in ids.values():
        told = airflow(site, variables, "dags", "trigger", dag_id, "--run-id", "r")
        assert told.returncode == 0, told.stderr[-2000:]
    wait(lambda: states(site) >= {(dag, "success") for name in ids for dag in (name, f"{name}_child")}, site)
    for name in ids:
        assert runs_below(site / name) == {name, f"{name}_child"}
        ended = ended_file(site / name / ".medallion").read_text().splitlines()
        assert {json.loads(line)["dag_id"] for line in ended} == {name, f"{name}_child"}
        page = fetch(f"http://127.0.0.1:{port}/lakeflow/triggers/{name}")
        assert f"{name} 親" in page
    assert not list((site / "elsewhere").iterdir())


def knows(site: Path, variables: dict[str, str], *dag_ids: str) -> bool:
    """Whether Airflow has read the DAGs."""
    return states(site, "SELECT dag_id, 1 FROM dag") >= {(dag_id, 1) for dag_id in dag_ids}


def states(site: Path, query: str = "SELECT dag_id, state FROM dag_run") -> set[tuple[Any, ...]]:
    """Rows of Airflow's database."""
    import sqlite3

    base = sqlite3.connect(f"file:{site / 'airflow' / 'airflow.db'}?mode=ro", uri=True, timeout=30)
    try:
        return set(base.execute(query))
    finally:
        base.close()


def wait(done: Any, site: Path, seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not done():
        logs = "\n".join(f"{log.name}: {log.read_text()[-1500:]}" for log in site.glob("*.log"))
        assert time.monotonic() < end, f"{states(site)}\n{logs}"
        time.sleep(1)


def fetch(url: str) -> str:
    """A page, as the one user that there is."""
    from urllib.request import Request, urlopen

    base = url.partition("/lakeflow")[0]
    with urlopen(f"{base}/auth/token", timeout=30) as answer:
        token = json.load(answer)["access_token"]
    with urlopen(Request(url, headers={"Authorization": f"Bearer {token}"}), timeout=30) as answer:
        return str(answer.read().decode())

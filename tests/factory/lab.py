"""Jobs of stub tasks, run for real: a project in a temporary folder, its Airflow database, one runner process."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medallion.components.configuration import Endpoint, environment, write_configuration
from medallion.components.database import ensure_database
from medallion.components.run_process import BUNDLE
from medallion.errors import RunError
from medallion.factory import naming
from medallion.runs.records import run_folder, safe
from medallion.runs.report import RunReport, report
from medallion.runs.snapshot import Snapshot
from medallion.runs.stored import snapshot_of
from medallion.settings import Settings
from medallion.spec.loading import load

PROJECT = Path(__file__).parents[2]
PARALLELISM = 4
SECRET = "quite-a-secret-77"
"""What a connection and a variable of the laboratory's Airflow hold."""

STUB = '''\
"""stub.py WORD…: ok; fail; fail_first N COUNT (fails while COUNT <= N); slow_fail (2 s later); sleep S; print WORD…"""
import sys, time
word, *rest = sys.argv[1:]
if word == "slow_fail":
    time.sleep(2)
if word == "fail" or (word in ("fail_first", "slow_fail") and int(rest[1]) <= int(rest[0])):
    raise RuntimeError("asked to fail")
if word == "sleep":
    time.sleep(float(rest[0]))
print("said", *rest, sep="|")
'''


@dataclass(frozen=True, slots=True)
class Ran:
    """A run that has ended."""

    report: RunReport
    snapshot: Snapshot
    home: Path
    seconds: float

    @property
    def result(self) -> str:
        return str(self.report.state.result)

    @property
    def states(self) -> dict[str, str]:
        """Result by task key."""
        return {task.task_key: str(task.state.result) for task in self.report.tasks}

    def attempts(self, key: str) -> int:
        return next(task.attempts for task in self.report.tasks if task.task_key == key)

    def log(self, task_id: str, map_index: int = -1, attempt: int | None = None) -> str:
        """What a task's log says, of all attempts unless one is named."""
        folder = self.home / "logs" / "tasks" / f"dag_id={self.snapshot.dag_id}"
        folder = folder / f"run_id={self.snapshot.run_id}" / f"task_id={task_id}"
        if map_index >= 0:
            folder = folder / f"map_index={map_index}"
        name = "*" if attempt is None else str(attempt)
        lines = [line for file in sorted(folder.glob(f"attempt={name}.log")) for line in file.read_text().splitlines()]
        return "\n".join(event_of(line) for line in lines)

    def folder(self, key: str) -> Path:
        """The folder with a task's attempts."""
        return run_folder(self.home, self.snapshot.dag_id, self.snapshot.run_id) / safe(key)

    def span(self, task_id: str, map_index: int = -1) -> tuple[float, float]:
        """Start and end of a task instance, seconds since the epoch."""
        (found,) = [item for item in self.snapshot.instances if (item.task_id, item.map_index) == (task_id, map_index)]
        assert found.start is not None
        assert found.end is not None
        return found.start, found.end


def event_of(line: str) -> str:
    """The text of one line of Airflow's JSON log."""
    try:
        told = json.loads(line)
    except json.JSONDecodeError:
        return line
    return " ".join(str(told[name]) for name in ("event", "error_detail") if told.get(name))


@dataclass
class Lab:
    """Puts jobs into a project and runs them."""

    project: Path
    places: str = ""
    """More lines of medallion.toml."""
    database: str = ""
    """SQLAlchemy's address of another database than the home's own."""
    process: subprocess.Popen[str] | None = None
    settings: Settings = field(init=False)
    count: int = 0
    sources: dict[str, Path] = field(default_factory=dict)
    """Definitions of jobs that are no JSON file of their own, by the job's name."""

    def __post_init__(self) -> None:
        (self.project / "jobs").mkdir(parents=True)
        (self.project / "jobs" / "stub.py").write_text(STUB)
        (self.project / "medallion.toml").write_text(
            f"parallelism = {PARALLELISM}\ndriver_start_seconds = 300\n{self.places}"
        )
        self.settings = Settings.load(self.project, environ={"MEDALLION_DRIVER_IDLE_SECONDS": "120"})

    def start(self) -> subprocess.Popen[str]:
        write_configuration(self.settings, Endpoint(self.settings.host, self.settings.port))
        bundle = {
            "name": BUNDLE,
            "classpath": "medallion.factory.bundle.RunDagBundle",
            "kwargs": {"path": str(PROJECT / "dags"), "project": str(self.project)},
        }
        variables = environment(self.settings) | {
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle]),
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
            "MEDALLION_DRIVER_IDLE_SECONDS": "120",
            "MEDALLION_SPARE_IDLE_SECONDS": "120",
            "AIRFLOW_CONN_LAB_SCOPE": json.dumps(
                {"conn_type": "generic", "password": SECRET, "extra": {"user": "lab"}}
            ),
            "AIRFLOW_VAR_LAB_SCOPE__TOKEN": f"token-{SECRET}",
            "MEDALLION_API_TOKEN": f"api-{SECRET}",
            "LAB_OWN": "kept",
        }
        if self.database:
            variables["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = self.database
            migrate = [sys.executable, "-m", "airflow", "db", "migrate"]
            subprocess.run(migrate, env=variables, cwd=self.project, check=True, capture_output=True)
        else:
            ensure_database(self.settings, None)
        return subprocess.Popen(
            [
                sys.executable,
                str(Path(__file__).with_name("run_server.py")),
                str(PROJECT / "dags" / "lakeflow_jobs.py"),
                str(PARALLELISM),
            ],
            env=variables,
            cwd=self.project,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(self.project / "server.log").open("w"),
            text=True,
            start_new_session=True,
        )

    def write(self, job: Mapping[str, Any]) -> Path:
        """A job into the jobs folder; one of the same name is replaced."""
        path = self.project / "jobs" / f"{re.sub(r'[^A-Za-z0-9]+', '_', job['name'])}.json"
        path.write_text(json.dumps(job))
        return path

    def run(self, job: Mapping[str, Any] | str, *, whole: bool = False, **conf: Any) -> Ran:
        """Run a job to its end. `whole` makes all jobs known, for those that start others."""
        name = job if isinstance(job, str) else job["name"]
        if not isinstance(job, str):
            self.write(job)
        return self.ask(name, {"dag_id": naming.dag_id(name), "conf": conf, "whole": whole})

    def repair(
        self, ran: Ran, job: Mapping[str, Any] | str, *, tasks: tuple[str, ...] = (), whole: bool = False, **wanted: Any
    ) -> Ran:
        """Repair a run to its end, by the job as it is given now."""
        name = job if isinstance(job, str) else job["name"]
        if not isinstance(job, str):
            self.write(job)
        repair = {"run": ran.snapshot.run_id, "tasks": tasks, "who": "lab", **wanted}
        return self.ask(name, {"dag_id": naming.dag_id(name), "whole": whole, "repair": repair})

    def ask(self, name: str, request: Mapping[str, Any]) -> Ran:
        """Have the runner do something with a job."""
        if self.process is None:
            self.process = self.start()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, (self.project / "server.log").read_text()[-3000:]
        told = json.loads(line)
        if "error" in told:
            raise RunError(told["error"])
        snapshot = snapshot_of(told["snapshot"])
        path = self.sources.get(name) or self.project / "jobs" / f"{re.sub(r'[^A-Za-z0-9]+', '_', name)}.json"
        definition = next(found for found in load(path).require() if found.job.name == name)
        return Ran(report(definition.job, snapshot, self.settings.home), snapshot, self.settings.home, told["seconds"])

    def close(self) -> None:
        """End the runner and all that belongs to the project's home."""
        from medallion.components.sweep import end_everything

        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
            self.process.wait(60)
        end_everything(self.settings)


def stub(key: str, *words: str, after: tuple[str, ...] = (), **settings: Any) -> dict[str, Any]:
    """A script task that does what the words say; `after` names parents, `key` or `key:outcome`."""
    task = {"spark_python_task": {"python_file": "stub.py", "parameters": list(words or ("ok",))}}
    return {"task_key": key, **task, **parents(after), **settings}


def ask(
    key: str, left: str = "1", op: str = "EQUAL_TO", right: str = "1", *, after: tuple[str, ...] = (), **settings: Any
) -> dict[str, Any]:
    """An if/else task: true unless other operands are given. It takes no process of its own, so it is a quick stub."""
    condition = {"op": op, "left": left, "right": right}
    return {"task_key": key, "condition_task": condition, **parents(after), **settings}


def bad(key: str, *, after: tuple[str, ...] = (), **settings: Any) -> dict[str, Any]:
    """A quick stub that fails: it compares no numbers."""
    return ask(key, "apple", "LESS_THAN", "1", after=after, **settings)


def parents(after: tuple[str, ...]) -> dict[str, Any]:
    edges = [dict(zip(("task_key", "outcome"), edge.split(":"), strict=False)) for edge in after]
    return {"depends_on": edges} if edges else {}

"""A run in a process of its own: no scheduler is up, or it does not know the job. In the user's shell."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from medallion.components.configuration import Endpoint, environment, write_configuration
from medallion.components.database import aside, connection, ensure_database, local_runs_folder
from medallion.components.jobs import find
from medallion.components.launcher import tail
from medallion.components.places import places_of
from medallion.components.run_process import BUNDLE, Request
from medallion.core.environment import OWNER
from medallion.errors import MedallionError, RunError, TargetError
from medallion.project.registry import EXTRA_JOBS, JobRegistry, source_path
from medallion.runs.snapshot import Snapshot
from medallion.runs.stored import snapshot_of
from medallion.runs.system_tables.store import make_system_tables

if TYPE_CHECKING:
    from medallion.components.jobs import Chosen
    from medallion.settings import Settings

CANCEL_SECONDS = 30
"""How long a run may take to end after Ctrl-C."""
LEAVE_SECONDS = 5
"""How long the run's process may take to end after the run."""
SPARK_TASKS = frozenset({"notebook_task", "spark_python_task", "python_wheel_task", "sql_task", "for_each_task"})

DAG_FILE = '''"""DAGs of a run outside the scheduler. Written by Medallion; edits are lost."""

from pathlib import Path

from airflow.sdk import get_parsing_context

from medallion.factory.dagfile import load_into

load_into(globals(), project=Path({project!r}), only=get_parsing_context().dag_id, paths={paths!r})
'''

Show = Callable[[Snapshot], None]


@dataclass(frozen=True, slots=True)
class LocalRun:
    """How a run outside the scheduler is made.

    :param beside: a scheduler is up for this home; the run then has a database of its own, because the scheduler would
        take the tasks up as well.
    :param repair: repair a run instead, see `run_process.Request`.
    """

    settings: Settings
    chosen: Chosen
    conf: Mapping[str, Any]
    target: str | None
    variables: Mapping[str, str]
    beside: bool = False
    repair: Mapping[str, Any] | None = None

    def prepare(self) -> dict[str, str]:
        """Make configuration and database ready; gives the environment of the run's process. Raises MedallionError."""
        if not self.beside:
            write_configuration(self.settings, Endpoint(self.settings.host, self.settings.port))
        places = aside(self.settings) if self.beside else None
        ensure_database(self.settings, places)
        make_system_tables(self.settings)
        return self.environment() | (connection(places) if places else {})

    def settled(self) -> LocalRun:
        """This run with the DAG id that its job keeps from here on."""
        (dag_id,) = JobRegistry(self.settings).by_ids([self.chosen.definition], with_variables=bool(self.variables))
        return replace(self, chosen=replace(self.chosen, dag_id=dag_id))

    def environment(self) -> dict[str, str]:
        """The environment of the run's process: only the chosen definition is read, as the command line reads it."""
        bundle = {
            "name": BUNDLE,
            "classpath": "medallion.factory.bundle.RunDagBundle",
            "kwargs": {"path": str(self.folder), "project": str(self.settings.project)},
        }
        variables = environment(self.settings) | {
            OWNER: str(self.settings.home),
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle]),
            **{f"BUNDLE_VAR_{name}": value for name, value in self.variables.items()},
        }
        if not self.chosen.served:
            variables[EXTRA_JOBS] = str(self.chosen.source)
        if self.target:
            variables["MEDALLION_BUNDLE_TARGET"] = self.target
        return variables

    @property
    def folder(self) -> Path:
        """The run's own DAG bundle. A retry after hours still finds it; the next run of the job uses it again."""
        name = f"{self.chosen.dag_id[:60]}_{zlib.crc32(str(self.chosen.source).encode()):08x}"
        return places_of(self.settings).airflow_home / "run_dags" / name

    def write_dag_files(self) -> Path:
        """The DAG file of the chosen definition alone.

        A job that starts others gets the files of those too, one each, so that a wrong one hurts no other.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "job.py"
        sources = {file: self.chosen.source}
        if self.starts_jobs:
            for number, other in enumerate(find(self.settings, [])):
                if source_path(other).resolve() != source_path(self.chosen.source).resolve():
                    sources[self.folder / f"other_{number}.py"] = other
        for old in self.folder.glob("*.py"):
            old.unlink()
        for place, source in sources.items():
            text = DAG_FILE.format(project=str(self.settings.project), paths=[str(source)])
            place.write_text(text, encoding="utf-8")
        return self.folder if self.starts_jobs else file

    @property
    def starts_jobs(self) -> bool:
        """Whether a task starts another job."""
        return any(task.kind == "run_job_task" for task in self.chosen.definition.job.tasks or ())

    def request(self) -> Request:
        """What the run's process is told."""
        return Request(
            dag_id=self.chosen.dag_id,
            dags=str(self.write_dag_files()),
            folder=str(self.folder),
            parallelism=self.settings.parallelism,
            markers=str(local_runs_folder(places_of(self.settings))),
            conf=dict(self.conf),
            whole=self.starts_jobs,
            repair=dict(self.repair) if self.repair is not None else None,
        )


def run_locally(run: LocalRun, show: Show, say: Callable[[str], None]) -> Snapshot:
    """Run a job in a process of its own and watch it to its end. Ctrl-C cancels the run.

    :param show: told each change.
    :param say: told what the start waits for.
    :raises MedallionError: it could not be started.
    """
    starter = prestart(run, say)
    variables = run.prepare()
    run = run.settled()
    log = places_of(run.settings).logs / "run.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "medallion.components.run_process"],
            env=variables,
            cwd=run.settings.project,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
            text=True,
        )
    try:
        last = watch(process, run, show, log)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(LEAVE_SECONDS)
        return last
    finally:
        end(process)
        if starter is not None:
            starter.join(timeout=0)


def watch(process: subprocess.Popen[str], run: LocalRun, show: Show, log: Path) -> Snapshot:
    """Follow the events of the run's process."""
    last: Snapshot | None = None
    if process.stdin is None or process.stdout is None:
        raise TargetError("the run's process has no pipes")
    with contextlib.suppress(BrokenPipeError), process.stdin as stream:
        stream.write(run.request().to_json())
    for snapshot in patiently(process, process.stdout):
        show(snapshot)
        last = snapshot
    if last is None or last.state not in {"success", "failed"}:
        raise TargetError(f"the run's process ended before the run did:\n{tail(log, 15)}", hint=f"its log is {log}")
    return last


def patiently(process: subprocess.Popen[str], stream: IO[str]) -> Iterator[Snapshot]:
    """The snapshots of the run. Ctrl-C asks the process to cancel it, and its last snapshots still come."""
    while True:
        try:
            line = stream.readline()
        except KeyboardInterrupt:
            process.terminate()
            threading.Timer(CANCEL_SECONDS, process.kill).start()
            continue
        if not line:
            return
        event = json.loads(line)
        if error := event.get("error"):
            raise told_error(error)
        if raw := event.get("snapshot"):
            yield snapshot_of(raw)


def told_error(raw: Mapping[str, Any]) -> MedallionError:
    """The error of the run's process as one of ours."""
    kind = RunError if raw["code"] == RunError.exit_code else TargetError
    return kind(raw["message"], hint=raw["hint"])


def end(process: subprocess.Popen[str]) -> None:
    """Make sure that the run's process is gone, and all of its session."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(CANCEL_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, 9)


def prestart(run: LocalRun, say: Callable[[str], None]) -> threading.Thread | None:
    """Start the Spark drivers of the job while Airflow is loaded: a JVM needs 10 s, Airflow as long, on two cores.

    A failure here is not told: the task that needs the driver meets it again and fails with it.
    """
    tasks = run.chosen.definition.job.tasks or ()
    if not any(task.kind in SPARK_TASKS for task in tasks):
        return None

    def start() -> None:
        from medallion.compute.pool import DriverPool
        from medallion.compute.targets import Wish, driver_for_task

        pool, definition = DriverPool(run.settings), run.chosen.definition
        with contextlib.suppress(MedallionError, OSError):
            specs = []
            for outer in tasks:
                if outer.kind in SPARK_TASKS:
                    inner = outer.payload.task if outer.kind == "for_each_task" else outer
                    wish = Wish.of(definition, run.conf, inner.task_key, outer.task_key, dag_id=run.chosen.dag_id)
                    specs.append(driver_for_task(run.settings, inner, definition.job, wish=wish))
            for spec in dict.fromkeys(specs):
                pool.prestart(spec, say)

    thread = threading.Thread(target=start, name="prestart", daemon=True)
    thread.start()
    return thread

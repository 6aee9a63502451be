"""A project with RetailHub and its Airflow up, whose processes can be killed: for the tests of reliability."""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil

from medallion.components.api_client import ApiClient
from medallion.components.deployment import Server
from medallion.components.health import healthy_components
from medallion.components.launcher import COMPONENTS
from medallion.components.ports import free_port
from medallion.components.record import Record
from medallion.errors import MedallionError
from medallion.settings import Settings

ROOT = Path(__file__).parents[2]
MEDALLION = Path(sys.executable).parent / "medallion"
JOB = "RetailHub_Medallion_Pipeline"
VICTIMS = ("task", "airflow-task", "driver", *COMPONENTS)
"""The user's process, Airflow's process of a task, the JVM, and what `medallion up` starts."""
WORKER_TITLE = "airflow worker -- LocalExecutor"
RUN_SECONDS = 900
BACK_SECONDS = 300
ENDED = frozenset({"TERMINATED", "SKIPPED", "INTERNAL_ERROR"})
TABLES = (
    *("bronze/bronze_customers", "bronze/bronze_orders", "silver/silver_customers", "silver/silver_orders_cleaned"),
    *("gold/gold_customer_orders_summary", "gold/gold_daily_orders"),
)


def wait_until(holds: Callable[[], bool], seconds: float, what: object = "it", every: float = 0.25) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not after {seconds:.0f} s: {what() if callable(what) else what}"
        time.sleep(every)


@dataclass
class Inbox:
    """Takes mail and keeps it."""

    mails: list[Message] = field(default_factory=list)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.mails.append(message_from_bytes(envelope.content))
        return "250 OK"


@dataclass(frozen=True)
class Run:
    """A run that was started."""

    dag_id: str
    airflow_run_id: str
    run_id: int


@dataclass
class Site:
    """A project with RetailHub and Airflow up."""

    folder: Path
    inbox: Inbox

    @property
    def home(self) -> Path:
        return self.folder / ".medallion"

    @cached_property
    def settings(self) -> Settings:
        return Settings.load(self.folder, environ={})

    @property
    def record(self) -> Record:
        record = Record.read(self.home / "up.json")
        assert record is not None, "Airflow is not up"
        return record

    @cached_property
    def client(self) -> ApiClient:
        return ApiClient(self.settings, Server(self.record.url, own=True))

    def command(self, *arguments: str) -> dict[str, Any]:
        """The JSON object of a command."""
        dropped = ("AIRFLOW_", "MEDALLION_", "DATABRICKS_")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
        done = subprocess.run(
            [MEDALLION, *arguments, "--json"],
            cwd=self.folder,
            env=clean,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )
        assert done.stdout.strip(), (arguments, done.stderr[-2000:])
        told: dict[str, Any] = json.loads(done.stdout)
        assert not set(told) <= {"error", "problems"}, (arguments, told)
        return told

    def patiently(self, ask: Callable[[], Any]) -> Any:
        """Ask until there is an answer: the API server may just be coming back."""
        end = time.monotonic() + BACK_SECONDS
        while True:
            try:
                return ask()
            except MedallionError:
                assert time.monotonic() < end, "the API server is not back"
                time.sleep(0.5)

    def start(self, job: str = JOB) -> Run:
        told = self.patiently(lambda: self.client.run_now(job, {}))
        return Run(told["dag_id"], told["airflow_run_id"], int(told["run_id"]))

    def show(self, run: Run) -> dict[str, Any]:
        place = f"/jobs/{run.dag_id}/runs/{run.run_id}"
        told: dict[str, Any] = self.patiently(lambda: self.client.own("GET", place))
        return told

    def going(self, run: Run) -> bool:
        return self.show(run)["life_cycle_state"] not in ENDED

    def ended(self, run: Run) -> dict[str, Any]:
        """The run once it has ended."""
        wait_until(lambda: not self.going(run), RUN_SECONDS, lambda: self.show(run))
        return self.show(run)

    def repaired(self, run: Run) -> dict[str, Any]:
        """The run once it has been repaired by the command line."""
        self.command("repair", str(run.run_id), "--all-failed")
        return self.ended(run)

    def victim(self, kind: str) -> int | None:
        """The process of a kind, when there is one now."""
        drivers = self.home / "drivers"
        if kind == "task":
            found = [int(file.stem) for file in drivers.glob("*/*/sessions/*.json")]
            return next((pid for pid in found if psutil.pid_exists(pid)), None)
        if kind == "airflow-task":
            return next(iter(self.airflow_tasks()), None)
        if kind == "driver":
            files = list(drivers.glob("*/*/connection.json"))
            return int(json.loads(files[0].read_text())["pid"]) if files else None
        return self.record.components[kind].pid

    def airflow_tasks(self) -> list[int]:
        """Airflow's own processes of tasks: children of the executor's workers."""
        try:
            below = psutil.Process(self.record.components["scheduler"].pid).children()
            workers = [item for item in below if " ".join(item.cmdline()).startswith(WORKER_TITLE)]
            return [child.pid for worker in workers for child in worker.children()]
        except psutil.Error:
            return []

    def kill(self, kind: str, run: Run) -> bool:
        """Kill -9 the process of a kind as soon as there is one; False when the run ended before."""
        while True:
            pid = self.victim(kind)
            if pid is not None:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
                return True
            if not self.going(run):
                return False

    def tables(self) -> dict[str, Any]:
        """Rows of each table, but for the times of writing."""
        import duckdb
        from deltalake import DeltaTable

        found: dict[str, Any] = {}
        for name in TABLES:
            arrow = DeltaTable(str(self.home / "lake" / "retailhub" / name)).to_pyarrow_dataset()
            columns = [column for column in arrow.schema.names if "ingest" not in column and "processed" not in column]
            with duckdb.connect() as db:
                db.register("delta", arrow)
                chosen = ", ".join(f'"{column}"' for column in columns)
                found[name] = Counter(map(repr, db.execute(f"SELECT {chosen} FROM delta").fetchall()))
        return found

    def is_calm(self) -> bool:
        """Whether nobody holds a driver or is attached to one."""
        drivers = self.home / "drivers"
        return not [*drivers.glob("*/*/leases/*"), *drivers.glob("*/*/sessions/*.json")]

    def is_well(self, since: float) -> bool:
        """Whether all components have given a sign of life since a moment."""
        return len(healthy_components(self.record.url, self.home, since)) == len(COMPONENTS)

    def settle(self, since: float) -> None:
        """Wait until nothing is left of the last run and all that was killed is back."""
        wait_until(self.is_calm, BACK_SECONDS, lambda: sorted((self.home / "drivers").glob("*/*/[ls]e*/*")))
        wait_until(lambda: self.is_well(since), BACK_SECONDS, "a component is not back")


def make(folder: Path, inbox: Inbox, mail_port: int, jobs: Mapping[str, Any], notebooks: Mapping[str, str]) -> Site:
    """Write the project: RetailHub with mails and 2,000 orders, other jobs, their notebooks."""
    place = folder / "jobs"
    shutil.copytree(ROOT / "jobs" / "retailhub", place / "retailhub")
    (definition,) = (place / "retailhub").glob("*.json")
    told = {event: ["ops@example.com"] for event in ("on_start", "on_success", "on_failure")}
    definition.write_text(json.dumps(json.loads(definition.read_text()) | {"email_notifications": told}))
    for name, job in jobs.items():
        (place / f"{name}.json").write_text(json.dumps({"name": name, **job}))
    for name, text in notebooks.items():
        (place / f"{name}.py").write_text(f"# Databricks notebook source\n{text}")
    mail = f'[smtp]\nhost = "127.0.0.1"\nport = {mail_port}\nsecurity = "none"\nsender = "jobs@example.com"\n'
    port = free_port("127.0.0.1", 18780)
    workspace = '[workspace]\n"/Workspace/Shared" = "jobs"\n'
    (folder / "medallion.toml").write_text(f"port = {port}\n{mail}{workspace}")
    volume = folder / ".medallion" / "volumes" / "retailhub" / "default" / "datasets"
    generator = [sys.executable, str(place / "retailhub" / "generate.py"), "--orders", "2000", "--out", str(volume)]
    subprocess.run(generator, check=True, capture_output=True)
    return Site(folder, inbox)


def keep_figures(**figures: Any) -> None:
    """Print figures, and add them to the file that `KILL_RESULTS` names."""
    print(json.dumps(figures), flush=True)
    if name := os.environ.get("KILL_RESULTS"):
        place = Path(name)
        known = json.loads(place.read_text()) if place.is_file() else {}
        machine = {"cores": os.cpu_count(), "system": platform.system(), "python": platform.python_version()}
        told = {"machine": machine, "date": time.strftime("%Y-%m-%d"), **known, **figures}
        place.write_text(json.dumps(told, indent=2) + "\n")

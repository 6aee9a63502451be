"""Kill -9 of each process at random moments of RetailHub runs, many runs at once, a full disk: nothing is lost or doubled.

The long suite. `KILL_ROUNDS` sets the number of kills (30), `KILL_SEED` the moments; figures go to the test's output.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import psutil
import pytest
from aiosmtpd.controller import Controller

from medallion.components.ports import free_port
from medallion.components.sweep import end_everything, marked
from medallion.settings import Settings

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(7200)]

ROOT = Path(__file__).parents[2]
MEDALLION = Path(sys.executable).parent / "medallion"
ROUNDS = int(os.environ.get("KILL_ROUNDS", "30"))
SEED = int(os.environ.get("KILL_SEED", "7"))
JOB = "RetailHub_Medallion_Pipeline"
RUN_SECONDS = 420
VICTIMS = ("task", "driver", "scheduler", "triggerer", "dag-processor", "api-server", "jobs-service")
TABLES = (
    *("bronze/bronze_customers", "bronze/bronze_orders", "silver/silver_customers", "silver/silver_orders_cleaned"),
    *("gold/gold_customer_orders_summary", "gold/gold_daily_orders"),
)


@dataclass
class Inbox:
    """Takes mail and keeps it."""

    mails: list[Message] = field(default_factory=list)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.mails.append(message_from_bytes(envelope.content))
        return "250 OK"


@dataclass
class Site:
    """A project with RetailHub and Airflow up."""

    folder: Path
    inbox: Inbox

    @property
    def home(self) -> Path:
        return self.folder / ".medallion"

    def call(self, *arguments: str) -> dict[str, Any]:
        """The command's JSON object."""
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
        return told

    def up(self) -> None:
        self.call("up", "--detach")

    def start(self, job: str = JOB) -> int:
        return int(self.patiently(lambda: self.call("run-now", job)["run_id"]))

    def show(self, run: int) -> dict[str, Any]:
        return self.patiently(lambda: self.call("runs", "show", str(run)))

    def patiently(self, ask: Callable[[], Any]) -> Any:
        """Ask until there is an answer: the API server may just be coming back."""
        end = time.monotonic() + 120
        while True:
            try:
                return ask()
            except (AssertionError, KeyError):
                if time.monotonic() > end:
                    raise
                time.sleep(1)

    def ended(self, run: int) -> dict[str, Any]:
        """The run once it has ended."""
        end = time.monotonic() + RUN_SECONDS
        while True:
            told = self.show(run)
            if told["life_cycle_state"] in {"TERMINATED", "SKIPPED", "INTERNAL_ERROR"}:
                return told
            assert time.monotonic() < end, told
            time.sleep(1)

    def victim(self, kind: str) -> int | None:
        """The process of a kind, when there is one now."""
        drivers = self.home / "drivers"
        if kind == "task":
            found = [int(file.stem) for file in drivers.glob("*/sessions/*.json")]
            return next((pid for pid in found if psutil.pid_exists(pid)), None)
        if kind == "driver":
            files = list(drivers.glob("*/connection.json"))
            return int(json.loads(files[0].read_text())["pid"]) if files else None
        record = json.loads((self.home / "up.json").read_text())
        return int(record["components"][kind]["pid"])

    def kill(self, kind: str, seconds: float = 60) -> None:
        """Kill -9 the process of a kind, as soon as there is one."""
        end = time.monotonic() + seconds
        while (pid := self.victim(kind)) is None:
            assert time.monotonic() < end, f"no {kind} to kill"
            time.sleep(0.1)
        os.kill(pid, signal.SIGKILL)

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


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    jobs = folder / "jobs"
    shutil.copytree(ROOT / "jobs" / "retailhub", jobs / "retailhub")
    (definition,) = (jobs / "retailhub").glob("*.json")
    job = json.loads(definition.read_text())
    told = {event: ["ops@example.com"] for event in ("on_start", "on_success", "on_failure")}
    definition.write_text(json.dumps(job | {"email_notifications": told}))
    for number in range(10):
        (jobs / f"burst_{number}.json").write_text(json.dumps(quick(f"burst_{number}")))
    inbox = Inbox()
    controller = Controller(inbox, hostname="127.0.0.1", port=free_port("127.0.0.1", 18725))
    controller.start()
    (folder / "medallion.toml").write_text(settings_text(controller.port))
    volume = folder / ".medallion" / "volumes" / "retailhub" / "default" / "datasets"
    generator = [sys.executable, str(jobs / "retailhub" / "generate.py"), "--orders", "2000", "--out", str(volume)]
    subprocess.run(generator, check=True, capture_output=True)
    place = Site(folder, inbox)
    place.up()
    yield place
    place.call("down")
    end_everything(Settings.load(folder, environ={}))
    controller.stop()


def settings_text(mail_port: int) -> str:
    """medallion.toml: the job's notebooks, a mail server, a port."""
    mail = f'[smtp]\nhost = "127.0.0.1"\nport = {mail_port}\nsecurity = "none"\nsender = "jobs@example.com"\n'
    port = free_port("127.0.0.1", 18780)
    return f'port = {port}\n{mail}[workspace]\n"/Workspace/Shared" = "jobs"\n'


def quick(name: str) -> dict[str, Any]:
    """A job of two tasks that need no process."""
    ask = {"op": "EQUAL_TO", "left": "1", "right": "1"}
    tasks = [{"task_key": "a", "condition_task": ask}, {"task_key": "b", "condition_task": ask}]
    tasks[1]["depends_on"] = [{"task_key": "a"}]
    return {"name": name, "max_concurrent_runs": 2, "queue": {"enabled": True}, "tasks": tasks}


def test_any_process_may_die_at_any_moment(site: Site) -> None:
    expected = finished(site, site.start())
    undisturbed = site.tables()
    moments = random.Random(SEED)
    results: Counter[tuple[str, str]] = Counter()
    slowest = 0.0
    runs = [expected]
    for number in range(ROUNDS):
        kind = VICTIMS[number % len(VICTIMS)]
        shutil.rmtree(site.home / "lake" / "retailhub")
        started = time.monotonic()
        run = site.start()
        time.sleep(moments.uniform(0, 12))
        site.kill(kind)
        told = site.ended(run)
        results[kind, told["result_state"]] += 1
        assert told["result_state"] in {"SUCCESS", "FAILED"}, (kind, told)
        if told["result_state"] == "FAILED":
            site.patiently(lambda run=run: site.call("repair", str(run), "--all-failed"))
            assert site.ended(run)["result_state"] == "SUCCESS", kind
        slowest = max(slowest, time.monotonic() - started)
        assert site.tables() == undisturbed, kind
        runs.append(run)
        wait_until(lambda: not leases(site), 60)
        print(f"round {number}: {kind}, {told['result_state']}, {time.monotonic() - started:.0f} s", flush=True)
    wait_until(lambda: subjects(site).total() >= 2 * len(runs), 60)
    doubled = {subject: count for subject, count in subjects(site).items() if count > 1}
    assert not doubled
    figures = {"rounds": ROUNDS, "slowest": round(slowest), "results": {" ".join(key): n for key, n in results.items()}}
    print(json.dumps(figures))


def finished(site: Site, run: int) -> int:
    """The run's id, once it has succeeded."""
    assert site.ended(run)["result_state"] == "SUCCESS"
    return run


def subjects(site: Site) -> Counter[str]:
    """How often each message came: its subject and the run it is about."""
    return Counter(f"{mail['Subject']} {mail['Message-ID']}" for mail in site.inbox.mails)


def leases(site: Site) -> list[Path]:
    """Leases on drivers that nobody gave back."""
    return list((site.home / "drivers").glob("*/leases/*"))


def wait_until(holds: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.5)


def test_200_runs_of_10_jobs_at_once_all_end(site: Site) -> None:
    started = time.monotonic()
    runs = [site.start(f"burst_{number % 10}") for number in range(200)]
    assert len(set(runs)) == 200
    ended = Counter(site.ended(run)["result_state"] for run in runs)
    print(f"200 runs ended after {time.monotonic() - started:.0f} s")
    assert ended == {"SUCCESS": 200}


def test_nothing_is_left_after_down(site: Site) -> None:
    site.call("down")
    wait_until(lambda: not list(marked(site.home)), 60)

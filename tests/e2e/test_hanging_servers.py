"""Servers that accept and never answer, and processes that die or stand still beside them: nobody else waits.

A Git server, a mail server and a webhook hang all the while. The usual suite has the Git server alone; `HANG_ROUNDS` sets
how many processes are killed and how many stopped in the long one (30 of each), `HANG_SEED` which and when, `HANG_SECONDS`
after how long no more rounds begin, `KILL_RESULTS` a JSON file of figures.

What is measured in the long suite is the answer to `run-now` of other jobs, once a second. It has to come within
ANSWER_SECONDS, counted from the question, unless the question overlaps a time in which

* the API server was killed and was not back, or was stopped;
* the supervisor was killed and `medallion up` had not started the components again;
* a process was stopped that writes to Airflow's database: with SQLite it may stand still with the database locked.

Those answers may come as much later as the time lasted; they are asked for again with their idempotency token.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from deltalake import DeltaTable
from e2e.site import BACK_SECONDS, RUN_SECONDS, Inbox, Run, Site, keep_figures, wait_until

from medallion.components.ports import free_port
from medallion.components.sweep import end_everything, marked
from medallion.runs.notifications.outbox import Outbox
from medallion.runs.system_tables.schema import TABLES as SYSTEM_TABLES
from medallion.settings import Settings

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(7200)]

ROUNDS = int(os.environ.get("HANG_ROUNDS", "30"))
SEED = int(os.environ.get("HANG_SEED", "12"))
LIMIT = float(os.environ.get("HANG_SECONDS", "inf"))
TIMEOUT = 25
ANSWER_SECONDS = 5.0
ITERATIONS = 4
WRITERS = ("api-server", "scheduler", "dag-processor", "triggerer", "jobs-service")
"""Processes that write to Airflow's database."""
VICTIMS = ("task", "airflow-task", "driver", "host", "spare", "sender", "supervisor", *WRITERS)
MARK = """\
import time
from pathlib import Path
place = Path("/Volumes/marks/default/all") / dbutils.widgets.get("run")
place.mkdir(parents=True, exist_ok=True)
with open(place / dbutils.widgets.get("number"), "a") as stream:
    stream.write("x")
time.sleep(1)
"""


class Silent:
    """A server that accepts and never answers."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port = self.listener.getsockname()[1]
        self.connections: list[socket.socket] = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                self.connections.append(self.listener.accept()[0])
            except OSError:
                return

    def close(self) -> None:
        for item in (self.listener, *self.connections):
            item.close()


@dataclass
class Asked:
    """One start of a quick job.

    :param begun: when it was asked for, on the monotonic clock.
    :param seconds: until it was answered, questions that failed included.
    """

    begun: float
    seconds: float
    run: Run


@dataclass
class Asker:
    """Starts a quick job once a second, as another user would."""

    site: Site
    asked: list[Asked] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Asker:
        self.thread = threading.Thread(target=self.ask)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join()

    def ask(self) -> None:
        while not self.ended.wait(1):
            begun = time.monotonic()
            run = start(self.site, "quick", idempotency_token=f"hang-{begun}")
            self.asked.append(Asked(begun, time.monotonic() - begun, run))


def start(site: Site, job: str, **request: Any) -> Run:
    told = site.patiently(lambda: site.client.run_now(job, request))
    return Run(told["dag_id"], told["airflow_run_id"], int(told["run_id"]))


def job(name: str, *tasks: dict[str, Any], **more: Any) -> tuple[str, dict[str, Any]]:
    return name, {"name": name, "tasks": list(tasks), **more}


def make(folder: Path, servers: dict[str, Silent]) -> Site:
    """A project whose jobs tell two servers of their ends, and whose Git server is a third."""
    ask = {"op": "EQUAL_TO", "left": "1", "right": "1"}
    told = {
        "email_notifications": {"on_success": ["ops@example.com"]},
        "webhook_notifications": {"on_success": [{"id": "hook"}]},
    }
    git = {
        "git_source": {
            "git_url": f"https://127.0.0.1:{servers['git'].port}/x.git",
            "git_provider": "gitHub",
            "git_branch": "main",
        }
    }
    script = {"task_key": "t", "spark_python_task": {"python_file": "x.py", "source": "GIT"}}
    each = {
        "task_key": "one",
        "notebook_task": {
            "notebook_path": "/Workspace/Shared/mark",
            "base_parameters": {"number": "{{input}}", "run": "{{job.run_id}}"},
        },
        "max_retries": 2,
        "min_retry_interval_millis": 0,
    }
    loop = {"inputs": json.dumps(list(range(ITERATIONS))), "concurrency": 2, "task": each}
    jobs = dict(
        [
            job("quick", {"task_key": "a", "condition_task": ask}, max_concurrent_runs=100, **told),
            job("work", {"task_key": "all", "for_each_task": loop}, **told),
            job("silent_git", script, timeout_seconds=TIMEOUT, **git),
            job("silent_for_ever", script, **git),
        ]
    )
    (folder / "jobs").mkdir()
    for name, settings in jobs.items():
        (folder / "jobs" / f"{name}.json").write_text(json.dumps(settings))
    (folder / "jobs" / "mark.py").write_text(f"# Databricks notebook source\n{MARK}")
    (folder / "medallion.toml").write_text(
        f"port = {free_port('127.0.0.1', 18790)}\ndriver_start_seconds = 300\n"
        f'[smtp]\nhost = "127.0.0.1"\nport = {servers["mail"].port}\nsecurity = "none"\nsender = "jobs@example.com"\n'
        f'[destinations.hook]\nkind = "webhook"\nurl = "http://127.0.0.1:{servers["hook"].port}/"\n'
        '[workspace]\n"/Workspace/Shared" = "jobs"\n'
    )
    site = Site(folder, Inbox())
    site.command("up", "--detach")
    wait_until(lambda: all(site.client.dag(name) for name in jobs), BACK_SECONDS, "a job is not known")
    return site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("hanging")
    servers = {name: Silent() for name in ("git", "mail", "hook")}
    try:
        yield make(folder, servers)
    finally:
        end_everything(Settings.load(folder, environ={}))
        for server in servers.values():
            server.close()


def gits(site: Site) -> list[str]:
    """Git and its children, as far as they belong to the site."""
    found = []
    for process in marked(site.home):
        try:
            if "git" in process.name():
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


def cancel(site: Site, run: Run) -> float:
    """Cancel a run; gives the seconds until the answer."""
    begun = time.monotonic()
    site.client.own("POST", f"/jobs/{run.dag_id}/runs/{run.run_id}/cancel", {"task_key": None})
    return time.monotonic() - begun


def test_a_git_server_that_never_answers_holds_up_its_own_run_alone(site: Site) -> None:
    site.client.log_in()
    run, other = start(site, "silent_git"), start(site, "silent_for_ever")
    begun = time.monotonic()
    wait_until(lambda: len(gits(site)) >= 2, 60, "Git does not run")
    cancels = []
    with Asker(site) as asker:
        while site.going(run):
            assert time.monotonic() - begun < TIMEOUT + 20, site.show(run)
            time.sleep(0.5)
        seconds = time.monotonic() - begun
        cancels.append(cancel(site, other))
        wait_until(lambda: not site.going(other), 60, lambda: site.show(other))
    assert site.show(run)["result_state"] == "TIMEDOUT"
    assert site.show(other)["result_state"] == "CANCELED"
    wait_until(lambda: not gits(site), 20, lambda: gits(site))
    answers = [item.seconds for item in asker.asked]
    keep_figures(
        **{
            "silent Git server": {
                "TIMEDOUT after, s": round(seconds, 1),
                "starts of other jobs": len(answers),
                "slowest answer, s": round(max(answers), 2),
                "answer to the cancel, s": round(cancels[0], 2),
            }
        }
    )
    assert seconds >= TIMEOUT - 1
    assert max([*answers, *cancels]) < ANSWER_SECONDS, answers
    wait_until(lambda: not any(site.going(item.run) for item in asker.asked), RUN_SECONDS)
    assert {site.show(item.run)["result_state"] for item in asker.asked} == {"SUCCESS"}


@dataclass(frozen=True)
class Disturbed:
    """A time in which an answer may be late.

    :param begun: on the monotonic clock.
    """

    kind: str
    how: str
    begun: float
    ended: float
    excused: bool


def victim(site: Site, kind: str) -> int | None:
    """The process of a kind, when there is one now."""
    if kind == "supervisor":
        return site.record.supervisor.pid
    if kind == "host":
        files = list((site.home / "drivers").glob("*/*/connection.json"))
        return int(json.loads(files[0].read_text())["host_pid"]) if files else None
    if kind in {"spare", "sender"}:
        for process in marked(site.home):
            try:
                line = " ".join(process.cmdline())
                if process.name() == "medallion-spare" or f".{kind}" in line:
                    if kind == "sender" and "notifications.sender" in line:
                        return process.pid
                    if kind == "spare" and process.name() == "medallion-spare":
                        return process.pid
            except psutil.Error:
                continue
        return None
    return site.victim(kind)


def disturb(site: Site, kind: str, how: str, seconds: float) -> Disturbed | None:
    """Kill a process, or stop it for a time; None when it was gone before."""
    pid = victim(site, kind)
    if pid is None:
        return None
    begun = time.monotonic()
    try:
        os.kill(pid, signal.SIGKILL if how == "kill" else signal.SIGSTOP)
        if how == "stop":
            time.sleep(seconds)
            os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        return None
    if how == "kill" and kind == "supervisor":
        site.command("up", "--detach")
        del site.__dict__["client"]
    if how == "kill" and kind in {"supervisor", "api-server"}:
        time.sleep(0.5)
        site.patiently(site.client.log_in)
    excused = kind == "api-server" or (kind == "supervisor" and how == "kill") or (how == "stop" and kind in WRITERS)
    return Disturbed(kind, how, begun, time.monotonic(), excused)


def late(asked: Asked, times: list[Disturbed]) -> float:
    """How much later than allowed an answer came; see the module's text."""
    allowed = ANSWER_SECONDS
    for item in times:
        if item.excused and asked.begun < item.ended and asked.begun + asked.seconds > item.begun:
            allowed += item.ended - max(item.begun, asked.begun)
    return asked.seconds - allowed


@pytest.mark.slow
def test_any_process_may_die_or_stand_still_while_servers_hang(site: Site) -> None:
    moments = random.Random(SEED)
    plan = [(how, VICTIMS[number % len(VICTIMS)]) for how in ("kill", "stop") for number in range(ROUNDS)]
    moments.shuffle(plan)
    assert site.ended(start(site, "work"))["result_state"] == "SUCCESS"  # the driver runs
    begun, times, repaired, runs = time.monotonic(), [], 0, []
    hanging = start(site, "silent_for_ever")
    with Asker(site) as asker:
        while plan and time.monotonic() - begun < LIMIT:
            how, kind = plan.pop()
            if not site.going(hanging):  # its process was the victim
                hanging = start(site, "silent_for_ever")
            run = start(site, "work")
            time.sleep(moments.uniform(0.5, 6))
            done = None
            while done is None and site.going(run):
                done = disturb(site, kind, how, moments.uniform(2, 8))
            told = site.ended(run)
            if told["result_state"] != "SUCCESS":
                assert done is not None, told
                assert how == "kill", told  # who only stood still has lost nothing
                told, repaired = site.repaired(run), repaired + 1
            assert told["result_state"] == "SUCCESS", (kind, how, told)
            marks = [len((place(site, run) / str(number)).read_text()) for number in range(ITERATIONS)]
            # One attempt of what ran is repeated after a kill, and once more when it was not tried again by itself.
            assert max(marks) <= (1 if how == "stop" else 3), (kind, how, marks)
            runs.append(run)
            if done is not None:
                times.append(done)
                print(f"{len(times)}: {how} {kind}, {time.monotonic() - done.begun:.0f} s, {marks}", flush=True)
            keep_figures(hanging=figures(times, asker.asked, repaired))
        if site.going(hanging):
            cancel(site, hanging)
    assert [item for item in asker.asked if late(item, times) > 0] == []
    check_runs(site, asker.asked)
    check_messages(site, [*runs, *(item.run for item in asker.asked)])
    check_rows(site, [*runs, *(item.run for item in asker.asked)])
    site.command("down")
    wait_until(lambda: not list(marked(site.home)), 60, lambda: list(marked(site.home)))


def place(site: Site, run: Run) -> Path:
    return site.home / "volumes" / "marks" / "default" / "all" / str(run.run_id)


def figures(times: list[Disturbed], asked: list[Asked], repaired: int) -> dict[str, Any]:
    usual = [item.seconds for item in asked if not any(overlaps(item, other) for other in times if other.excused)]
    return {
        "killed": sum(item.how == "kill" for item in times),
        "stopped": sum(item.how == "stop" for item in times),
        "victims": dict(Counter(f"{item.how} {item.kind}" for item in times)),
        "runs repaired": repaired,
        "starts of other jobs": len(asked),
        "of them beside a component that was itself away": len(asked) - len(usual),
        "slowest answer else, s": round(max(usual, default=0), 2),
        "slowest answer of all, s": round(max((item.seconds for item in asked), default=0), 2),
        "seed": SEED,
    }


def overlaps(asked: Asked, other: Disturbed) -> bool:
    return asked.begun < other.ended and asked.begun + asked.seconds > other.begun


def check_runs(site: Site, asked: list[Asked]) -> None:
    """Every start is one run, and every run has ended well."""
    ids = [item.run.run_id for item in asked]
    assert len(set(ids)) == len(ids)

    def left() -> int:
        known = site.client.call("GET", "/dags/quick/dagRuns?limit=1&state=queued&state=running")
        return int(known["total_entries"])

    wait_until(lambda: left() == 0, RUN_SECONDS, left)
    good = site.client.call("GET", "/dags/quick/dagRuns?limit=1&state=success")["total_entries"]
    everything = site.client.call("GET", "/dags/quick/dagRuns?limit=1")["total_entries"]
    assert good == everything >= len(ids)


def check_messages(site: Site, runs: list[Run]) -> None:
    """Each success waits in the outbox once for each of its two servers."""
    wanted = {run.run_id for run in runs}

    def waiting() -> Counter[tuple[int, str]]:
        outbox = Outbox(site.home)
        try:
            letters = outbox.letters(most=100_000)
        finally:
            outbox.close()
        return Counter((item.message.run_id, str(item.recipient)) for item in letters)

    def missing() -> set[int]:
        servers = Counter(number for number, _ in waiting())
        return {number for number in wanted if servers[number] != 2}

    wait_until(lambda: not missing(), BACK_SECONDS, missing, every=1)
    assert [key for key, count in waiting().items() if count > 1] == []


def check_rows(site: Site, runs: list[Run]) -> None:
    """The system tables have each run once, with its success."""
    wanted = {str(run.run_id) for run in runs}
    table = str(site.home / "lake" / "system" / "lakeflow" / "job_run_timeline")

    def rows() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = DeltaTable(table).to_pyarrow_table().to_pylist()
        return found

    wait_until(
        lambda: wanted <= {row["run_id"] for row in rows() if row["result_state"] == "SUCCEEDED"}, BACK_SECONDS, every=1
    )
    keys = Counter(tuple(row[column] for column in SYSTEM_TABLES["job_run_timeline"].key) for row in rows())
    assert [key for key, count in keys.items() if count > 1] == []


def test_who_is_excused_and_for_how_long() -> None:
    run = Run("quick", "r", 1)
    away = [Disturbed("api-server", "kill", 100, 110, excused=True), Disturbed("task", "kill", 200, 210, excused=False)]
    assert late(Asked(90, 4.9, run), away) < 0
    assert late(Asked(90, 5.1, run), away) > 0
    assert late(Asked(105, 9.9, run), away) < 0  # five seconds more of its absence, and five to answer
    assert late(Asked(105, 10.1, run), away) > 0
    assert late(Asked(111, 5.1, run), away) > 0
    assert late(Asked(200, 5.1, run), away) > 0

"""Hand-made changes of runs, and servers that take messages, refuse them or never answer."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from medallion.runs.changes import Kind, RunChange
from medallion.runs.report import RunReport
from medallion.runs.snapshot import Snapshot
from medallion.runs.states import LifeCycle, Result, State
from medallion.runs.task_report import TaskReport
from medallion.spec.definition import JobDefinition
from medallion.spec.job import Job

START = 1_700_000_000.0


def state(result: str | None) -> State:
    """A state that ended with a result, or one that goes on."""
    if result is None:
        return State(LifeCycle.RUNNING)
    skipped = {"EXCLUDED", "DISABLED", "UPSTREAM_FAILED", "UPSTREAM_CANCELED", "MAXIMUM_CONCURRENT_RUNS_REACHED"}
    return State(LifeCycle.SKIPPED if result in skipped else LifeCycle.TERMINATED, Result(result))


@dataclass
class Story:
    """One run of one job; makes its changes."""

    job: Mapping[str, Any]
    results: dict[str, str | None] = field(default_factory=dict)
    repair: int = 0
    run_id: str = "manual__2026-03-08T07:05:09+00:00"
    start: float = START
    end: float | None = START + 12.5

    @property
    def definition(self) -> JobDefinition:
        return JobDefinition(Job.from_json(dict(self.job)), "key", Path("job.json"), Path())

    def change(self, kind: Kind, task: str = "", result: str | None = None, attempt: int = 0, **more: Any) -> RunChange:
        """A change; `result` is the run's or the task's."""
        tasks = tuple(self.task(key, told) for key, told in self.results.items())
        whole = state(result) if not task else state(None)
        stop = self.end if kind is not Kind.RUN_STARTED else None
        report = RunReport(
            str(self.job["name"]), 1, self.run_id, whole, round(self.start * 1000), round((stop or 0) * 1000), tasks
        )
        snapshot = Snapshot(str(self.job["name"]), self.run_id, "running", self.start, stop)
        about = self.task(task, result, attempt) if task else None
        return RunChange(kind, self.definition, snapshot, report, self.repair, about, attempt, **more)

    def task(self, key: str, result: str | None, attempt: int = 1) -> TaskReport:
        end = round((self.end or 0) * 1000) if result else 0
        return TaskReport(key, state(result), attempt, round(self.start * 1000), end)


def job(**settings: Any) -> dict[str, Any]:
    """A job with one notebook task `load`, unless tasks are given."""
    tasks = [{"task_key": "load", "notebook_task": {"notebook_path": "n"}}]
    return {"name": "nightly", "tasks": tasks, **settings}


def task(key: str = "load", **settings: Any) -> dict[str, Any]:
    return {"task_key": key, "notebook_task": {"notebook_path": "n"}, **settings}


@dataclass
class Posts:
    """A real HTTP server. `plan` says how it answers: a status, `hang`, or `drop`; the last one stays."""

    plan: list[int | str] = field(default_factory=lambda: [200])
    got: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    answer: bytes = b""
    server: ThreadingHTTPServer | None = None
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        assert self.server is not None
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def start(self, port: int = 0) -> None:
        posts = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                posts.got.append((self.path, dict(self.headers), json.loads(body)))
                how = posts.plan[0] if len(posts.plan) == 1 else posts.plan.pop(0)
                if how == "hang":
                    posts.released.wait(60)
                if isinstance(how, str):
                    self.close_connection = True
                    return
                self.send_response(how)
                self.send_header("Content-Length", str(len(posts.answer)))
                self.end_headers()
                self.wfile.write(posts.answer)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        self.released.set()
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()


@pytest.fixture
def posts() -> Iterator[Posts]:
    """An HTTP server that keeps what it is sent."""
    server = Posts()
    server.start()
    yield server
    server.stop()


@dataclass
class Mails:
    """A real SMTP server. `plan` says how it answers each message: a reply, or `hang`; the last one stays."""

    plan: list[str] = field(default_factory=lambda: ["250 taken"])
    got: list[Any] = field(default_factory=list)
    controller: Any = None

    @property
    def port(self) -> int:
        return int(self.controller.port)

    def start(self, port: int = 0) -> None:
        import asyncio
        import email
        import email.policy
        import socket

        from aiosmtpd.controller import Controller

        mails = self

        class Handler:
            async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
                if address.startswith("nobody@"):
                    return "550 no such mailbox"
                envelope.rcpt_tos.append(address)
                return "250 OK"

            async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
                how = mails.plan[0] if len(mails.plan) == 1 else mails.plan.pop(0)
                if how == "hang":
                    await asyncio.sleep(60)
                if how.startswith("250"):
                    found = email.message_from_bytes(envelope.content, policy=email.policy.default)
                    mails.got.append((tuple(envelope.rcpt_tos), found))
                return how

        if not port:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
        self.controller = Controller(Handler(), hostname="127.0.0.1", port=port)
        self.controller.start()

    def stop(self) -> None:
        if self.controller is not None:
            self.controller.stop()


@pytest.fixture
def mails() -> Iterator[Mails]:
    """An SMTP server that keeps what it is sent."""
    server = Mails()
    server.start()
    yield server
    server.stop()


def until(condition: Any, seconds: float = 60.0) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come in time"
        time.sleep(0.02)

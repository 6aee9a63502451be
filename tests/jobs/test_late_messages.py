"""A message that finds its server dead after `medallion run` is kept, leaves no process, and goes out with the next run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from jobs.conftest import Bench
from runs.notifications.conftest import Posts, until

from medallion.components.sweep import marked

pytestmark = [pytest.mark.airflow, pytest.mark.e2e]

CONDITION = {"op": "EQUAL_TO", "left": "1", "right": "1"}


@pytest.fixture
def server() -> Iterator[Posts]:
    """A server that has a port and is not up yet."""
    server = Posts()
    server.start()
    server.stop()
    yield server
    server.stop()


def senders(home: Path) -> list[psutil.Process]:
    """The processes that send messages of this home."""
    return [one for one in marked(home) if any("notifications.sender" in word for word in one.cmdline())]


def test_a_message_for_a_dead_server_waits_and_the_next_run_sends_it(server: Posts, tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    hook = {"on_success": [{"id": "hook"}]}
    job: dict[str, Any] = {"name": "told", "webhook_notifications": hook}
    job["tasks"] = [{"task_key": "a", "condition_task": CONDITION}]
    (tmp_path / "jobs" / "told.json").write_text(json.dumps(job))
    (tmp_path / "medallion.toml").write_text(f'[destinations.hook]\nurl = "{server.url}"\n')
    bench = Bench(tmp_path, tmp_path / "home")
    first = bench.run("told")

    def status() -> dict[str, Any]:
        return json.loads(bench.medallion("status", "--json").stdout)

    def attempts() -> list[int]:
        told = json.loads(bench.medallion("notifications", "--json").stdout)["notifications"]
        return [item["attempts"] for item in told if item["state"] == "pending"]

    try:
        until(lambda: attempts() == [2], 120)
        until(lambda: not senders(bench.home), 60)
        assert status()["notifications_waiting"] == 1
        assert "1 to be sent; `medallion notifications --send`" in " ".join(bench.medallion("status").stdout.split())
        assert server.server is not None
        server.start(server.server.server_address[1])
        second = bench.run("told")
        until(lambda: len(server.got) == 2, 120)
        assert [body["run"]["run_id"] for _, _, body in server.got] == [first["run_id"], second["run_id"]]
        until(lambda: status()["notifications_waiting"] == 0, 60)
        until(lambda: not senders(bench.home), 60)
    finally:
        bench.medallion("down")

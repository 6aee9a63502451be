"""Ends of tasks' supervisors at any moment of their lives leave nothing of the task behind."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from medallion.components import task_process
from medallion.components.run_loop import stop_processes

pytestmark = pytest.mark.airflow
FORK = multiprocessing.get_context("fork")


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def gone(pid: int) -> bool:
    """Whether a process ends within a generous while."""
    end = time.monotonic() + 30
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not alive(pid)


def starts_sleepers(notes: Path, ready: Callable[[], None]) -> None:
    """What stands for Airflow's supervisor: starts processes one after the other, one in a session of its own."""
    for number in range(6):
        child = subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(300)"], start_new_session=number % 2 == 0
        )
        with notes.open("a") as file:
            file.write(f"{child.pid}\n")
    ready()
    time.sleep(300)


@pytest.mark.parametrize("seed", range(8))
def test_a_supervisor_that_is_ended_at_any_moment_takes_its_task_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    from airflow.sdk.execution_time import supervisor

    notes = tmp_path / "pids"
    notes.touch()
    monkeypatch.setattr(task_process, "fresh_connections", lambda: None)
    monkeypatch.setattr(supervisor.InProcessTestSupervisor, "_api_client", lambda: None)
    monkeypatch.setattr(supervisor, "supervise_task", lambda **_: starts_sleepers(notes, lambda: None))
    workload = SimpleNamespace(ti=None, bundle_info=None, dag_rel_path="", log_path="")
    process = FORK.Process(target=task_process.supervise_in_child, args=(workload,))
    process.start()
    end = time.monotonic() + 60
    while not notes.read_text() and time.monotonic() < end:
        time.sleep(0.001)
    time.sleep(random.Random(seed).random() * 0.2)
    stop_processes([process])
    assert not process.is_alive()
    assert [pid for pid in map(int, notes.read_text().split()) if not gone(pid)] == []


def deaf(notes: Path) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    starts_sleepers(notes, lambda: (notes.parent / "ready").touch())


def test_one_that_does_not_listen_is_ended_with_all_below_it(tmp_path: Path) -> None:
    notes = tmp_path / "pids"
    process = FORK.Process(target=deaf, args=(notes,))
    process.start()
    end = time.monotonic() + 60
    while not (tmp_path / "ready").exists() and time.monotonic() < end:
        time.sleep(0.01)
    stop_processes([process], patience=0.1)
    assert not process.is_alive()
    pids = [int(line) for line in notes.read_text().split()]
    assert len(pids) == 6
    assert [pid for pid in pids if not gone(pid)] == []
    assert os.getpid() not in pids

"""A task that takes too much memory, or too many processes, is ended with all of them, and says so."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from medallion.runtime import death, task_limits
from medallion.runtime.death import Death, failure_of
from medallion.runtime.launch import launch
from medallion.runtime.protocol import Places, TaskContext, TaskResult
from medallion.runtime.task_limits import LimitWatch, bytes_of, machine_memory, memory_of
from medallion.settings import Settings

HOG = """
held = []
print("begun", flush=True)
for _ in range(60):
    held.append(b"x" * (50 << 20))
    time.sleep(0.05)
time.sleep(600)
"""
CHILD_HOG = """
import multiprocessing
def hold():
    held = b"x" * (300 << 20)
    time.sleep(600)
several = [multiprocessing.Process(target=hold) for _ in range(4)]
[one.start() for one in several]
time.sleep(600)
"""
BOMB = """
while True:
    if os.fork() == 0:
        if APART:
            os.setsid()
        time.sleep(0.01)
    if len(os.listdir("/proc")) > MOST:  # where no limit holds the test must not take the machine along
        time.sleep(600)
"""


@pytest.fixture
def limited(settings: Settings, places: Places, tmp_path: Path, answers: Any) -> Callable[..., tuple[TaskResult, str]]:
    """Run a Python file with limits; gives its result and output."""

    def go(code: str, *, spare: bool, **limits: Any) -> tuple[TaskResult, str]:
        path = tmp_path / "task.py"
        path.write_text(f"import os, time\n{code}")
        lines: list[str] = []
        context = TaskContext(kind="python", path=str(path), output=str(tmp_path / "out"), places=places)
        context = replace(context, environment={"LIMITED": str(tmp_path)})
        made = settings.model_copy(update=limits)
        result = launch(context, made, answers=answers(), on_output=lines.append, spare=spare, timeout=120)
        return result, "\n".join(lines)

    return go


def left_of(folder: Path) -> list[int]:
    """Processes that a task of this test has left."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("LIMITED") == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (psutil.Error, OSError):
            pass
    return found


def check_gone(folder: Path) -> None:
    """All processes of the task end within a generous while."""
    limit = time.monotonic() + 30
    while left := left_of(folder):
        assert time.monotonic() < limit, left
        time.sleep(0.05)


@pytest.mark.parametrize("spare", [pytest.param(True, id="forked"), pytest.param(False, id="fresh")])
@pytest.mark.parametrize("code", [pytest.param(HOG, id="itself"), pytest.param(CHILD_HOG, id="children together")])
def test_a_hog_is_ended_and_told(limited: Any, tmp_path: Path, code: str, spare: bool) -> None:
    result, output = limited(code, spare=spare, task_memory="800m")
    assert result.failure is not None
    assert result.failure.kind == "LimitExceeded"
    assert "of memory together, more than 800 MB (setting task_memory), and was ended while it ran" in output
    check_gone(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux hands orphans on")
@pytest.mark.parametrize("spare", [pytest.param(True, id="forked"), pytest.param(False, id="fresh")])
@pytest.mark.parametrize("apart", [pytest.param(False, id="one group"), pytest.param(True, id="sessions of their own")])
def test_a_fork_bomb_is_ended_and_told(limited: Any, tmp_path: Path, apart: bool, spare: bool) -> None:
    result, output = limited(
        f"APART = {apart}\nMOST = len(os.listdir('/proc')) + 400\n{BOMB}", spare=spare, task_processes=60
    )
    assert result.failure is not None
    assert result.failure.kind == "LimitExceeded"
    assert "processes at once, more than 60 (setting task_processes)" in output
    check_gone(tmp_path)


def test_a_modest_task_is_left_alone(limited: Any) -> None:
    result, _ = limited("held = b'x' * (50 << 20)\ntime.sleep(3)", spare=True, task_memory="2g", task_processes=50)
    assert result.success


FORKS = """
held = b"x" * (300 << 20)
for _ in range(8):
    if os.fork() == 0:
        time.sleep(4)
        os._exit(0)
time.sleep(4)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells shares")
def test_memory_that_forks_have_in_common_counts_once(limited: Any) -> None:
    result, output = limited(FORKS, spare=True, task_memory="900m")
    assert result.success, output


def test_a_limit_that_no_setting_states_is_a_share_of_the_machine(settings: Settings) -> None:
    import os

    watch = LimitWatch(os.getpid(), settings)
    assert 0 < watch.memory < machine_memory() <= psutil.virtual_memory().total
    assert watch.broken(watch.next_look + 1) is None
    assert 1 << 20 < memory_of(os.getpid()) < machine_memory()
    assert memory_of(2**22 + 1) == 0


def test_looks_are_a_while_apart(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    monkeypatch.setattr(task_limits, "family", lambda pid: looks.append(pid) or [])
    watch = LimitWatch(1, settings, next_look=100.0)
    assert watch.broken(99.9) is None
    assert looks == []
    watch.broken(100.1)
    assert looks == [1]


@pytest.mark.parametrize(("text", "amount"), [("512m", 512 << 20), ("4g", 4 << 30), (None, 0)])
def test_amounts_of_memory(text: str | None, amount: int) -> None:
    assert bytes_of(text) == amount


@pytest.mark.parametrize(
    ("how", "kind", "words"),
    [
        pytest.param(Death(None, -9), "Killed", "SIGKILL in cell 2; the machine may have run out", id="kill"),
        pytest.param(
            Death(None, -9, memory_ran_out=True), "Killed", "SIGKILL in cell 2; the machine had no", id="memory"
        ),
        pytest.param(Death(None, -11), "Killed", "killed by SIGSEGV in cell 2", id="crash"),
        pytest.param(Death(None, -99), "Killed", "killed by signal 99 in cell 2", id="a signal without a name"),
        pytest.param(Death(None, 3), "Exit", "ended itself with status 3 in cell 2", id="exit"),
        pytest.param(Death(None, None), "Exit", "an unknown status", id="unknown"),
        pytest.param(Death("Timeout", -15), "Timeout", "longer than its time-out", id="time-out"),
        pytest.param(Death("Killed", -15), "Killed", "was cancelled in cell 2", id="cancel"),
        pytest.param(Death("Limit", -9, "too much"), "LimitExceeded", "too much, and was ended in cell 2", id="limit"),
    ],
)
def test_a_death_in_words(how: Death, kind: str, words: str) -> None:
    failure = failure_of(how, "notebook", {"index": 2, "line": 5})
    assert (failure.kind, failure.cell, failure.line) == (kind, 2, 5)
    assert words in failure.message
    assert death.place("notebook", {}) == "before the first cell"
    assert death.place("notebook", {"index": 1, "title": "Load"}) == 'in cell 1 "Load"'

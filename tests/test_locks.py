"""Locks and waits that a listener or an endpoint may come to: each has an end, and nothing slow is done under a lock."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from endless_waits import locks, waits

from medallion.factory import sources
from medallion.runs.notes import change_notes, note, read_notes
from medallion.runs.records import run_folder
from medallion.settings import Settings
from medallion.spec.job import GitSource

PACKAGE = Path(__file__).parents[1] / "include" / "medallion"
WORKER = "a worker's task, which can be ended"
TASK = "the task's own process, which can be ended"
SHELL = "a command of the user's shell"
KNOWN_LOCKS = {
    "components/sql_query.py": SHELL,
    "compute/artifacts.py": WORKER,
    "compute/gateway.py": "hosts and workers",
    "compute/git.py": WORKER,
    "compute/host.py": "a driver's host, which holds the pool's lock for no wait",
    "compute/pool.py": WORKER,
    "compute/target_check.py": SHELL,
    "factory/operators/cluster.py": WORKER,
    "factory/operators/process.py": WORKER,
    "runs/progress.py": "threads of the jobs service, around single statements",
    "runs/start.py": "threads of the API server, around one transaction that has a limit of its own",
    "runs/system_tables/store.py": "a thread of the jobs service, and the command line",
    "runtime/channel.py": TASK,
    "runtime/output.py": TASK,
    "runtime/record.py": TASK,
}
"""Files that take a lock without an end, and who waits there: nobody whom other runs wait for."""
KNOWN_WAITS = {
    "cli/notifications.py": SHELL,
    "components/launcher.py": "the supervisor, for what it has killed",
    "components/local_run.py": SHELL,
    "components/run_loop.py": "a run's own process",
    "compute/host.py": "a driver's host, for what it has killed",
    "compute/pool.py": WORKER,
    "runtime/jar.py": TASK,
    "runtime/magics/pip.py": TASK,
    "runtime/magics/shell_command.py": TASK,
    "runtime/scripts.py": TASK,
    "runtime/spare_start.py": "a worker's task, for a program that forks and ends",
}
"""Files that wait without an end for a program or a thread."""


def found_by(look: Any) -> set[str]:
    """Files of the whole package: a listener may call any of them."""
    files = sorted(PACKAGE.rglob("*.py"))
    return {str(file.relative_to(PACKAGE)) for file in files if look(file.read_text(encoding="utf-8"))}


def test_every_lock_without_an_end_is_known_and_no_listener_waits_for_it() -> None:
    assert found_by(locks) == set(KNOWN_LOCKS)


def test_every_wait_without_an_end_is_known_and_no_listener_comes_to_it() -> None:
    assert found_by(waits) == set(KNOWN_WAITS)


@pytest.mark.parametrize(
    "line",
    [
        "from filelock import FileLock\nFileLock(p)",
        "from filelock import FileLock as L\nL(p)",
        "import filelock\nfilelock.FileLock(p)",
        "import filelock as f\nf.SoftFileLock(p)",
        "from filelock import FileLock\nFileLock(p, -1)",
        "from filelock import FileLock\nFileLock(p, timeout=-1)",
        "from filelock import FileLock\nFileLock(p, timeout=None)",
        "from filelock import FileLock\nlocked = FileLock\nlocked(p)",
        "from filelock import FileLock\nfrom functools import partial\npartial(FileLock, p)",
        "import fcntl\nfcntl.flock(stream, fcntl.LOCK_EX)",
        "from fcntl import flock\nimport fcntl\nflock(stream, fcntl.LOCK_EX)",
        "import fcntl\nfcntl.lockf(open('LOCK_NB'), fcntl.LOCK_EX)",
        "import fcntl\ntake = fcntl.flock\ntake(stream, fcntl.LOCK_SH)",
        "import threading\nthreading.Lock()",
        "from threading import RLock as R\nR()",
        "def f():\n    from filelock import FileLock\n    FileLock(p)",
        "lock.acquire()",
        "lock.acquire(timeout=-1)",
    ],
)
def test_a_lock_without_an_end_is_found_however_it_is_written(line: str) -> None:
    assert locks(line)


@pytest.mark.parametrize(
    "line",
    [
        "from filelock import FileLock\nFileLock(p, timeout=5)",
        "from filelock import FileLock\nFileLock(p, 5)",
        "import fcntl\nfcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "import fcntl\nfcntl.flock(stream, fcntl.LOCK_UN)",
        "lock.acquire(timeout=5)",
        "lock.acquire(blocking=False)",
        "lock.acquire(False)",
    ],
)
def test_a_lock_with_an_end_is_left_alone(line: str) -> None:
    assert not locks(line)


@pytest.mark.parametrize(
    "line",
    [
        "import subprocess\nsubprocess.run(c)",
        "from subprocess import check_output as ask\nask(c)",
        "from urllib.request import urlopen\nurlopen(u)",
        "import smtplib\nsmtplib.SMTP(h)",
        "process.wait()",
        "process.communicate()",
        "thread.join()",
        "event.wait(timeout=None)",
    ],
)
def test_a_wait_without_an_end_is_found_however_it_is_written(line: str) -> None:
    assert waits(line)


def test_a_lock_that_is_never_given_back_is_waited_for_a_short_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medallion.runs.notes.locked.__wrapped__.__defaults__", (0.3,))
    note(tmp_path, "d", "r", a=1)
    held, done = threading.Event(), threading.Event()

    def change(notes: dict[str, Any]) -> dict[str, Any]:
        held.set()
        done.wait(10)
        return notes

    holder = threading.Thread(target=change_notes, args=(tmp_path, "d", "r", change))
    holder.start()
    held.wait(10)
    try:
        with pytest.raises(OSError, match="held by another process"):
            note(tmp_path, "d", "r", a=2)
    finally:
        done.set()
        holder.join()
    assert read_notes(tmp_path, "d", "r") == {"a": 1}


def test_a_git_server_is_asked_before_the_lock_of_the_run_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings.load(tmp_path, environ={})
    asked, answered = threading.Event(), threading.Event()

    def commit_of(*_: object) -> str:
        asked.set()
        answered.wait(10)
        return "a" * 40

    monkeypatch.setattr("medallion.compute.git.Repository.commit_of", commit_of)
    attempt: Any = SimpleNamespace(dag_id="d", airflow_run_id="r")
    source = GitSource.model_validate({"git_url": "https://x/y.git", "git_provider": "gitHub", "git_branch": "main"})
    found: list[str] = []
    task = threading.Thread(target=lambda: found.append(sources.commit_of_run(settings, attempt, source)))
    task.start()
    assert asked.wait(10)
    begun = time.monotonic()
    note(settings.home, "d", "r", canceled={"by": "someone"})
    assert time.monotonic() - begun < 1
    answered.set()
    task.join()
    told = read_notes(settings.home, "d", "r")
    assert found == ["a" * 40] == [told["git"]["https://x/y.git"]["used_commit"]]
    assert told["canceled"] == {"by": "someone"}
    assert run_folder(settings.home, "d", "r").is_dir()

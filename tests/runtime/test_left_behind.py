"""What a task leaves running ends with it, though it left the task's session, ignores SIGTERM and has no parent."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medallion.compute.processes import is_running
from medallion.core.descendants import FIRST_TO_GO

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux hands orphans on")

LEAVE = """
import multiprocessing, os, signal, subprocess, sys, time
def away(command):
    subprocess.run(["bash", "-c", f"{command} & exit 0"], check=True)
away("setsid bash -c 'trap \\"\\" TERM HUP; echo $$ > deaf; while :; do sleep 60; done'")
away("setsid nohup env -i bash -c 'echo $$ > bare; while :; do sleep 60; done' >/dev/null 2>&1")
if os.fork() == 0:  # a daemon as textbooks make it
    os.setsid()
    if os.fork():
        os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    open("daemon", "w").write(str(os.getpid()))
    time.sleep(600)
    os._exit(0)
while not all(os.path.exists(name) and open(name).read() for name in ("deaf", "bare", "daemon")):
    time.sleep(0.01)
print("left", flush=True)
"""
ENDS = {
    "success": "",
    "error": "1 / 0",
    "hard exit": "os._exit(3)",
    "killed": "os.kill(os.getpid(), signal.SIGKILL)",
    "time-out": "time.sleep(600)",
    "time-out, deaf": "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True:\n    time.sleep(1)",
}

USUAL = {("success", True), ("hard exit", True), ("hard exit", False), ("killed", True), ("time-out", True)}
"""The others take the same ways."""


def check_gone(folder: Path, seconds: float = 20) -> None:
    """Every process that noted itself in the folder ends within the seconds."""
    pids = {name: int((folder / name).read_text()) for name in ("deaf", "bare", "daemon")}
    limit = time.monotonic() + seconds
    while left := {name: pid for name, pid in pids.items() if is_running(pid, None)}:
        assert time.monotonic() < limit, left
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("end", "spare"),
    [
        pytest.param(end, spare, id=f"{end}-{'forked' if spare else 'fresh'}", marks=[pytest.mark.slow] * slow)
        for end in ENDS
        for spare in (True, False)
        for slow in [(end, spare) not in USUAL]
    ],
)
def test_a_notebooks_processes_end_with_it(
    run_cells: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str, spare: bool
) -> None:
    monkeypatch.setattr("medallion.runtime.launch.GRACE_SECONDS", 0.5)
    timeout = (6 if spare else 25) if end.startswith("time-out") else None
    ran = run_cells(LEAVE, ENDS[end], spare=spare, timeout=timeout)
    assert "left" in ran.lines, ran.text
    assert ran.result.success is (end == "success")
    check_gone(tmp_path)


@pytest.mark.parametrize(("end", "spare"), [("success", True), ("hard exit", False)])
def test_a_files_processes_end_with_it(run: Callable[..., Any], tmp_path: Path, end: str, spare: bool) -> None:
    path = tmp_path / "job.py"
    path.write_text(LEAVE + ENDS[end])
    assert run(path, kind="python", spare=spare).result.success is (end == "success")
    check_gone(tmp_path)


def test_a_wheels_processes_end_with_it(run: Callable[..., Any], tmp_path: Path) -> None:
    code = "".join(f"    {line}\n" for line in LEAVE.splitlines())
    (tmp_path / "leaving.py").write_text(f"def main():\n{code}")
    ran = run(Path("leaving"), kind="wheel", root=str(tmp_path), options={"entry_point": "main"})
    assert ran.result.success, ran.text
    check_gone(tmp_path)


def test_a_called_notebook_ends_its_own_and_no_one_elses(
    run_cells: Callable[..., Any], write: Any, tmp_path: Path
) -> None:
    (tmp_path / "below").mkdir()
    write(tmp_path / "below" / "child.py", LEAVE)
    ran = run_cells(
        "import subprocess\nmine = subprocess.Popen(['sleep', '600'], start_new_session=True)",
        "dbutils.notebook.run('below/child', 60)",
        "print('mine', mine.poll())",
    )
    assert ran.lines[-1] == "mine None", ran.text
    check_gone(tmp_path / "below")


@pytest.mark.parametrize("spare", [pytest.param(True, id="forked"), pytest.param(False, id="fresh")])
def test_where_memory_ends_a_task_goes_before_whoever_started_it(run_cells: Callable[..., Any], spare: bool) -> None:
    ran = run_cells("print('badness', open('/proc/self/oom_score_adj').read().strip())", spare=spare)
    own = int(Path("/proc/self/oom_score_adj").read_text())
    assert ran.lines == [f"badness {FIRST_TO_GO}"]
    assert own < FIRST_TO_GO

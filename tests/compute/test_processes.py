"""Who a process is: the clock does not count, and another PID namespace is another host."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from namespace import IN_NAMESPACE

from medallion.compute import processes
from medallion.compute.processes import Identity, host_id, is_running, of_this_host, started_at

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
linux = pytest.mark.skipif(sys.platform != "linux", reason="PID namespaces are Linux's")


@pytest.fixture
def sleeper() -> subprocess.Popen[bytes]:
    process = subprocess.Popen(SLEEP)
    yield process
    process.kill()
    process.wait()


def elsewhere(code: str, *arguments: str) -> str:
    """What Python prints in a PID namespace of its own, as in a container."""
    command = [*IN_NAMESPACE, sys.executable, "-c", code, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.strip()


def test_a_process_runs_until_it_ends_and_a_zombie_does_not(sleeper: subprocess.Popen[bytes]) -> None:
    identity = Identity.of(sleeper.pid)
    assert identity.alive
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert not identity.alive, "it waits to be reaped"
    sleeper.wait()
    assert not identity.alive


def test_a_pid_that_was_used_again_is_another_process() -> None:
    started = started_at(os.getpid())
    assert started is not None
    assert is_running(os.getpid(), started)
    assert is_running(os.getpid(), None)
    assert not is_running(os.getpid(), f"{started}1")
    assert started_at(2**22 + 1) is None


@linux
def test_a_clock_that_is_set_changes_no_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wall-clock starts are counted from the boot time, which follows the clock; the kernel's own ticks do not."""
    import psutil

    identity = Identity.of(os.getpid())
    monkeypatch.setattr(time, "time", lambda: 0.0)
    monkeypatch.setattr(psutil, "boot_time", lambda: 0.0)
    monkeypatch.setattr(psutil.Process, "create_time", lambda *_: 1.0)
    assert identity.alive
    assert identity == Identity.of(os.getpid())


@linux
def test_a_name_with_brackets_and_blanks_hides_no_field(tmp_path: Path) -> None:
    program = tmp_path / "a) S 1 (b"
    program.symlink_to("/bin/sleep")
    process = subprocess.Popen([str(program), "60"])
    try:
        assert processes.stat_of(process.pid) == (processes.stat_of(process.pid) or ("", ""))
        assert (started_at(process.pid) or "").isdigit()
        assert is_running(process.pid, started_at(process.pid))
    finally:
        process.kill()
        process.wait()


@linux
def test_each_pid_namespace_is_a_host_of_its_own() -> None:
    code = "from medallion.compute.processes import host_id; print(host_id())"
    inside = {elsewhere(code), elsewhere(code)}
    assert len(inside | {host_id()}) == 3
    assert (
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
        == host_id()
    )


@linux
def test_another_hosts_process_is_neither_alive_nor_here(sleeper: subprocess.Popen[bytes]) -> None:
    identity = Identity.of(sleeper.pid)
    code = (
        "import json, os, sys; from medallion.compute.processes import Identity\n"
        "given = Identity(**json.loads(sys.argv[1])); own = Identity.of(os.getpid())\n"
        "print(json.dumps([given.here, given.alive, own.here, own.alive]))"
    )
    raw = {"pid": identity.pid, "started": identity.started, "host": identity.host}
    assert json.loads(elsewhere(code, json.dumps(raw))) == [False, False, True, True]


@linux
def test_processes_of_containers_are_seen_from_outside_and_told_apart() -> None:
    container = subprocess.Popen([*IN_NAMESPACE, *SLEEP])
    try:
        deadline = time.monotonic() + 10
        inner: list[int] = []
        while not inner and time.monotonic() < deadline:
            time.sleep(0.05)
            inner = [process.pid for process in processes.family(container.pid)[1:]]
        assert [of_this_host(pid) for pid in inner] == [False]
        assert of_this_host(container.pid)
    finally:
        for process in reversed(processes.family(container.pid)):
            process.kill()
        container.wait()

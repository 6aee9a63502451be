"""The record of what was started, and how processes are told apart."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from medallion.components.record import Record
from medallion.components.sweep import end, end_everything, end_groups
from medallion.compute.processes import Identity, host_id
from medallion.core.environment import OWNER
from medallion.settings import Settings

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_a_process_is_alive_until_it_ends() -> None:
    process = subprocess.Popen(SLEEP)
    identity = Identity.of(process.pid)
    assert identity.alive
    process.kill()
    assert process.wait() is not None
    assert not identity.alive


def test_another_process_with_the_same_id_is_not_taken_for_it() -> None:
    own = Identity.of(os.getpid())
    assert own.alive
    assert not Identity(own.pid, f"{own.started}0", own.host).alive
    assert not Identity(own.pid, "", own.host).alive


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "up.json"
    record = Record(
        Identity(1, "25", "h1"),
        "http://h:1",
        "h",
        1,
        {"scheduler": Identity(3, "45", "h1")},
        {"scheduler": 1},
        ready=True,
    )
    record.write(file)
    assert Record.read(file) == record


@pytest.mark.parametrize("text", [None, "", "{", "[]", "{}", '{"supervisor": 1}'])
def test_a_record_that_cannot_be_read_is_none(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "up.json"
    if text is not None:
        file.write_text(text)
    assert Record.read(file) is None


def test_ending_a_process_that_ignores_sigterm_kills_it() -> None:
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    end(Identity.of(process.pid), 0.3)
    process.stdout.close()
    assert process.wait(5) == -9


def test_a_group_ends_even_when_its_leader_is_gone() -> None:
    code = (
        "import subprocess, sys; sleep = [sys.executable, '-c', 'import time; time.sleep(60)'];"
        "print(subprocess.Popen(sleep, stdout=subprocess.DEVNULL).pid)"
    )
    leader = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True, text=True)
    identity = Identity.of(leader.pid)
    child = Identity.of(int(leader.communicate()[0]))
    assert child.alive
    end_groups([identity], grace=0)
    deadline = time.monotonic() + 5
    while child.alive and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not child.alive


def test_down_ends_the_stale_components_of_a_lost_supervisor_and_what_carries_the_homes_mark(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path)
    settings.home.mkdir()
    component = subprocess.Popen(SLEEP, start_new_session=True)
    marked = subprocess.Popen(SLEEP, env={**os.environ, OWNER: str(settings.home)}, start_new_session=True)
    foreign = subprocess.Popen(SLEEP, env={**os.environ, OWNER: str(tmp_path / "other")}, start_new_session=True)
    try:
        record = Record(
            Identity(os.getpid(), "1", host_id()), "http://h:1", "h", 1, {"scheduler": Identity.of(component.pid)}
        )
        record.write(settings.home / "up.json")
        ours = [Identity.of(component.pid), Identity.of(marked.pid)]
        ended = end_everything(settings)
        assert not any(identity.alive for identity in ours)
        assert foreign.poll() is None
        assert len(ended) == 2
        assert not (settings.home / "up.json").exists()
        assert end_everything(settings) == []
    finally:
        for process in (component, marked, foreign):
            process.kill()
            process.wait()

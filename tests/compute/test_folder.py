from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from medallion.compute import folder as folders
from medallion.compute.folder import DriverFolder, write_private
from medallion.compute.processes import is_running, started_at


@pytest.fixture
def folder(tmp_path: Path) -> DriverFolder:
    made = DriverFolder(tmp_path / "drivers" / "d1")
    made.create()
    return made


def test_leases_of_live_processes_and_of_none_hold(folder: DriverFolder) -> None:
    folder.add_lease("mine", os.getpid())
    folder.add_lease("cluster", None)
    assert {lease.holder for lease in folder.live_leases()} == {"mine", "cluster"}


def test_a_lease_ends_with_its_process(folder: DriverFolder) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    folder.add_lease("theirs", process.pid)
    assert len(folder.live_leases()) == 1
    process.communicate()
    assert folder.live_leases() == []
    assert list(folder.leases.iterdir()) == []


def test_a_pid_that_was_used_again_does_not_hold(folder: DriverFolder) -> None:
    started = started_at(os.getpid())
    assert started is not None
    assert is_running(os.getpid(), started)
    assert not is_running(os.getpid(), started - 60)


def test_a_lease_that_nobody_gave_back_ends_in_time(folder: DriverFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.add_lease("forgotten", None)
    monkeypatch.setattr(folders, "LEASE_SECONDS", -1)
    assert folder.live_leases() == []


def test_files_are_closed_to_others(folder: DriverFolder) -> None:
    write_private(folder.secret, "s")
    assert stat.S_IMODE(folder.secret.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700


def test_a_retired_driver_leaves_its_log(folder: DriverFolder) -> None:
    folder.logs[1].write_text("the end of it")
    folder.retire()
    assert not folder.path.exists()
    assert (folder.path.parent / "logs" / "d1.log").read_text() == "the end of it"

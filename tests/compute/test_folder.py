from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from medallion.compute import folder as folders
from medallion.compute.folder import DriverFolder, hold, remove_abandoned, write_private


@pytest.fixture
def folder(tmp_path: Path) -> DriverFolder:
    made = DriverFolder(tmp_path / "drivers" / "h1" / "d1")
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
    assert (folder.path.parents[1] / "logs" / "d1.log").read_text() == "the end of it"


def age(folder: DriverFolder, seconds: float) -> None:
    """Make a driver's folder look as if nothing had happened in it for a while."""
    for path in (*folder.path.glob("alive"), folder.path, folder.path.parent):
        os.utime(path, (path.stat().st_mtime - seconds,) * 2)


@pytest.mark.parametrize(
    ("held", "seconds", "own", "stays"),
    [
        pytest.param(True, 90_000, "me", True, id="its process lives, though it was asleep for a day"),
        pytest.param(False, 60, "me", True, id="a sign of life a minute ago: the disk may not share locks"),
        pytest.param(False, 90_000, "me", False, id="neither"),
        pytest.param(False, 90_000, "h1", True, id="its own host: the pool judges by the process"),
    ],
)
def test_what_another_host_left_is_removed_when_nothing_lives_there(
    folder: DriverFolder, *, held: bool, seconds: float, own: str, stays: bool
) -> None:
    stream = hold(folder.alive)
    if not held:
        stream.close()
    age(folder, seconds)
    drivers = folder.path.parents[1]
    assert remove_abandoned(drivers, own) == ([] if stays else [folder.path])
    assert folder.path.exists() == stays
    stream.close()


def test_the_empty_folder_of_a_host_goes_as_well(folder: DriverFolder) -> None:
    hold(folder.alive).close()
    age(folder, 90_000)
    drivers = folder.path.parents[1]
    assert remove_abandoned(drivers, "me") == [folder.path]
    assert folder.path.parent.exists(), "its owner may be about to start a driver"
    os.utime(folder.path.parent, (1, 1))
    remove_abandoned(drivers, "me")
    assert not folder.path.parent.exists()

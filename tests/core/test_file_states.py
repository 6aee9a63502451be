"""States of files: every kind of change shows, and what may still change unseen is not relied on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from medallion.core import file_states
from medallion.core.file_states import Snapshot, state_of


def put_back(file: Path, text: str) -> None:
    """Write a text and set the time of change back, as soon as the disk's clock has gone on."""
    before = file.stat()
    while file.stat().st_ctime_ns == before.st_ctime_ns:
        file.write_text(text)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(file: Path, text: str) -> None:
    """Another file takes its place, with the same time of change."""
    other = file.with_suffix(".new")
    other.write_text(text)
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    other.replace(file)


def led_elsewhere(folder: Path) -> None:
    """The link in the folder leads to another file of the same size."""
    (folder / "link").unlink()
    (folder / "link").symlink_to(folder / "b")


CHANGES: dict[str, Callable[[Path], object]] = {
    "longer text": lambda folder: (folder / "a").write_text("longer"),
    "same size, time set back": lambda folder: put_back(folder / "a", "two"),
    "same size and time, another file": lambda folder: replaced(folder / "a", "two"),
    "deleted": lambda folder: (folder / "a").unlink(),
    "what was missing is there": lambda folder: (folder / "missing").write_text(""),
    "a new file in a folder": lambda folder: (folder / "inner" / "c").write_text(""),
    "a link leads elsewhere": led_elsewhere,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_every_change_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], object]) -> None:
    monkeypatch.setattr(file_states, "TICK_SECONDS", -60.0)
    for name in ("a", "b"):
        (tmp_path / name).write_text("one")
    (tmp_path / "inner").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    names = ("link",) if change is led_elsewhere else ("a", "missing", "inner")
    seen = Snapshot.take([tmp_path / name for name in names], time.time_ns())
    assert seen.is_current()
    change(tmp_path)
    assert not seen.is_current()


@pytest.mark.parametrize(
    ("after", "settled"),
    [
        pytest.param(60.0, True, id="changed long before the work"),
        pytest.param(0.5, False, id="changed within a tick before the work"),
        pytest.param(-1.0, False, id="changed during the work"),
    ],
)
def test_what_changed_at_the_time_of_the_work_is_not_relied_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: float, settled: bool
) -> None:
    file = tmp_path / "a"
    file.write_text("one")
    started = file.stat().st_ctime_ns + int(after * 1e9)
    monkeypatch.setattr(file_states.time, "time_ns", lambda: started + int(60e9))
    seen = Snapshot.take([file], started)
    assert (seen.settled, seen.is_current()) == (settled, settled)


def test_a_missing_file_has_a_state_and_a_name_that_is_none_too(tmp_path: Path) -> None:
    assert state_of(tmp_path / "nowhere")[1:] == (-1, -1, -1, -1)
    assert state_of("a\0b")[1:] == (-1, -1, -1, -1)

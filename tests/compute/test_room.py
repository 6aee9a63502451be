"""A full disk in words: what counts as one, and what is said."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

import pytest
from disk import largest_file

from medallion.compute.room import disk_full, spoken
from medallion.runtime.protocol import write_whole
from medallion.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.load(tmp_path, environ={})


def test_a_file_that_could_not_be_written_is_named_by_its_folder_and_setting(settings: Settings) -> None:
    settings.home.mkdir()
    with largest_file(10), pytest.raises(OSError, match="File too large") as raised:
        write_whole(settings.home / "a.json", "x" * 1000)
    assert [file.name for file in settings.home.iterdir()] == []
    told = str(disk_full(raised.value, settings))
    assert told.startswith(f"the limit of a file's size is reached (ulimit -f): the home folder {settings.home} has ")
    assert told.endswith("free; free some, or set `home` in medallion.toml to a folder on another disk, then try again")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        pytest.param(OSError(errno.ENOSPC, "No space left on device", "/Volumes/a/b/c/f"), "/Volumes ", id="a volume"),
        pytest.param(
            OSError(errno.EDQUOT, "Disk quota exceeded", "{lake}/a/b/c/f"), "table a.b.c in the lake", id="quota"
        ),
        pytest.param(OSError(errno.ENOSPC, "No space left on device", "/proc/x"), "/proc/x has", id="elsewhere"),
        pytest.param(OSError(errno.ENOSPC, "No space left on device"), "the disk is full: ", id="no path"),
        pytest.param(sqlite3.OperationalError("database or disk is full"), "the disk is full: ", id="SQLite"),
        pytest.param(OSError("No space left on device"), "", id="words without a number"),
    ],
)
def test_what_is_told(error: Exception, words: str, settings: Settings) -> None:
    if isinstance(error, OSError) and error.filename:
        error.filename = error.filename.format(lake=settings.lake)
    found = disk_full(error, settings)
    assert (found is not None) == bool(words)
    assert words in str(found)


def test_an_error_that_came_from_a_full_disk_is_one_and_others_are_none(settings: Settings) -> None:
    outer = RuntimeError("the export failed")
    outer.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert disk_full(outer, settings) is not None
    assert disk_full(ValueError("No space left on device"), settings) is None
    assert disk_full(FileNotFoundError(errno.ENOENT, "no such file", "x"), settings) is None


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 bytes"), (999, "999 bytes"), (4_200_000, "4.2 MB"), (75e9, "75.0 GB")]
)
def test_sizes(count: float, words: str) -> None:
    assert spoken(count) == words

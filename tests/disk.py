"""Disks that are full, for tests: a small file system of its own where the machine lets us mount one, else a limit."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

MEGABYTE = 1_000_000
FILLER = ".filler"


@dataclass(frozen=True, slots=True)
class Disk:
    """A folder whose disk can be full.

    :param mounted: it is a file system of its own; otherwise processes are kept from writing larger files.
    """

    folder: Path
    mounted: bool

    @contextmanager
    def full(self, *, left: int, writers: Callable[[], list[int]]) -> Iterator[None]:
        """So many bytes are free.

        :param writers: process ids of those that are to be kept from writing, where there is no file system.
        """
        if self.mounted:
            filler = self.folder / FILLER
            fill(filler, left)
            try:
                yield
            finally:
                filler.unlink()
            return
        limited = [psutil.Process(pid) for pid in writers()]
        assert limited, "nobody to keep from writing"
        before = [process.rlimit(psutil.RLIMIT_FSIZE) for process in limited]
        for process, (_, hard) in zip(limited, before, strict=True):
            process.rlimit(psutil.RLIMIT_FSIZE, (left, hard))
        try:
            yield
        finally:
            for process, old in zip(limited, before, strict=True):
                process.rlimit(psutil.RLIMIT_FSIZE, old)


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Disk]:
    """A folder with a file system of `size` bytes of its own, where this user may mount one."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "medallion-test", str(folder)]
    possible = sys.platform == "linux" and shutil.which("mount") is not None
    mounted = possible and subprocess.run(command, capture_output=True).returncode == 0
    try:
        yield Disk(folder, mounted)
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(file: Path, left: int) -> None:
    """Write until so many bytes are free."""
    with file.open("wb") as stream:
        while (room := free(file.parent) - left) > 0:
            stream.write(bytes(min(room, MEGABYTE)))
            stream.flush()


def free(folder: Path) -> int:
    """Free bytes of a folder's disk."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """This process may write no larger files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

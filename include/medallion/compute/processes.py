"""Which process is meant, and on which host. Runs on the worker, in hosts and in the user's shell.

A pid is used again, a clock is set, and containers that share a disk count their pids each for itself. So a process is its
pid, its start in the kernel's own ticks since the machine's start (no clock moves them), and its host: one start of one
machine and one PID namespace on it. Whoever is on another host is neither judged nor signalled.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import platform
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from medallion.core.moments import boot

if TYPE_CHECKING:
    import psutil

PROC = Path("/proc")
ON_LINUX = sys.platform == "linux"
ENDED = frozenset({"Z", "X", "x"})
"""States of a process that has ended and waits to be reaped."""


@cache
def host_id() -> str:
    """Twelve characters that stand for this start of this machine and this PID namespace; another container has others."""
    if ON_LINUX:
        first = stat_of(1)
        parts = [
            boot(),
            str((PROC / "self/ns/pid").stat().st_ino),
            # A namespace's number is given out again when the namespace is gone; its first process started later.
            first[1] if first else "",
        ]
    else:
        parts = [platform.node(), boot_session()]
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:12]


def boot_session() -> str:
    """What macOS calls this start of the machine; empty where there is no such word."""
    size = ctypes.c_size_t(64)
    text = ctypes.create_string_buffer(size.value)
    try:
        status = ctypes.CDLL(None).sysctlbyname(b"kern.bootsessionuuid", text, ctypes.byref(size), None, 0)
    except (OSError, AttributeError):
        return ""
    return text.value.decode() if status == 0 else ""


def stat_of(pid: int) -> tuple[str, str] | None:
    """State and start of a process as /proc tells them; None when there is none. Linux only."""
    try:
        text = (PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    # The second field is the program's name in brackets, and may hold both blanks and brackets.
    fields = text.rpartition(b")")[2].split()
    return fields[0].decode(), fields[19].decode()


def started_at(pid: int) -> str | None:
    """The start of a process of this host, to be compared with `==` alone; None when there is no such process."""
    if ON_LINUX:
        found = stat_of(pid)
        return found[1] if found else None
    import psutil

    try:
        return repr(psutil.Process(pid).create_time())  # macOS keeps it with the process; it follows no clock
    except psutil.Error:
        return None


def is_running(pid: int, started: str | None) -> bool:
    """Whether the process of this host that had this pid and start still runs. A zombie does not run."""
    if ON_LINUX:
        found = stat_of(pid)
        return found is not None and found[0] not in ENDED and started in (None, found[1])
    import psutil

    try:
        ended = psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
    return not ended and started in (None, started_at(pid))


@dataclass(frozen=True, slots=True)
class Identity:
    """A process.

    :param started: as `started_at` gives it; empty for one that had ended when it was looked at.
    :param host: as `host_id` gives it.
    """

    pid: int
    started: str
    host: str

    @classmethod
    def of(cls, pid: int) -> Identity:
        """The identity of a running process of this host; one that ended meanwhile is not alive."""
        return cls(pid, started_at(pid) or "", host_id())

    @property
    def here(self) -> bool:
        """Whether it is a process of this host, so that it can be looked at and signalled."""
        return self.host == host_id()

    @property
    def alive(self) -> bool:
        """True while this very process runs on this host. Nothing is known of another host's: see `here`."""
        return self.here and bool(self.started) and is_running(self.pid, self.started)


def of_this_host(pid: int) -> bool:
    """Whether a process that can be seen counts its pids as this one does: those of containers can be seen from outside."""
    if not ON_LINUX:
        return True
    try:
        return (PROC / str(pid) / "ns/pid").stat().st_ino == (PROC / "self/ns/pid").stat().st_ino
    except OSError:
        return False


def draft_of(path: Path, *, hidden: bool = False) -> Path:
    """Where this process writes a file before it takes its place. Processes of several hosts may have one pid."""
    return path.with_name(f"{'.' * hidden}{path.name}.{host_id()}.{os.getpid()}.part")


def family(pid: int) -> list[psutil.Process]:
    """A process and everything below it; empty when it is gone."""
    import psutil

    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


def end_all(processes: Iterable[psutil.Process], grace: float) -> None:
    """Wait `grace` seconds for processes to end, then terminate, then kill what is left."""
    import psutil

    _, left = psutil.wait_procs(list(processes), timeout=grace)
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, left = psutil.wait_procs(left, timeout=2 if left else 0)
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(left, timeout=5 if left else 0)

"""Limits of one task: the memory and the number of its processes, those that they start among them. Runs on the worker.

Only a look tells them: the system's own limits count a user's processes, not a task's, and address space, not memory.
Where no memory is left at all the system ends processes by itself, a task's first (`core.descendants`).
"""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from medallion.core.descendants import PROC, family
from medallion.settings import Settings

LOOK_SECONDS = 1.0
SOON_SECONDS = 0.1
MANY = 50
"""So many processes may soon be too many: the next look is sooner."""
SHARE = 0.75
"""Of the machine's memory, for one task where settings say nothing."""
UNITS = {"m": 2**20, "g": 2**30}
OWN_FIELDS = (b"RssAnon:", b"RssShmem:")
"""Of /proc/PID/status, in kB: memory that is no file's, which the system could not get back without the process's end."""
SHARED_FIELDS = (b"Pss_Anon:", b"Pss_Shmem:")
"""Of /proc/PID/smaps_rollup, in kB."""
CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
OOM_COUNT = b"oom_kill "


@dataclass(slots=True)
class LimitWatch:
    """Looks after one task's processes.

    :param pid: the task's process, which leads them.
    """

    pid: int
    settings: Settings
    memory: int = field(init=False)
    next_look: float = field(default_factory=lambda: time.monotonic() + LOOK_SECONDS)
    kills: int = field(default_factory=lambda: oom_kills())

    def __post_init__(self) -> None:
        """The limit in bytes, once."""
        self.memory = bytes_of(self.settings.task_memory) or int(machine_memory() * SHARE)

    def broken(self, now: float) -> str | None:
        """The limit that the task's processes exceed, as a sentence; None where they keep both, or it is too early to look.

        :param now: of the monotonic clock.
        """
        if now < self.next_look:
            return None
        pids = family(self.pid)
        self.next_look = time.monotonic() + (SOON_SECONDS if len(pids) > MANY else LOOK_SECONDS)
        if len(pids) > self.settings.task_processes:
            most = self.settings.task_processes
            return f"the task had {len(pids):,} processes at once, more than {most:,} (setting task_processes)"
        used = sum(map(memory_of, pids))
        if used > self.memory:
            used = sum(map(share_of_memory, pids))  # forks have pages in common, which the quick look counts for each
        if used <= self.memory:
            return None
        told = (
            f"the task's processes had {in_gigabytes(used)} of memory together, more than {in_gigabytes(self.memory)}"
        )
        share = "" if self.settings.task_memory else f", by default {SHARE:.0%} of this machine's"
        return f"{told} (setting task_memory{share})"

    def memory_ran_out(self) -> bool:
        """Whether the system has ended processes for want of memory since the task began."""
        return oom_kills() > self.kills


def memory_of(pid: int) -> int:
    """Bytes of memory that a process has for itself; 0 for one that is gone."""
    if sys.platform != "linux":
        import psutil

        with contextlib.suppress(psutil.Error):
            return int(psutil.Process(pid).memory_info().rss)
        return 0
    with contextlib.suppress(OSError, ValueError, IndexError):
        lines = (PROC / str(pid) / "status").read_bytes().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith(OWN_FIELDS)) * 1024
    return 0


def share_of_memory(pid: int) -> int:
    """Bytes of memory of a process, of pages that several have its share of each. Takes a millisecond or more."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        lines = (PROC / str(pid) / "smaps_rollup").read_bytes().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith(SHARED_FIELDS)) * 1024
    return memory_of(pid)


def machine_memory() -> int:
    """Bytes of memory that this machine or container may use."""
    import psutil

    limits = [int(psutil.virtual_memory().total)]
    for file in CGROUP_LIMITS:
        with contextlib.suppress(OSError, ValueError):  # no such file, or `max`
            limits.append(int(file.read_text(encoding="ascii")))
    return min(limits)


def bytes_of(memory: str | None) -> int:
    """An amount as settings write it, such as `4g`; 0 for none."""
    return int(memory[:-1]) * UNITS[memory[-1]] if memory else 0


def in_gigabytes(amount: int) -> str:
    """For a sentence; small amounts in MB."""
    return f"{amount / 2**30:.1f} GB" if amount >= 2**30 else f"{amount / 2**20:.0f} MB"


def oom_kills() -> int:
    """How many processes the system has ended for want of memory since its start; 0 where it does not say."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in (PROC / "vmstat").read_bytes().splitlines():
            if line.startswith(OOM_COUNT):
                return int(line.split()[1])
    return 0

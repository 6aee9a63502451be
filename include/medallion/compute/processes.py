"""Which process is meant: a pid with its start time, since pids are used again. Runs on the worker and in hosts."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

import psutil

CLOCK_SLACK = 2.0  # seconds; the start time is counted from the boot time, which follows the clock


def started_at(pid: int) -> float | None:
    """Start time of a process in seconds since the epoch, or None when there is no such process."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def is_running(pid: int, started: float | None) -> bool:
    """Whether the process that had this pid and start time still runs. A zombie does not run."""
    try:
        process = psutil.Process(pid)
        if started is not None and abs(process.create_time() - started) > CLOCK_SLACK:
            return False
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def family(pid: int) -> list[psutil.Process]:
    """A process and everything below it; empty when it is gone."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


def end_all(processes: Iterable[psutil.Process], grace: float) -> None:
    """Wait `grace` seconds for processes to end, then terminate, then kill what is left."""
    _, left = psutil.wait_procs(list(processes), timeout=grace)
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, left = psutil.wait_procs(left, timeout=2 if left else 0)
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(left, timeout=5 if left else 0)

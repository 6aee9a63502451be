"""Runs another program to its end, and ends all that it started when the wait is over. Runs wherever programs are run."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from medallion.compute.processes import family

LAST_WAIT = 5
"""Seconds until a killed program is given up: one in the middle of a system call may not end at once."""


def run_program(
    command: Sequence[str],
    *,
    seconds: float,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    joined: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run a program without a terminal, in a session of its own.

    A time-out, a signal that raises in this process, or any other end of the wait kills the program and its children: a
    child that holds the pipes, as Git's helpers do, would otherwise go on for ever.

    :param seconds: how long it may take.
    :param joined: errors come with the output, in order.
    :raises subprocess.TimeoutExpired: it took longer.
    """
    process = subprocess.Popen(
        command,
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if joined else subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=seconds)
    except BaseException:
        end(process)
        raise
    return subprocess.CompletedProcess(list(command), process.returncode, output, errors or "")


def end(process: subprocess.Popen[str]) -> None:
    """Kill a program, its group, and children that left the group; forget its pipes."""
    children = family(process.pid)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    for child in children:
        with contextlib.suppress(Exception):
            child.kill()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(LAST_WAIT)

"""States of files and folders: whether anything was changed since they were looked at. Runs everywhere; no dependencies."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

State = tuple[str, int, int, int, int]
"""A path, the times (ns) when its content and its entry were changed, its size and its inode; all -1 when it is missing."""

TICK_SECONDS = 1.0
"""What changed this short before a look may change again and keep its times: some disks keep whole seconds."""


def state_of(file: Path | str) -> State:
    """The state of a file or folder now.

    The time of its entry is the system's: it tells of an edit that keeps the size and sets the time of change back.
    """
    try:
        status = os.stat(file)  # noqa: PTH116 - this is asked for thousands of files
    except (OSError, ValueError):
        return str(file), -1, -1, -1, -1
    return str(file), status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def is_current(states: Iterable[State]) -> bool:
    """Whether all files are as they were."""
    return all(state_of(state[0]) == state for state in states)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a piece of work looked at, as it was then.

    :param settled: whether a later change is sure to show: nothing was changed just before or during the work.
    """

    states: tuple[State, ...]
    settled: bool

    @classmethod
    def take(cls, paths: Iterable[Path | str], started: int) -> Snapshot:
        """The states of files and folders that were looked at.

        :param started: when the work began, ns since the epoch.
        """
        states = tuple(state_of(path) for path in dict.fromkeys(str(path) for path in paths))
        newest = max((state[2] for state in states), default=0)
        return cls(states, newest < min(started, time.time_ns()) - TICK_SECONDS * 1e9)

    def is_current(self) -> bool:
        """Whether the work would see the same again. False when that is not sure."""
        return self.settled and is_current(self.states)

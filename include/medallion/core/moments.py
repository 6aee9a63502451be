"""How long something has gone on, told across processes without the wall clock: it may be set while a run waits. Pure.

On one machine the time since its start says it, which no setting of the clock moves and which all containers share. What
another machine noted is compared by the wall clock once; whoever waits goes on by its own monotonic clock from there.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@cache
def boot() -> str:
    """What stands for this start of this machine; empty where the system has no word for it."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def uptime() -> float:
    """Seconds since the machine's start, sleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.monotonic()


@dataclass(frozen=True, slots=True)
class Moment:
    """When something began.

    :param boot: the start of the machine that noted it.
    :param up: `uptime()` there.
    :param wall: seconds since the epoch, for other machines and for people.
    """

    boot: str
    up: float
    wall: float

    @classmethod
    def now(cls) -> Moment:
        """This moment."""
        return cls(boot(), uptime(), time.time())

    @classmethod
    def read(cls, value: object) -> Moment | None:
        """A moment as `to_json` wrote it, or seconds since the epoch as older versions did; None for anything else."""
        if isinstance(value, Mapping):
            return cls(str(value.get("boot", "")), float(value.get("up", 0)), float(value.get("wall", 0)))
        if isinstance(value, int | float) and not isinstance(value, bool):
            return cls("", 0.0, float(value))
        return None

    def to_json(self) -> dict[str, Any]:
        """For XCom, a trigger's arguments or a file."""
        return asdict(self)

    def age(self) -> float:
        """Seconds since then; never less than none."""
        passed = uptime() - self.up if self.boot and self.boot == boot() else time.time() - self.wall
        return max(passed, 0.0)

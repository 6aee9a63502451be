"""What `medallion up` started, on disk, so that another process can look at it and end it. In the user's shell."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

OWNER = "MEDALLION_OWNED_BY"
"""Variable in the environment of every process that works for a home folder, with that folder as its value. Users never
set it; `down` finds by it what is still running."""
START_TOLERANCE = 0.05
"""Seconds by which two readings of one process's start may differ (a kernel counts in ticks of 10 ms)."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A process: its id alone may be used again by another one, so its start time belongs to it.

    :param started: seconds since the epoch, as psutil tells it.
    """

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> Identity:
        """The identity of a running process; one that ended meanwhile has start 0 and is not alive."""
        import psutil

        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.Error:
            return cls(pid, 0.0)

    @property
    def alive(self) -> bool:
        """True while this very process runs."""
        import psutil

        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < START_TOLERANCE
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


@dataclass(frozen=True, slots=True)
class Record:
    """One start of the components.

    :param ready: True once all of them were healthy.
    :param restarts: how often each was started again after it died.
    """

    supervisor: Identity
    url: str
    host: str
    port: int
    components: Mapping[str, Identity] = field(default_factory=dict)
    restarts: Mapping[str, int] = field(default_factory=dict)
    ready: bool = False

    def write(self, path: Path) -> None:
        """Write it whole or not at all."""
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.write_text(json.dumps(asdict(self), indent=2), encoding="utf-8")
        draft.replace(path)

    @classmethod
    def read(cls, path: Path) -> Record | None:
        """The record, or None when there is none that can be read."""
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            raw["supervisor"] = Identity(**raw["supervisor"])
            raw["components"] = {name: Identity(**item) for name, item in raw["components"].items()}
            return cls(**raw)
        except (OSError, ValueError, TypeError, KeyError):
            return None

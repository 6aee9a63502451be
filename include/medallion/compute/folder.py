"""The folder of one driver: file names, leases, attached sessions. Runs on the worker, in hosts and in task processes.

drivers/.lock                 taken to choose, start or give up a driver; never while waiting
drivers/<id>/launch.json      command and environment of the JVM (0600)
drivers/<id>/connection.json  there once the driver can be used, gone before it ends
drivers/<id>/secret           the gateway's secret (0600)
drivers/<id>/leases/          one file per holder
drivers/<id>/sessions/        one file per attached process
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from medallion.compute.processes import is_running, started_at

LEASE_SECONDS = 24 * 3600  # a lease without a process ends after this, if nobody gave it back
KEPT_LOGS = 10
TAIL_BYTES = 6000


@dataclass(frozen=True, slots=True)
class Lease:
    """A holder's claim on a driver.

    :param holder: who holds it, such as `<run>/<cluster>`.
    :param pid: the lease ends with this process; None: it ends when it is given back.
    :param started: start time of that process.
    :param taken: seconds since the epoch.
    """

    holder: str
    pid: int | None
    started: float | None
    taken: float

    def holds(self) -> bool:
        """Whether the claim still counts."""
        if self.pid is None:
            return time.time() - self.taken < LEASE_SECONDS
        return is_running(self.pid, self.started)


@dataclass(frozen=True, slots=True)
class DriverFolder:
    """Files of one driver."""

    path: Path

    @property
    def launch(self) -> Path:
        """What the host starts."""
        return self.path / "launch.json"

    @property
    def host(self) -> Path:
        """Process of the host."""
        return self.path / "host.json"

    @property
    def jvm(self) -> Path:
        """Process of the JVM."""
        return self.path / "jvm.json"

    @property
    def ending(self) -> Path:
        """There when the driver ends in good order; nobody may take it any more."""
        return self.path / "ending"

    @property
    def connection(self) -> Path:
        """How to reach the driver."""
        return self.path / "connection.json"

    @property
    def secret(self) -> Path:
        """The gateway's secret."""
        return self.path / "secret"

    @property
    def failure(self) -> Path:
        """Why the driver did not start."""
        return self.path / "failure.txt"

    @property
    def leases(self) -> Path:
        """Folder of leases."""
        return self.path / "leases"

    @property
    def sessions(self) -> Path:
        """Folder of attached processes."""
        return self.path / "sessions"

    @property
    def logs(self) -> tuple[Path, Path]:
        """The JVM's own output and its log."""
        return self.path / "jvm.log", self.path / "driver.log"

    def create(self) -> None:
        """Make the folder, closed to other users."""
        self.path.mkdir(mode=0o700, parents=True)
        for folder in (self.leases, self.sessions, self.path / "local"):
            folder.mkdir(mode=0o700)

    def add_lease(self, holder: str, pid: int | None) -> None:
        """Write a holder's lease, over an older one of the same holder."""
        lease = Lease(holder, pid, started_at(pid) if pid is not None else None, time.time())
        write_private(self.lease_file(holder), json.dumps(asdict(lease)))

    def lease_file(self, holder: str) -> Path:
        """The file of a holder's lease."""
        return self.leases / (hashlib.sha256(holder.encode()).hexdigest()[:32] + ".json")

    def live_leases(self) -> list[Lease]:
        """The leases that count; the others are removed."""
        leases = []
        for path in sorted(self.leases.glob("*.json")):
            raw = read_json(path)
            if raw is None:
                continue
            lease = Lease(**raw)
            if lease.holds():
                leases.append(lease)
            else:
                path.unlink(missing_ok=True)
        return leases

    def tail(self) -> str:
        """The end of the JVM's logs, for an error message."""
        return "\n".join(text for path in self.logs if (text := tail_of(path)))

    def retire(self) -> None:
        """Remove the folder; its log is kept under drivers/logs, the latest few."""
        kept = self.path.parent / "logs"
        kept.mkdir(mode=0o700, exist_ok=True)
        if text := self.tail():
            with contextlib.suppress(OSError):
                write_private(kept / f"{self.path.name}.log", text)
        for old in sorted(kept.glob("*.log"), key=mtime)[:-KEPT_LOGS]:
            old.unlink(missing_ok=True)
        shutil.rmtree(self.path, ignore_errors=True)


def mtime(path: Path) -> float:
    """When a file was last written; 0 when it is gone."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def tail_of(path: Path) -> str:
    """The last few thousand bytes of a file as text; empty when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            return file.read().decode("utf-8", errors="replace").strip()
    except OSError:
        return ""


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON object from a file; None when the file is gone or not whole."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read, whole or not at all."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.part")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)

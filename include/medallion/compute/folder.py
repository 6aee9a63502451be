"""The folder of one driver: file names, leases, attached sessions. Runs on the worker, in hosts and in task processes.

drivers/<host>/.lock                 taken to choose, start or give up a driver; never while waiting
drivers/<host>/<id>/launch.json      command and environment of the JVM (0600)
drivers/<host>/<id>/connection.json  there once the driver can be used, gone before it ends
drivers/<host>/<id>/secret           the gateway's secret (0600)
drivers/<host>/<id>/leases/          one file per holder
drivers/<host>/<id>/sessions/        one file per attached process
drivers/<host>/<id>/doubted          there after a failed task until the host has looked at the driver
drivers/<host>/<id>/alive            locked by the driver's host process for as long as it lives, and touched now and then
drivers/logs/                        what ended drivers logged, of all hosts

A driver belongs to its host (`processes.host_id`): its pids and its loopback address mean nothing elsewhere. What another
host left is removed when nobody holds `alive` and it was not touched for a while (`remove_abandoned`).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from medallion.compute.processes import draft_of, is_running, started_at
from medallion.core.moments import uptime

LEASE_SECONDS = 24 * 3600  # a lease without a process ends after this, if nobody gave it back
KEPT_LOGS = 10
ABANDONED_SECONDS = 3600.0  # without a sign of life, before what another host left is removed
LOGS = "logs"
END = ".end"  # suffix of the file that says why a driver ended, beside its log
TAIL_BYTES = 6000


@dataclass(frozen=True, slots=True)
class Lease:
    """A holder's claim on a driver.

    :param holder: who holds it, such as `<run>/<cluster>`.
    :param pid: the lease ends with this process; None: it ends when it is given back.
    :param started: start of that process.
    :param taken: `uptime()` of the host.
    """

    holder: str
    pid: int | None
    started: str | None
    taken: float

    def holds(self) -> bool:
        """Whether the claim still counts."""
        if self.pid is None:
            return uptime() - self.taken < LEASE_SECONDS
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
    def alive(self) -> Path:
        """The sign of life, for those who cannot see the host's processes."""
        return self.path / "alive"

    @property
    def doubted(self) -> Path:
        """There while it is not sure that the driver can still work; nobody takes it meanwhile."""
        return self.path / "doubted"

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
        lease = Lease(holder, pid, started_at(pid) if pid is not None else None, uptime())
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

    def doubt(self) -> None:
        """Have the host look at the driver before anybody takes it. A driver that is gone needs no look."""
        with contextlib.suppress(OSError):
            if self.connection.exists():
                self.doubted.touch()

    def tail(self) -> str:
        """The end of the JVM's logs, for an error message."""
        return "\n".join(text for path in self.logs if (text := tail_of(path)))

    def keep_end(self, reason: str) -> None:
        """Write down why the driver ended; `why_ended` tells it after the folder is gone."""
        kept = self.path.parents[1] / LOGS
        with contextlib.suppress(OSError):
            kept.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(kept / f"{self.path.name}{END}", reason)

    def why_ended(self) -> str | None:
        """Why the driver ended, when its host wrote it down."""
        try:
            return (self.path.parents[1] / LOGS / f"{self.path.name}{END}").read_text(encoding="utf-8")
        except OSError:
            return None

    def retire(self) -> None:
        """Remove the folder; its log is kept under drivers/logs, the latest few."""
        kept = self.path.parents[1] / LOGS
        kept.mkdir(mode=0o700, parents=True, exist_ok=True)
        if text := self.tail():
            with contextlib.suppress(OSError):
                write_private(kept / f"{self.path.name}.log", text)
        for pattern in ("*.log", f"*{END}"):
            for old in sorted(kept.glob(pattern), key=mtime)[:-KEPT_LOGS]:
                old.unlink(missing_ok=True)
        shutil.rmtree(self.path, ignore_errors=True)


def hold(path: Path) -> TextIO:
    """Make a file and lock it until the stream is closed or the process ends, which every host of the disk can see."""
    stream = path.open("a", encoding="utf-8")
    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return stream


def is_held(path: Path) -> bool:
    """Whether a process, on whatever host, holds the lock of a file; False when there is no file."""
    try:
        with path.open("r", encoding="utf-8") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def remove_abandoned(drivers: Path, own: str) -> list[Path]:
    """Remove what other hosts left: drivers that nobody holds and that gave no sign of life for long. Gives them.

    :param drivers: the folder of all hosts' drivers.
    :param own: the name of this host, whose drivers the pool looks after.
    """
    clock = drivers / f".clock-{own}"
    clock.touch()
    now = mtime(clock)  # the disk's own clock: the hosts' may differ
    removed = []
    for host in [item for item in drivers.iterdir() if item.is_dir() and item.name not in (own, LOGS)]:
        for path in [item for item in host.iterdir() if item.is_dir()]:
            alive = path / "alive"
            if not is_held(alive) and now - max(mtime(path), mtime(alive)) > ABANDONED_SECONDS:
                DriverFolder(path).retire()
                removed.append(path)
        if now - mtime(host) > ABANDONED_SECONDS and [item.name for item in host.iterdir()] in ([], [".lock"]):
            shutil.rmtree(host, ignore_errors=True)
            (drivers / f".clock-{host.name}").unlink(missing_ok=True)
    return removed


def mtime(path: Path) -> float:
    """When a file was last written; 0 when it is gone."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def mtime_ns(path: Path) -> int:
    """When a file was last written, in nanoseconds; 0 when it is gone."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


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
    draft = draft_of(path)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)

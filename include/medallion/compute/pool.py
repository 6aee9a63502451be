"""The drivers of this host: shared by specification, started when asked for, never twice. Runs on the worker.

Everything is in files under <drivers>/<host>, so any process of the same user and host can take, give back and stop. Other
hosts' drivers are not looked at: only a run's lease is given back by name wherever it is.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any, Literal

import psutil
from filelock import FileLock

from medallion.compute import jars, sample_files, samples
from medallion.compute.application import end_in_words
from medallion.compute.driver import DriverSpec, Launch, plan_driver, write_logging
from medallion.compute.folder import LOGS, DriverFolder, read_json, remove_abandoned, tail_of, write_private
from medallion.compute.java import find_java
from medallion.compute.master import is_local, require_answer
from medallion.compute.processes import end_all, family, host_id, is_running, started_at
from medallion.compute.properties import PROPERTIES_FILE, properties_text
from medallion.core.environment import for_user_code
from medallion.errors import TargetError
from medallion.settings import Settings
from medallion.spec.bundle.workspace import User

CLUSTER_IDLE_SECONDS = (
    60  # a driver that nobody uses gives a cluster's executors back sooner than this machine's memory
)
POLL_SECONDS = 0.05
STOP_SECONDS = 15.0
PROGRESS_SECONDS = 5.0
DOUBT_SECONDS = 30.0
"""How long a doubted driver is waited for. Its host looks within a second; at most 20 where the driver does nothing."""
OWN_SCHEMA_IN = ("main", "hive_metastore")
"""Catalogs that have a schema of the user's short name."""

Progress = Callable[[str], None]
State = Literal["starting", "ready", "ending", "gone"]


@dataclass(frozen=True, slots=True)
class DriverStatus:
    """One driver as `drivers()` reports it.

    :param state: starting, ready, ending, or gone (its processes ended without cleaning up).
    :param pid: the JVM's process, once it is ready.
    :param holders: who holds a lease.
    :param attached: pids of processes that are attached now.
    :param memory: resident memory of the JVM in bytes.
    :param started: seconds since the epoch.
    """

    driver: str
    state: State
    key: str
    pid: int | None
    host_pid: int | None
    holders: tuple[str, ...]
    attached: tuple[int, ...]
    memory: int
    started: float | None


def silent(message: str) -> None:
    """Report nothing."""


class DriverPool:
    """The drivers of a home folder on this host.

    :param settings: home, lake, volumes, idle time and so on.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.root = settings.drivers / host_id()

    def acquire(self, spec: DriverSpec, holder: str, *, pid: int | None = None, progress: Progress = silent) -> Path:
        """Take a lease on a live driver for the specification, started when there is none; wait until it can be used.

        :param holder: name of the lease; a second call with the same name renews it.
        :param pid: the lease ends with this process, if given; else when it is given back.
        :param progress: called with a line of text every few seconds.
        :returns: the driver's connection file.
        :raises TargetError: the driver did not start; carries the end of its log.
        """
        folder = self.lease(spec, holder, pid, progress)
        try:
            return self.await_ready(folder, progress)
        except BaseException:
            folder.lease_file(holder).unlink(missing_ok=True)
            raise

    def prestart(self, spec: DriverSpec, progress: Progress = silent) -> str:
        """Start a driver for the specification unless there is one; does not wait. Gives the driver's id."""
        return self.lease(spec, None, None, progress).path.name

    def release(self, holder: str) -> None:
        """Give a lease back. A name that holds nothing is fine."""
        for folder in self.folders_of_all_hosts():
            folder.lease_file(holder).unlink(missing_ok=True)

    def release_run(self, prefix: str) -> int:
        """Give back every lease whose holder begins with `prefix`; how many there were."""
        released = 0
        for folder in self.folders_of_all_hosts():
            for file in folder.leases.glob("*.json"):
                if str((read_json(file) or {}).get("holder", "")).startswith(prefix):
                    file.unlink(missing_ok=True)
                    released += 1
        return released

    def drivers(self) -> list[DriverStatus]:
        """Every driver of this host, oldest first."""
        found = [status(folder) for folder in self.folders()]
        return sorted(found, key=lambda item: item.started or 0.0)

    def stop(self, driver_id: str | None = None) -> None:
        """End one driver, or all, with everything below them. Leases do not hinder.

        :raises TargetError: there is no driver of that id.
        """
        folders = [folder for folder in self.folders() if driver_id in (None, folder.path.name)]
        if driver_id is not None and not folders:
            raise TargetError(f"there is no driver {driver_id!r}")
        processes = [process for folder in folders for process in processes_of(folder)]
        for folder in folders:
            end_host(folder)
        end_all(processes, STOP_SECONDS)
        for folder in folders:
            if folder.path.exists():
                folder.retire()

    def lease(self, spec: DriverSpec, holder: str | None, pid: int | None, progress: Progress) -> DriverFolder:
        """Choose or start a driver and write the lease, under the pool's lock."""
        # Downloads and sample data come first: they may take long, and have locks of their own.
        java = find_java(self.settings.java_home)
        delta = jars.fetch_jars(self.settings)
        samples.ensure(self.settings)
        sample_files.ensure(self.settings)
        plan = plan_driver(spec, self.settings, java, delta)
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.root.touch()
        fingerprint = plan.fingerprint
        self.settle(fingerprint, progress)
        with FileLock(self.root / ".lock"):
            folder = self.shared(fingerprint)
            if folder is None:
                require_answer(spec.target, spec.master)
                progress(f"starting a Spark driver ({java.origin}, Java {java.version})")
                folder = DriverFolder(self.root / f"{spec.key[:8]}-{token_hex(3)}")
                self.start(folder, spec, plan.launch(folder.path))
                with contextlib.suppress(OSError):
                    remove_abandoned(self.root.parent, self.root.name)
            if holder is not None:
                folder.add_lease(holder, pid)
        return folder

    def shared(self, fingerprint: str) -> DriverFolder | None:
        """A live driver that was started in the same way. Dead ones are removed."""
        match = None
        for folder in self.folders():
            if not live(folder):
                self.bury(folder)
                continue
            if folder.ending.exists():
                continue
            if fits(folder, fingerprint) and not folder.doubted.exists():
                match = folder
        return match

    def settle(self, fingerprint: str, progress: Progress) -> None:
        """Wait until the hosts of doubted drivers have looked at them. One that does not is left to those that have it."""
        limit = time.monotonic() + DOUBT_SECONDS
        waiting = [folder for folder in self.folders() if folder.doubted.exists() and fits(folder, fingerprint)]
        while waiting and time.monotonic() < limit:
            time.sleep(POLL_SECONDS)
            waiting = [item for item in waiting if item.doubted.exists() and not item.ending.exists() and live(item)]
        for folder in waiting:
            progress(f"the Spark driver {folder.path.name} does not answer after a failed task; it is not used")

    def bury(self, folder: DriverFolder) -> None:
        """Remove a driver whose host or JVM died, and what is left of its processes."""
        end_all(processes_of(folder), 0)
        folder.retire()

    def start(self, folder: DriverFolder, spec: DriverSpec, launch: Launch) -> None:
        """Make the driver's folder and start its host, in a session of its own."""
        folder.create()
        # The user's own schema is there from the start: what `mode: development` deploys writes into it.
        own = [self.settings.lake / name / User(self.settings.user).short_name for name in OWN_SCHEMA_IN]
        for place in (self.settings.volumes, self.settings.dbfs / "FileStore", *own):
            place.mkdir(parents=True, exist_ok=True)
        write_logging(folder.path)
        told = asdict(launch)
        write_private(folder.path / PROPERTIES_FILE, properties_text(told.pop("conf")))
        raw = {
            **told,
            "key": spec.key,
            "task_environment": spec.task_environment(),
            "idle_seconds": idle_seconds(spec, self.settings),
            "start_seconds": self.settings.driver_start_seconds,
            "warm": WARM,
        }
        write_private(folder.launch, json.dumps(raw))
        with (folder.path / "host.log").open("wb") as log:
            # The program forks the host and ends at once, so that the host is nobody's child and leaves no zombie.
            started = subprocess.run(
                [sys.executable, "-P", "-m", "medallion.compute.host", str(folder.path)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=folder.path,
                env=for_user_code(),
                check=False,
            )
        if started.returncode != 0:
            raise self.not_started(folder, f"its host did not start: {tail_of(folder.path / 'host.log')}")
        pid = int(started.stdout)
        write_private(folder.host, json.dumps({"pid": pid, "started": started_at(pid), "since": time.time()}))

    def await_ready(self, folder: DriverFolder, progress: Progress) -> Path:
        """Wait until a driver can be used."""
        began = told = time.monotonic()
        while not folder.connection.exists():
            if folder.failure.exists():
                raise self.not_started(folder, folder.failure.read_text(encoding="utf-8"))
            if not live(folder):
                raise self.not_started(folder, folder.why_ended() or "its host process ended")
            now = time.monotonic()
            if now - began > self.settings.driver_start_seconds + STOP_SECONDS:
                raise self.not_started(folder, f"it was not ready after {now - began:.0f} s")
            if now - told > PROGRESS_SECONDS:
                told = now
                progress(f"waiting for the Spark driver ({now - began:.0f} s)")
            time.sleep(POLL_SECONDS)
        return folder.connection

    def not_started(self, folder: DriverFolder, reason: str) -> TargetError:
        """The error for a driver that did not start; its remains are removed, its log is kept."""
        tail = folder.tail()
        with FileLock(self.root / ".lock"):
            if folder.path.exists():
                self.bury(folder)
        message = f"the Spark driver did not start: {reason}"
        if tail:
            message += f"\n--- end of the driver's log ---\n{tail}\n---"
        return TargetError(message, hint=f"the log is kept in {self.root.parent / LOGS}")

    def folders(self) -> list[DriverFolder]:
        """The folders of this host's drivers."""
        return [DriverFolder(path.parent) for path in sorted(self.root.glob("*/launch.json"))]

    def folders_of_all_hosts(self) -> list[DriverFolder]:
        """The folders of every host's drivers. Their processes cannot be judged from here."""
        return [DriverFolder(path.parent) for path in sorted(self.root.parent.glob("*/*/launch.json"))]


# What a new driver runs while the first task still starts: a Delta read, an aggregate, a sort. It costs nothing in sum,
# since the first notebook would load the same classes.
WARM = [
    "SELECT pickup_zip, count(*) AS trips, max(fare_amount) AS most FROM samples.nyctaxi.trips "
    "GROUP BY pickup_zip ORDER BY trips DESC LIMIT 5"
]


def live(folder: DriverFolder) -> bool:
    """Whether the driver starts, runs or ends in good order: its host lives, and so does its JVM when it is known."""
    if folder.failure.exists():
        return False
    host = read_json(folder.host)
    if host is None or not is_running(host["pid"], host["started"]):
        return False
    connection = read_json(folder.connection)
    return connection is None or is_running(connection["pid"], connection["started"])


def idle_seconds(spec: DriverSpec, settings: Settings) -> int:
    """How long a driver stays without a lease. On a cluster it keeps executors from other jobs meanwhile."""
    idle = settings.driver_idle_seconds
    return min(idle, CLUSTER_IDLE_SECONDS) if spec.on_cluster else idle


def fits(folder: DriverFolder, fingerprint: str) -> bool:
    """Whether a driver was started in the same way, and its cluster has not ended it."""
    raw = read_json(folder.launch)
    return raw is not None and raw["fingerprint"] == fingerprint and not ended_by_cluster(folder, raw)


def ended_by_cluster(folder: DriverFolder, launch: dict[str, Any]) -> bool:
    """Whether a cluster has ended the driver's application; its host sees that a moment later and ends the driver."""
    return not is_local(launch["master"]) and end_in_words(folder.logs[1]) is not None


def end_host(folder: DriverFolder) -> None:
    """Ask a driver's host to end the driver."""
    host = read_json(folder.host)
    if host is not None and is_running(host["pid"], host["started"]):
        with contextlib.suppress(psutil.Error):
            psutil.Process(host["pid"]).terminate()


def processes_of(folder: DriverFolder) -> list[psutil.Process]:
    """The live processes of a driver: its host, the JVM and the JVM's Python workers."""
    found: dict[int, psutil.Process] = {}
    for file in (folder.host, folder.jvm):
        raw = read_json(file)
        if raw is not None and is_running(raw["pid"], raw["started"]):
            found.update({process.pid: process for process in family(raw["pid"])})
    return list(found.values())


def status(folder: DriverFolder) -> DriverStatus:
    """What there is to say of one driver."""
    launch, host, jvm = read_json(folder.launch), read_json(folder.host), read_json(folder.jvm)
    state: State = "ready" if folder.connection.exists() else "starting"
    if folder.ending.exists():
        state = "ending"
    if host is not None and not live(folder):
        state = "gone"
    sessions = [raw for path in sorted(folder.sessions.glob("*.json")) if (raw := read_json(path))]
    return DriverStatus(
        driver=folder.path.name,
        state=state,
        key=launch["key"] if launch else "",
        pid=jvm["pid"] if jvm else None,
        host_pid=host["pid"] if host else None,
        holders=tuple(lease.holder for lease in folder.live_leases()),
        attached=tuple(raw["pid"] for raw in sessions if is_running(raw["pid"], raw["started"])),
        memory=resident(jvm["pid"], jvm["started"]) if jvm else 0,
        started=host.get("since") if host else None,
    )


def resident(pid: int, started: str | None) -> int:
    """Resident memory of a process in bytes; 0 when it is gone."""
    if not is_running(pid, started):
        return 0
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0

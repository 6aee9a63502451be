"""Holds one driver JVM: starts it, warms it, ends it when nobody needs it. Runs as a small process of its own.

    python -m medallion.compute.host FOLDER

The host has its own session and process group. The JVM reads the host's pipe as standard input and ends when the host
is gone. The host ends the JVM when it had no lease for the idle time, on SIGTERM, and cleans up after task processes
that ended: their jobs, streaming queries and gateways.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

from filelock import FileLock

from medallion.compute import gateway as gateways
from medallion.compute.application import Application
from medallion.compute.cds import Archive, finish, start_making, wanted
from medallion.compute.folder import DriverFolder, hold, mtime_ns, read_json, write_private
from medallion.compute.master import is_local
from medallion.compute.processes import end_all, family, host_id, is_running, started_at
from medallion.compute.soundness import trouble
from medallion.core.descendants import HOST, name_process
from medallion.core.environment import for_user_code

TICK_SECONDS = 0.5
DOUBT_SECONDS = 0.1  # somebody waits until a doubt is settled
LOOK_SECONDS = 2.0
END_SECONDS = 10.0
BEAT_SECONDS = 30.0
DELTA_STATE = ("Delta Table State", "Delta Source Snapshot")
"""How the names begin of what Delta caches: the files of a table's version, for all sessions."""
QUIET_SECONDS = 20.0  # without a lease, before the archive of classes is made
DROPPED_ENVIRONMENT = ("SPARK_CONF_DIR", "PYSPARK_GATEWAY_PORT", "PYSPARK_GATEWAY_SECRET", "SPARK_REMOTE")


class Archivist:
    """Makes the archive of classes while nobody uses the driver.

    :param raw: the archive of launch.json.
    """

    def __init__(self, raw: dict[str, Any]) -> None:
        self.raw = raw
        self.used = time.monotonic()
        self.archive: Archive | None = None
        self.maker: subprocess.Popen[bytes] | None = None
        self.done = False

    def tick(self, *, busy: bool) -> None:
        """Look whether there is something to do. An archive that is being made goes on when a task comes."""
        if self.maker is not None and self.archive is not None:
            if self.maker.poll() is not None:
                finish(self.archive, self.maker.returncode)
                self.maker = None
        elif busy:
            self.used = time.monotonic()
        elif not self.done and time.monotonic() - self.used > QUIET_SECONDS:
            self.done = True
            self.archive = wanted(self.raw)
            if self.archive is not None:
                self.maker = start_making(self.archive)

    def stop(self) -> None:
        """The driver ends: leave an unfinished archive."""
        if self.maker is not None and self.archive is not None:
            self.maker.kill()
            finish(self.archive, self.maker.wait())


class DriverHost:
    """One driver's keeper.

    :param folder: the driver's folder, with launch.json in it.
    """

    def __init__(self, folder: DriverFolder) -> None:
        self.folder = folder
        launch = read_json(folder.launch)
        if launch is None:
            raise SystemExit(f"{folder.launch}: not there")
        self.launch = launch
        self.ending = threading.Event()
        self.lock = FileLock(folder.path.parent / ".lock")
        self.port = 0
        self.secret = ""
        self.archivist = Archivist(self.launch["archive"])
        master, patience = self.launch["master"], self.launch["start_seconds"]
        self.application = None if is_local(master) else Application(master, folder.logs[1], patience)
        self.jvm: subprocess.Popen[bytes] | None = None
        self.next_look = 0.0

    def run(self) -> int:
        """Start the driver and stay until it ends. Gives the exit status."""
        signal.signal(signal.SIGTERM, self.on_signal)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        alive = hold(self.folder.alive)
        jvm = self.jvm = self.start()
        try:
            if not self.await_gateway(jvm):
                return 1
            self.announce(jvm)
            threading.Thread(target=self.warm, daemon=True).start()
            self.watch(jvm)
        finally:
            self.end(jvm)
            alive.close()
        return 0

    def on_signal(self, signum: int, frame: FrameType | None) -> None:
        """SIGTERM: end at the next tick."""
        self.ending.set()

    def start(self) -> subprocess.Popen[bytes]:
        """Start the JVM with its output in jvm.log."""
        environment = {name: text for name, text in for_user_code().items() if name not in DROPPED_ENVIRONMENT}
        environment.update(self.launch["environment"])
        environment["_PYSPARK_DRIVER_CONN_INFO_PATH"] = str(self.info_file)
        with self.folder.logs[0].open("wb") as log:
            jvm = subprocess.Popen(
                self.launch["command"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=environment,
                cwd=self.folder.path,
            )
        write_private(self.folder.jvm, json.dumps({"pid": jvm.pid, "started": started_at(jvm.pid)}))
        return jvm

    @property
    def info_file(self) -> Path:
        """Where the JVM writes its port and secret."""
        return self.folder.path / "gateway"

    def await_gateway(self, jvm: subprocess.Popen[bytes]) -> bool:
        """Wait for the gateway and make the SparkContext. False when that failed; failure.txt says why."""
        deadline = time.monotonic() + self.launch["start_seconds"]
        while not self.info_file.is_file():
            if jvm.poll() is not None:
                return self.fail(f"the JVM ended with status {jvm.returncode} before it could be used")
            if time.monotonic() > deadline:
                return self.fail(f"the JVM did not open its gateway within {self.launch['start_seconds']} s")
            if self.ending.wait(0.02):
                return False
        data = self.info_file.read_bytes()  # written under another name and renamed, so it is whole
        self.port, length = struct.unpack("!ii", data[:8])
        self.secret = data[8 : 8 + length].decode()
        self.info_file.unlink()
        try:
            with gateways.open_gateway(self.port, self.secret) as gateway:
                gateways.first_session(gateway).sessionState()
                if self.application is not None:
                    reason = self.application.wait_for_executor(gateway, deadline)
                    if reason is not None:
                        return self.fail(reason)
        except Exception as error:  # noqa: BLE001  anything that Spark says here is the reason
            return self.fail(f"Spark did not start: {str(error).splitlines()[0]}\n{error}")
        return True

    def fail(self, reason: str) -> bool:
        """Write down why the driver did not start."""
        write_private(self.folder.failure, reason)
        return False

    def announce(self, jvm: subprocess.Popen[bytes]) -> None:
        """Write the secret and connection.json: from now on the driver can be used."""
        write_private(self.folder.secret, self.secret)
        connection = {
            "driver": self.folder.path.name,
            "host": host_id(),
            "port": self.port,
            "pid": jvm.pid,
            "started": started_at(jvm.pid),
            "host_pid": os.getpid(),
            "ready": time.time(),
            "key": self.launch["key"],
            "environment": self.launch["task_environment"],
        }
        write_private(self.folder.connection, json.dumps(connection))

    def warm(self) -> None:
        """Run statements that load the classes most notebooks need. What fails here has no meaning."""
        for statement in self.launch["warm"]:
            if self.ending.is_set():
                return
            gateway = gateways.open_gateway(self.port, self.secret, aside=True)
            with contextlib.suppress(Exception), gateway as opened:
                gateways.root_session(opened).newSession().sql(statement).collectToPython()

    def watch(self, jvm: subprocess.Popen[bytes]) -> None:
        """Return when the driver shall end or has ended."""
        used = beat = time.monotonic()
        dirty = False
        archivist = self.archivist
        while not self.pause():
            if jvm.poll() is not None:
                return
            if time.monotonic() - beat > BEAT_SECONDS:
                beat = time.monotonic()
                self.folder.alive.touch()
            ended = self.reap()
            if self.is_of_no_use(ended=ended):
                return
            busy = bool(self.folder.live_leases() or self.attached())
            archivist.tick(busy=busy)
            if busy:
                used, dirty = time.monotonic(), True
            elif time.monotonic() - used > self.launch["idle_seconds"] and self.give_up():
                return
            elif dirty:
                dirty = False
                self.clear_caches()

    def pause(self) -> bool:
        """Wait until the next tick, or until somebody doubts the driver. True when it shall end."""
        until = time.monotonic() + TICK_SECONDS
        while not self.ending.wait(DOUBT_SECONDS):
            if time.monotonic() >= until or self.folder.doubted.exists():
                return False
        return True

    def is_of_no_use(self, *, ended: bool) -> bool:
        """Whether the driver can do no work any more; the reason is kept, and a doubt settled.

        :param ended: a task's process has just ended, which may have stopped what all share.
        """
        try:
            reason = self.application.trouble(self.port, self.secret) if self.application is not None else None
        except Exception:  # noqa: BLE001  the JVM ends or is too busy to answer: the next look tells
            reason = None
        doubt = mtime_ns(self.folder.doubted)
        if reason is None and (doubt or ended or time.monotonic() > self.next_look):
            self.next_look = time.monotonic() + LOOK_SECONDS
            on_cluster = self.application is not None
            reason = trouble(self.port, self.secret, thorough=bool(doubt), on_cluster=on_cluster)
        if reason is not None:
            self.folder.keep_end(reason)
        elif doubt and doubt == mtime_ns(self.folder.doubted):  # else it is doubted anew
            self.folder.doubted.unlink(missing_ok=True)
        return reason is not None

    def give_up(self) -> bool:
        """Take the driver out of the pool, unless a lease came in between."""
        with self.lock:
            if self.folder.live_leases():
                return False
            self.withdraw()
            return True

    def withdraw(self) -> None:
        """From now on nobody can take the driver. The caller has the pool's lock."""
        self.folder.ending.touch()
        self.folder.connection.unlink(missing_ok=True)

    def attached(self) -> list[Path]:
        """Files of attached processes."""
        return sorted(self.folder.sessions.glob("*.json"))

    def reap(self) -> bool:
        """Clean up after task processes that ended; whether there were any."""
        ended = False
        for path in self.attached():
            session = read_json(path)
            if session is None or is_running(session["pid"], session["started"]):
                continue
            with contextlib.suppress(Exception), gateways.open_gateway(self.port, self.secret) as gateway:
                close_session(gateway, session)
            path.unlink(missing_ok=True)
            ended = True
        return ended

    def clear_caches(self) -> None:
        """Nobody is there: drop what tasks cached."""
        with contextlib.suppress(Exception), gateways.open_gateway(self.port, self.secret) as gateway:
            clear_caches(gateway)

    def end(self, jvm: subprocess.Popen[bytes]) -> None:
        """End the JVM and its Python workers, then remove the folder; after a failed start the starter does that."""
        with self.lock:
            self.withdraw()
        self.archivist.stop()
        members = family(os.getpid())[1:]
        if jvm.stdin is not None:
            with contextlib.suppress(OSError):
                jvm.stdin.close()  # the JVM exits at the end of its input
        end_all([process for process in members if process.pid != jvm.pid or jvm.poll() is None], END_SECONDS)
        with contextlib.suppress(subprocess.TimeoutExpired):
            jvm.wait(timeout=1)
        if not self.folder.failure.exists():
            self.folder.retire()


def clear_caches(gateway: Any) -> None:
    """Drop what tasks cached, so that an idle driver stays small.

    Delta's own stay: it would go on to read a table's whole log anew for each statement, until the table's next commit.
    """
    session = gateways.root_session(gateway)
    session.sharedState().cacheManager().clearCache()
    context = gateways.java_class(gateway, "org.apache.spark.api.java.JavaSparkContext")(session.sparkContext())
    for rdd in list(context.getPersistentRDDs().values()):
        if not str(rdd.name()).startswith(DELTA_STATE):
            rdd.unpersist()
    gateways.java_class(gateway, "java.lang.System").gc()


def close_session(gateway: Any, session: dict[str, Any]) -> None:
    """Cancel what an ended task process left in the JVM and close its gateway, which frees its objects."""
    gateways.cancel_tag(gateway, session["tag"])
    if session["gateway"]:
        gateways.object_by_name(gateway, session["gateway"]).shutdown()


def main() -> int:
    """Entry point: the folder is the only argument. Prints the host's pid and returns; the host goes on in a fork."""
    folder = DriverFolder(Path(sys.argv[1]))
    pid = os.fork()
    if pid:
        print(pid, flush=True)  # noqa: T201  the starter reads it
        return 0
    os.setsid()
    name_process(HOST)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, sys.stdout.fileno())
    return DriverHost(folder).run()


if __name__ == "__main__":
    sys.exit(main())

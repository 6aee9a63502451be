"""A driver that others started: where it is, whether it lives, how to cancel in it.

Runs on the worker and in task processes. Needs Py4J only, no pyspark.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from medallion.compute import gateway as gateways
from medallion.compute.folder import DriverFolder, read_json
from medallion.compute.master import LOOPBACK
from medallion.compute.processes import host_id, is_running
from medallion.compute.soundness import trouble
from medallion.errors import DriverLostError

CONNECT_SECONDS = 2.0
RETRY_HINT = "a retry of the task gets a new driver; see the driver's log under drivers/logs"


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach a driver.

    :param driver: the driver's id.
    :param port: its main gateway on loopback.
    :param pid: the JVM's process.
    :param started: the JVM's start, as `processes.started_at` gives it.
    :param key: key of the specification it was started for.
    :param environment: variables for processes that attach.
    """

    file: Path
    driver: str
    port: int
    pid: int
    started: str | None
    key: str
    secret: str = field(repr=False)
    environment: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Connection:
        """The connection that a driver's host wrote.

        :raises DriverLostError: the driver is gone, or it is another host's.
        """
        folder = DriverFolder(path.parent)
        raw = read_json(path)
        if raw is not None and raw["host"] != host_id():
            raise DriverLostError(
                f"the Spark driver {path.parent.name} belongs to another host ({raw['host']})", hint=RETRY_HINT
            )
        try:
            secret = folder.secret.read_text(encoding="utf-8")
        except OSError:
            raw, secret = None, ""
        if raw is None:
            raise gone(folder, f"the Spark driver {path.parent.name}")
        return cls(
            file=path,
            driver=raw["driver"],
            port=raw["port"],
            pid=raw["pid"],
            started=raw["started"],
            key=raw["key"],
            secret=secret,
            environment=raw["environment"],
        )

    def alive(self) -> bool:
        """Whether the JVM runs and its gateway takes connections."""
        if not is_running(self.pid, self.started):
            return False
        try:
            socket.create_connection((LOOPBACK, self.port), timeout=CONNECT_SECONDS).close()
        except OSError:
            return False
        return True

    def is_stopped(self) -> bool:
        """Whether the JVM says that it has no SparkContext any more."""
        return trouble(self.port, self.secret, thorough=False, on_cluster=False) is not None

    def cancel(self, tag: str) -> None:
        """Cancel the Spark jobs and streaming queries of the task with this tag; others go on.

        :raises DriverLostError: the driver is gone.
        """
        self.require_alive()
        with gateways.open_gateway(self.port, self.secret) as gateway:
            gateways.cancel_tag(gateway, tag)

    def require_alive(self) -> None:
        """:raises DriverLostError: the driver is gone."""
        if not self.alive():
            raise gone(DriverFolder(self.file.parent), f"the Spark driver {self.driver} (process {self.pid})")


def gone(folder: DriverFolder, driver: str) -> DriverLostError:
    """The error for a driver that is gone, with the reason where its host knew one."""
    reason = folder.why_ended()
    return DriverLostError(f"{driver} is gone" + (f": {reason}" if reason else ""), hint=RETRY_HINT)

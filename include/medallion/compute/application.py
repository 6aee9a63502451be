"""A driver as an application of a cluster: whether the master still has it, and whether it has executors. Runs in hosts.

Spark itself waits for ever where a cluster gives no executor, and lives on without a context where the master ended the
application. A driver of either kind only looks alive.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from medallion.compute import gateway as gateways
from medallion.compute.folder import tail_of

LOOK_SECONDS = 2.0
KILLED = re.compile(r"Application has been killed\. Reason: (.+)")


class Application:
    """Looks after a driver's application.

    :param master: the Spark master.
    :param log: the driver's log, where Spark writes why an application ended.
    :param patience: seconds that work may wait without any executor.
    """

    def __init__(self, master: str, log: Path, patience: float) -> None:
        self.master, self.log, self.patience = master, log, patience
        self._next = 0.0
        self._without = 0.0

    def wait_for_executor(self, gateway: Any, deadline: float) -> str | None:
        """Wait for the first executor. None when it is there, else why not."""
        while True:
            context = gateways.active_context(gateway)
            if context is None:
                return self.ended()
            if executors(context):
                return None
            if time.monotonic() > deadline:
                return f"{self.no_executor(context)} before the driver's time to start was over"
            time.sleep(0.1)

    def trouble(self, port: int, secret: str) -> str | None:
        """Why the driver is of no use any more; None when it is, or when it is not yet time to look again."""
        now = time.monotonic()
        if now < self._next:
            return None
        self._next = now + LOOK_SECONDS
        with gateways.open_gateway(port, secret) as gateway:
            context = gateways.active_context(gateway)
            if context is None:
                return self.ended()
            if executors(context) or not len(context.statusTracker().getActiveJobIds()):
                self._without = now
                return None
            self._without = self._without or now
            if now - self._without < self.patience:
                return None
            return f"{self.no_executor(context)} for {self.patience:.0f} s while work waited"

    def ended(self) -> str:
        """In words: the application is over."""
        return end_in_words(self.log) or f"its application on the Spark master {self.master} ended"

    def no_executor(self, context: Any) -> str:
        """In words: nobody works for the application."""
        conf = context.conf()
        cores, heap = (conf.get(f"spark.executor.{name}", "?") for name in ("cores", "memory"))
        return (
            f"the Spark master {self.master} gave it no executor of {cores} cores and {heap} (its workers are gone, busy "
            "with other applications, or smaller than executor_cores and executor_memory of the target)"
        )


def executors(context: Any) -> int:
    """How many executors an application has, by Spark's scheduler.

    Spark's block manager would not do: it may keep an executor whose worker was lost while it registered.
    """
    return int(context.getExecutorIds().size())


def end_in_words(log: Path) -> str | None:
    """What a driver's log says of an application that its cluster ended; None when it says nothing."""
    found = KILLED.findall(tail_of(log))
    return f"the cluster's master ended its application ({found[-1].strip()})" if found else None

"""Whether a driver that runs can still work: its SparkContext or its executor may have ended. Runs in hosts.

User code reaches the JVM and can stop the context or the executor that all tasks of the driver share. The JVM goes on, takes
sessions and fails all their work. So after a task that failed the driver is doubted: nobody gets it before its host has
looked.
"""

from __future__ import annotations

import time
from typing import Any

from medallion.compute import gateway as gateways

PROBE_SECONDS = 10.0
"""How long a job of one row may wait while no other work keeps the driver busy."""
BUSY_SECONDS = 1.0
"""How long it may wait while others' work runs, which shows that the driver works: the next task waits as long."""
POLL_SECONDS = 0.01
PROBES = 2
"""Jobs that must fail: user code may cancel all jobs of the driver, this one among them."""
PROBE_TAG = "medallion-probe"
STOPPED = "its SparkContext was stopped"


def trouble(port: int, secret: str, *, thorough: bool, on_cluster: bool) -> str | None:
    """Why a driver is of no use; None when it is, and when its JVM does not answer: it ends, which is seen elsewhere.

    :param thorough: have it do a job of one row, not only look whether it has its context.
    :param on_cluster: its executors come and go; that is judged by `application`.
    """
    try:
        with gateways.open_gateway(port, secret, seconds=PROBE_SECONDS) as gateway:
            reason = None
            for _ in range(PROBES if thorough else 0):
                context = gateways.active_context(gateway)
                reason = work_trouble(gateway, context, on_cluster=on_cluster) if context is not None else STOPPED
                if reason is None:
                    break
            return STOPPED if gateways.active_context(gateway) is None else reason
    except Exception:  # noqa: BLE001  whatever is wrong with the connection: the next look tells
        return None


def work_trouble(gateway: Any, context: Any, *, on_cluster: bool) -> str | None:
    """Why a job of one row fails or never ends; None when it succeeds, or when others' work keeps it waiting."""
    context.addJobTag(PROBE_TAG)
    context.setLocalProperty("spark.scheduler.pool", PROBE_TAG)
    row = gateway.jvm.java.util.ArrayList()
    row.add(1)
    java_context = gateways.java_class(gateway, "org.apache.spark.api.java.JavaSparkContext")(context)
    job = java_context.parallelize(row, 1).countAsync()
    done = wait_for(job, BUSY_SECONDS)
    busy = not done and (on_cluster or is_busy(context))
    if not done and not busy:
        done = wait_for(job, PROBE_SECONDS - BUSY_SECONDS)
        busy = not done and is_busy(context)
    if not done:
        context.cancelJobsWithTag(PROBE_TAG)
        return None if busy else f"it did not begin a job of one row within {PROBE_SECONDS:.0f} s"
    try:
        job.get()
    except Exception as error:  # noqa: BLE001  Py4J's, whose text is Java's stack
        return f"it fails a job of one row: {cause_of(str(error))}"
    return None


def wait_for(job: Any, seconds: float) -> bool:
    """Whether a job ends within so many seconds."""
    limit = time.monotonic() + seconds
    while not job.isDone() and time.monotonic() < limit:
        time.sleep(POLL_SECONDS)
    return bool(job.isDone())


def is_busy(context: Any) -> bool:
    """Whether any executor has tasks that run."""
    return any(item.numRunningTasks() for item in context.statusTracker().getExecutorInfos())


def cause_of(text: str) -> str:
    """The innermost cause that a Java stack names."""
    causes = [line.partition("Caused by: ")[2] for line in text.splitlines() if line.startswith("Caused by: ")]
    return causes[-1] if causes else text.splitlines()[0]

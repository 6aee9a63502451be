"""Query Watchdog: cancels a query that makes far more rows than it reads. Runs in the task process, while it is on.

Settings, defaults and meaning: docs.databricks.com, compute/troubleshooting/query-watchdog. Databricks counts for each
Spark task; here the rows of the whole query count: the most that any operator gave, beside what the scans gave.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SETTINGS = "spark.databricks.queryWatchdog."
ENABLED = f"{SETTINGS}enabled"
RATIO, SECONDS, ROWS = (SETTINGS + name for name in ("outputRatioThreshold", "minTimeSecs", "minOutputRows"))
DEFAULTS = {RATIO: 1000.0, SECONDS: 10.0, ROWS: 100_000.0}
LOOK_SECONDS = 1.0
LATEST = 20
OUTPUT_ROWS = "number of output rows"

_running = threading.Event()


@dataclass(frozen=True, slots=True)
class Limits:
    """What a query may do."""

    ratio: float
    seconds: float
    rows: float


def look(spark: SparkSession) -> None:
    """Begin to watch if the session's setting says so; the watch ends when the setting does."""
    if is_on(spark) and not _running.is_set():
        _running.set()
        threading.Thread(target=watch, args=(spark,), name="query-watchdog", daemon=True).start()


def is_on(spark: SparkSession) -> bool:
    """Whether the session asks for it."""
    return str(spark.conf.get(ENABLED, "false")).lower() == "true"


def watch(spark: SparkSession) -> None:
    """Look at the running queries again and again, until the setting is off or Spark is gone."""
    pause = threading.Event()
    seen: dict[int, float] = {}
    try:
        with suppress(Exception):  # the driver ended; the user's own statement says so
            while is_on(spark):
                check(spark, seen)
                pause.wait(LOOK_SECONDS)
    finally:
        _running.clear()


def limits(spark: SparkSession) -> Limits:
    """The session's limits."""
    ratio, seconds, rows = (float(str(spark.conf.get(name, str(value)))) for name, value in DEFAULTS.items())
    return Limits(ratio, seconds, rows)


def check(spark: SparkSession, seen: dict[int, float]) -> None:
    """Cancel the queries of this task that are beyond the limits.

    :param seen: by query, when it was first seen on the monotonic clock; Spark's own times are the wall clock's.
    """
    import time

    allowed, now = limits(spark), time.monotonic()
    store = spark._jsparkSession.sharedState().statusStore()
    for execution in running(store):
        seconds = now - seen.setdefault(int(execution.executionId()), now)
        jobs = running_jobs(spark, execution)
        if seconds < allowed.seconds or not jobs:
            continue
        read, made = rows_of(store, execution)
        if made >= allowed.rows and made > allowed.ratio * max(read, 1):
            cancel(spark, jobs, reason(read, made, seconds, allowed))


def running(store: Any) -> Iterator[Any]:
    """The queries of the driver that have not ended, among the latest."""
    count = store.executionsCount()
    found = store.executionsList(max(0, count - LATEST), LATEST)
    for place in range(found.size()):
        execution = found.apply(place)
        if not execution.completionTime().isDefined():
            yield execution


def running_jobs(spark: SparkSession, execution: Any) -> list[int]:
    """Ids of the query's Spark jobs, if they are this task's and run."""
    from medallion.compute.gateway import TAG_SETTING

    sc = spark.sparkContext._jsc.sc()
    own = set(sc.statusTracker().getJobIdsForTag(spark.conf.get(TAG_SETTING, "")))
    pairs = execution.jobs().iterator()
    found = []
    while pairs.hasNext():
        pair = pairs.next()
        if str(pair._2()) == "RUNNING" and int(pair._1()) in own:
            found.append(int(pair._1()))
    return found


def rows_of(store: Any, execution: Any) -> tuple[float, float]:
    """Rows that the query's scans gave so far, and the most that any of its operators gave."""
    number = execution.executionId()
    graph, values = store.planGraph(number), store.executionMetrics(number)
    fed = {edge.toId() for edge in items(graph.edges())}
    read = made = 0.0
    for node in items(graph.allNodes()):
        rows = sum(count_of(values, metric) for metric in items(node.metrics()) if metric.name() == OUTPUT_ROWS)
        made = max(made, rows)
        if node.id() not in fed:
            read += rows
    return read, made


def items(sequence: Any) -> Iterator[Any]:
    """The members of a Scala sequence."""
    for place in range(sequence.size()):
        yield sequence.apply(place)


def count_of(values: Any, metric: Any) -> float:
    """A metric's number; Spark keeps it as text such as 1,234."""
    found = values.get(metric.accumulatorId())
    text = str(found.get()).replace(",", "") if found.isDefined() else ""
    return float(text) if text.replace(".", "", 1).isdigit() else 0.0


def reason(read: float, made: float, seconds: float, allowed: Limits) -> str:
    """Why a query is cancelled, and what to do."""
    return (
        f"by Query Watchdog: after {seconds:,.0f} s the query has made {made:,.0f} rows of {read:,.0f} that it read, more "
        f"than {RATIO} = {allowed.ratio:,.0f} times as many. Look for a join without or with a wrong condition; raise "
        f"that setting, or set {ENABLED} to false, if the query is meant so."
    )


def cancel(spark: SparkSession, jobs: list[int], why: str) -> None:
    """Cancel the jobs. The reason stands in the exception that the user's statement raises."""
    sc = spark.sparkContext._jsc.sc()
    for job in jobs:
        sc.cancelJob(job, why)

"""Health rules: how long a run or task takes, and how far its streams lag behind. Pure; judged in the jobs service.

Sources: databricks-sdk on `JobsHealthMetric` and `on_streaming_backlog_exceeded`: the 10-minute average of the worst
stream, told again every 30 minutes while it lasts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medallion.spec.job import Job, Task

DURATION = "RUN_DURATION_SECONDS"
BACKLOGS = {
    "STREAMING_BACKLOG_BYTES": "bytes",
    "STREAMING_BACKLOG_RECORDS": "records",
    "STREAMING_BACKLOG_SECONDS": "seconds",
    "STREAMING_BACKLOG_FILES": "files",
}
"""Metrics of streams and the member of a sample that holds each."""

STREAMS_FILE = "streams.json"
"""What a task's process writes of its queries, in the attempt's folder (`runtime.streams`)."""

SAMPLE_SECONDS = 10.0
WINDOW_SECONDS = 600.0
AGAIN_SECONDS = 1800.0
FULL = 0.9
"""Share of the window that samples must cover before an average is one of ten minutes."""


def duration_limit(owner: Job | Task) -> int | None:
    """Seconds after which a run or a task is told to run long; None without a rule."""
    limits = [rule.value for rule in rules_of(owner) if str(rule.metric) == DURATION]
    return min(limits, default=None)


def backlog_limits(owner: Job | Task) -> dict[str, int]:
    """The limit of each streaming metric that has a rule."""
    found: dict[str, int] = {}
    for rule in rules_of(owner):
        metric = str(rule.metric)
        if metric in BACKLOGS:
            found[metric] = min(rule.value, found.get(metric, rule.value))
    return found


def stream_options(*owners: Job | Task) -> dict[str, float]:
    """What a task's process is told (`runtime.streams`): how often to look at its streams, where a rule asks for it."""
    return {"watch_streams": SAMPLE_SECONDS} if any(backlog_limits(owner) for owner in owners) else {}


def rules_of(owner: Job | Task) -> Iterable[Any]:
    """The rules of a job or a task."""
    return (owner.health.rules or ()) if owner.health else ()


@dataclass(frozen=True, slots=True)
class Excess:
    """A limit that was exceeded.

    :param value: the 10-minute average of the worst stream.
    :param stream: that stream's name or id.
    """

    metric: str
    value: float
    limit: int
    stream: str

    def __str__(self) -> str:
        unit = BACKLOGS[self.metric]
        return f"stream {self.stream} is {self.value:,.0f} {unit} behind on average (limit {self.limit:,})"


def excesses(
    streams: Mapping[str, list[Mapping[str, float]]], limits: Mapping[str, int], now: float, window: float
) -> Iterator[Excess]:
    """The limits that the streams exceed, by the average of each over the window.

    :param streams: samples by stream, each with `at` (seconds since the epoch) and figures.
    """
    for metric, limit in limits.items():
        found = [(average(samples, BACKLOGS[metric], now, window), name) for name, samples in streams.items()]
        worst = max(((value, name) for value, name in found if value is not None), default=None)
        if worst is not None and worst[0] > limit:
            yield Excess(metric, worst[0], limit, worst[1])


def average(samples: list[Mapping[str, float]], figure: str, now: float, window: float) -> float | None:
    """The mean of a figure over the window that ends now; None when the samples do not cover it."""
    within = [item for item in samples if now - window <= item["at"] <= now and item.get(figure) is not None]
    if len(within) < 2 or within[-1]["at"] - within[0]["at"] < window * FULL - sampling(within):
        return None
    return sum(item[figure] for item in within) / len(within)


def sampling(samples: list[Mapping[str, float]]) -> float:
    """Seconds between samples, on average."""
    return (samples[-1]["at"] - samples[0]["at"]) / (len(samples) - 1)


def read_streams(folder: Path) -> dict[str, list[Mapping[str, float]]]:
    """The samples of all streams of the attempts below a folder; what cannot be read is left out."""
    found: dict[str, list[Mapping[str, float]]] = {}
    for file in folder.rglob(STREAMS_FILE):
        try:
            told = json.loads(file.read_text(encoding="utf-8"))
            found |= {str(name): list(samples) for name, samples in told["streams"].items()}
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            continue
    return found

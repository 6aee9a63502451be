"""Keeps a record of how far a task's streaming queries lag: `streams.json` in the attempt's folder. In the task process.

Only where a health rule asks for it. The jobs service reads the file; `runs.health` says what it makes of it.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from medallion.runtime.backlog import LOCAL_SCHEMES, Figures, figures_of, local_path
from medallion.runtime.protocol import write_whole

OPTION = "watch_streams"
"""Option of the context: seconds between looks."""

FILE_NAME = "streams.json"
KEEP_SECONDS = 780.0
"""Ten minutes, and what a reader may be late."""


class StreamRecord:
    """The samples of one task's queries.

    :param spark: the task's session.
    :param folder: of the attempt.
    """

    def __init__(self, spark: Any, folder: Path, every: float) -> None:
        self.spark = spark
        self.file = folder / FILE_NAME
        self.every = every
        self.samples: dict[str, list[Figures]] = {}

    def start(self) -> None:
        """Look every few seconds until the process ends."""
        threading.Thread(target=self.work, name="medallion-streams", daemon=True).start()

    def work(self) -> None:
        """Look again and again. What fails here must not hurt the task: a stream may end between two questions."""
        while True:
            with contextlib.suppress(Exception):
                self.look(time.time())
            time.sleep(self.every)

    def look(self, now: float) -> None:
        """Take a sample of each query that runs, and write the file when there is one."""
        running = {name_of(query): query for query in self.spark.streams.active}
        for name, query in running.items():
            if figures := sample_of(query, now):
                self.samples.setdefault(name, []).append({"at": now, **figures})
        self.samples = {name: recent(found, now) for name, found in self.samples.items() if name in running}
        if self.samples or self.file.exists():
            write_whole(self.file, json.dumps({"streams": self.samples}))


def name_of(query: Any) -> str:
    """The query's name, or its id."""
    return str(query.name or query.id)


def sample_of(query: Any, now: float) -> Figures:
    """The figures of a query now; none before its first batch has ended."""
    progress = query.lastProgress
    if progress is None:
        return {}
    raw = json.loads(progress.json) if hasattr(progress, "json") else dict(progress)
    return figures_of(raw, checkpoint_of(query), now)


def checkpoint_of(query: Any) -> Path | None:
    """The query's checkpoint folder; None where it is not known or not on this machine."""
    try:
        place = str(query._jsq.streamingQuery().resolvedCheckpointRoot())
    except Exception:  # noqa: BLE001  a remote session has no such object
        return None
    return local_path(place) if place.startswith((*(f"{scheme}:" for scheme in LOCAL_SCHEMES), "/")) else None


def recent(samples: Iterable[Figures], now: float) -> list[Figures]:
    """The samples that somebody may still ask for."""
    return [item for item in samples if item["at"] >= now - KEEP_SECONDS]


def watch_streams(spark: Any, folder: Path, options: Mapping[str, Any]) -> None:
    """Keep the record when the task's context asks for it."""
    if spark is not None and OPTION in options:
        StreamRecord(spark, folder, float(options[OPTION])).start()

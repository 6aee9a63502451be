"""Lines for Airflow's log of a task. Runs in the Airflow task process.

Airflow reads a task's standard output from a pipe and gives a line the time at which it is read, which may be after the task
has ended: its log page, sorted by time, then shows the line below "Post Execute", in a closed group. Airflow's own lines
carry their time through a channel of their own; so do these.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from functools import cache
from typing import Any

import structlog

from medallion.core.text import storable

LOGGER = "task.stdout"
"""What Airflow calls the lines of a task's standard output."""


def show(text: str) -> None:
    """Text as it stands into Airflow's log of the task."""
    channel = log_channel()
    if channel is None:
        print(storable(text), flush=True)  # noqa: T201  the task's standard output is the log
        return
    for line in storable(text).split("\n"):
        event = {"timestamp": datetime.now(UTC).isoformat(), "level": "info", "event": line, "logger": LOGGER}
        channel.msg(json.dumps(event).encode())


def log_channel() -> Any:
    """Where a supervised task writes its log's events, each a line of JSON; None where nobody reads such lines.

    No level filters what a task prints, so this goes past the loggers. Airflow's supervisor masks what it reads.
    """
    factory = structlog.get_config()["logger_factory"]
    stream = getattr(factory, "io", None)
    if (
        stream is None
        or stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
        or hasattr(stream, "encoding")
    ):
        return None
    return logger_of(factory)


@cache
def logger_of(factory: Any) -> Any:
    """The factory's logger; None where it writes text and not JSON."""
    logger = factory(LOGGER)
    return logger if isinstance(logger, structlog.BytesLogger) else None

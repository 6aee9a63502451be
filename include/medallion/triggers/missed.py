"""A run that does not start is one line of the scheduler's log, not a traceback. A listener; runs in the scheduler.

Airflow logs every exception of a timetable as "Failed creating DagRun" with its traceback. `LakeflowTimetable` says itself
what was missed, or that the trigger is paused; Airflow's record of it is dropped.
"""

from __future__ import annotations

import sys
from collections.abc import MutableMapping
from typing import Any

from airflow.listeners import hookimpl

from medallion.triggers.timetables import NoStartError


@hookimpl
def on_starting(component: object) -> None:
    """Called by Airflow when one of its long-running processes starts."""
    if sys.argv[1:2] == ["scheduler"]:
        keep_out()


def keep_out() -> None:
    """Drop Airflow's records of runs that do not start from now on, of loggers that are made already too."""
    import structlog

    processors = structlog.get_config()["processors"]
    if drop_missed not in processors:
        # Loggers that Airflow has cached hold this list itself.
        processors.insert(0, drop_missed)


def drop_missed(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A step of structlog's chain.

    :raises structlog.DropEvent: the record is that of a run that does not start.
    """
    if event.get("exc_info") and isinstance(sys.exc_info()[1], NoStartError):
        import structlog

        raise structlog.DropEvent
    return event

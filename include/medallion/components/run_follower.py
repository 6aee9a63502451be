"""The jobs service beside a run of its own process: system tables and messages without `medallion up`.

Forked from the run's process, which has Airflow loaded, into a session of its own. So it costs the run nothing at its end:
it takes one more look after the run's process is gone, and ends.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

from medallion.components.places import places_of
from medallion.components.task_process import fresh_connections, leave
from medallion.runs import service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from medallion.settings import Settings

log = logging.getLogger(__name__)

NICE = 10
"""The run's own tasks come first."""
LEAVE_SECONDS = 30.0
"""How long consumers may take after the run; what is left is told at the next run or start of the service."""
PATIENCE_SECONDS = 20.0
"""How long to wait after the run for another follower of the same database, which tells of this run as well."""


def follow_beside(settings: Settings, streams: Iterable[int]) -> None:
    """Start it.

    :param streams: file descriptors that the other end must see closed when the run's process ends.
    """
    parent = os.getpid()
    if os.fork():
        return
    try:
        become_daemon(settings, streams)
        follow(settings, parent)
    except BaseException:
        log.exception("the run could not be followed")
    leave(0)


def become_daemon(settings: Settings, streams: Iterable[int]) -> None:
    """Let go of the run: its session, its streams, its connections, its signals."""
    os.setsid()
    os.nice(NICE)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    journal = os.open(places_of(settings).logs / f"{service.NAME}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for stream in streams:
        os.dup2(nothing, stream)
    os.dup2(nothing, 0)
    os.dup2(journal, 1)
    os.dup2(journal, 2)
    fresh_connections()
    service.tell_on(sys.stderr)


def follow(settings: Settings, parent: int) -> None:
    """Look until the run's process is gone and all is told."""
    stopping, gone = threading.Event(), time.monotonic()

    def parent_lives() -> bool:
        nonlocal gone
        if os.getppid() == parent:
            gone = time.monotonic()
            return True
        return False

    def waits() -> None:
        if not parent_lives() and time.monotonic() - gone > PATIENCE_SECONDS:
            stopping.set()

    with service.only_one(settings.home, service.database_name(), stopping, waits) as mine:
        if not mine:
            return
        beside = service.Service(settings, service.make_consumers(settings, service.LOCAL), service.database_name())
        beside.start()
        while parent_lives():
            pause_until_gone(beside.look(), parent_lives)
        # The database is still now: this look sees the run's end.
        beside.look()
        end = time.monotonic() + LEAVE_SECONDS
        while beside.waiting() and time.monotonic() < end:
            time.sleep(0.05)
        beside.stop()


def pause_until_gone(seconds: float, parent_lives: Callable[[], bool]) -> None:
    """Wait a while, or less when the run's process ends."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and parent_lives():
        time.sleep(0.1)

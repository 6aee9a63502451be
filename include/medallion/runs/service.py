"""The jobs service: follows Airflow's runs and tells those who want to know. A process of `medallion up`.

`python -m medallion.runs.service` runs until a signal ends it; with `--check` it tells by its exit status whether the
service of this home is well.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from medallion.compute.processes import draft_of

if TYPE_CHECKING:
    from medallion.runs.changes import Consumer
    from medallion.settings import Settings

log = logging.getLogger(__name__)

NAME = "jobs-service"
CONSUMERS: tuple[str, ...] = (
    "medallion.runs.queueing.QueueKeeper",
    "medallion.runs.obeying.RequestKeeper",
    "medallion.runs.notifications.consumer.Notifications",
    "medallion.runs.system_tables.consumer.SystemTables",
    "medallion.triggers.keeper.WatchKeeper",
    "medallion.runs.version_keeper.VersionKeeper",
)
"""Who is told, as `module.Class`; each class is called with the Settings."""

LOCAL = (
    "medallion.runs.notifications.consumer.Notifications",
    "medallion.runs.system_tables.consumer.SystemTables",
    "medallion.runs.version_keeper.LocalVersionKeeper",
)
"""Who is told beside a run of its own process, which cancels for itself; nothing waits in a queue or is watched there."""

LOOK_SECONDS = 1.0
SLOWEST_LOOK_SECONDS = 5.0
SHARE = 20
"""A look that takes long makes the pause after it longer: this many times as long as itself."""
BEAT_SECONDS = 2.0
BEAT_LIMIT_SECONDS = 30.0
HISTORY_SECONDS = 3600.0
"""A consumer that is new is told of runs that ended since so long ago, unless it wants all (`changes.Historian`)."""


def folder(home: Path) -> Path:
    """Where the service keeps its files."""
    return home / "jobs_service"


def database_name() -> str:
    """Names the Airflow database of this process, which has a progress of its own: `airflow`, or `aside` beside `up`."""
    from airflow.configuration import conf

    place = str(conf.get("database", "sql_alchemy_conn"))
    return "aside" if place.startswith("sqlite") and place.partition("?")[0].endswith("/aside.db") else "airflow"


def heartbeat(home: Path) -> float:
    """When the service was last well, in seconds since the epoch; 0 for never."""
    try:
        return float(json.loads((folder(home) / "heartbeat.json").read_text(encoding="utf-8"))["at"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0


def is_well(home: Path, since: float = 0.0) -> bool:
    """Whether the service is well.

    :param since: seconds since the epoch; an older sign of life is that of an earlier process.
    """
    last = heartbeat(home)
    return last >= since and time.time() - last < BEAT_LIMIT_SECONDS


@contextmanager
def only_one(home: Path, database: str, stopping: threading.Event, waits: Callable[[], None]) -> Iterator[bool]:
    """Hold the lock of those who follow one database; False when `stopping` was set before it was free.

    :param waits: called at each try while somebody else holds it.
    """
    folder(home).mkdir(parents=True, exist_ok=True)
    with (folder(home) / f"{database}.lock").open("a") as stream:
        while not stopping.is_set():
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                waits()
                stopping.wait(0.2)
            else:
                yield True
                return
        yield False


def make_consumers(settings: Settings, names: Sequence[str] | None = None) -> list[Consumer]:
    """The consumers. One that cannot be made is left out and logged: it must not stop the others."""
    made: list[Consumer] = []
    for name in CONSUMERS if names is None else names:
        module, _, attribute = name.rpartition(".")
        try:
            made.append(getattr(import_module(module), attribute)(settings))
        except Exception:
            log.exception("%s could not be started", name)
    return made


class Service:
    """A follower and its consumers.

    :param database: names the progress of one Airflow database: `airflow`, or `aside` for that of runs beside `up`.
    :param alive: called while a look goes on.
    """

    def __init__(
        self,
        settings: Settings,
        consumers: Sequence[Consumer],
        database: str = "airflow",
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        from medallion.runs.delivery import Delivery
        from medallion.runs.following import Follower, load_airflow
        from medallion.runs.job_versions import job_of_look
        from medallion.runs.progress import Progress

        load_airflow()
        self.settings = settings
        self.consumers = consumers
        self.progress = Progress(folder(settings.home) / f"{database}.db")
        now = time.time()
        since = {
            item.name: self.progress.register(item.name, 0.0 if wants_history(item) else now - HISTORY_SECONDS)
            for item in consumers
        }
        self.follower = Follower(settings.home, settings.project, self.progress, since, alive)
        self.deliveries = [Delivery(item, self.progress, job_of_look(settings)) for item in consumers]

    def start(self) -> None:
        """Let the consumers work, each in its thread."""
        for delivery in self.deliveries:
            delivery.thread.start()

    def look(self) -> float:
        """One look; gives the seconds to pause after it. A failure is logged: the next look sees the same."""
        begun = time.monotonic()
        try:
            if self.follower.look():
                for delivery in self.deliveries:
                    delivery.wake.set()
        except Exception:
            log.exception("the runs could not be looked at")
        spent = time.monotonic() - begun
        return min(max(LOOK_SECONDS, spent * SHARE), SLOWEST_LOOK_SECONDS)

    def waiting(self) -> int:
        """How many changes have not been taken yet."""
        return self.progress.waiting([item.name for item in self.consumers])

    def stop(self) -> None:
        """Let the consumers end what they do."""
        for delivery in self.deliveries:
            delivery.stop()
        self.progress.close()


def wants_history(consumer: Consumer) -> bool:
    """Whether a consumer is told of all runs that there are when it is new."""
    return bool(getattr(consumer, "history", False))


class Heart:
    """Writes the sign of life, at most every two seconds."""

    def __init__(self, home: Path) -> None:
        self.place = folder(home) / "heartbeat.json"
        self.last = -BEAT_SECONDS

    def beat(self) -> None:
        """The service is well now."""
        if time.monotonic() - self.last < BEAT_SECONDS:
            return
        self.last = time.monotonic()
        self.place.parent.mkdir(parents=True, exist_ok=True)
        draft = draft_of(self.place, hidden=True)
        draft.write_text(json.dumps({"pid": os.getpid(), "at": time.time()}), encoding="utf-8")
        draft.replace(self.place)


def serve(settings: Settings, stopping: threading.Event) -> None:
    """Follow and tell until `stopping` is set."""
    heart = Heart(settings.home)
    with only_one(settings.home, database_name(), stopping, heart.beat) as mine:
        if not mine:
            return
        heart.beat()
        service = Service(settings, make_consumers(settings), database_name(), heart.beat)
        service.start()
        log.info("following, for %s", ", ".join(item.name for item in service.consumers) or "nobody")
        try:
            pause = 0.0
            while not stopping.wait(pause):
                pause = service.look()
                heart.beat()
        finally:
            service.stop()


def main(arguments: Sequence[str]) -> int:
    """The process; its standard output is its log."""
    from medallion.project.projects import project_here
    from medallion.settings import Settings

    settings = Settings.load(project_here())
    if "--check" in arguments:
        return 0 if is_well(settings.home) else 1
    tell_on(sys.stdout)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    serve(settings, stopping)
    return 0


def tell_on(stream: TextIO) -> None:
    """Log the lines of this package to a stream; Airflow's own only from warnings on."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    own = logging.getLogger("medallion")
    own.setLevel(logging.INFO)
    own.addHandler(handler)
    own.propagate = False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""One poller for all triggers of a triggerer: a thousand tables cost one task and one thread. Runs in the triggerer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from medallion.errors import MedallionError
from medallion.triggers.sql_gate import ask
from medallion.triggers.store import Store, state_file
from medallion.triggers.watch import ERROR_SECONDS, EntryWatch, JobWatch

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path
    from typing import Any

    from medallion.settings import Settings
    from medallion.triggers.firing import Firing

log = logging.getLogger(__name__)

TICK = 0.5
"""Seconds between looks at what is on this machine."""

SETTLE_SECONDS = 60.0
"""The triggerer hands events on every second; one that it took so long ago is in Airflow's database, or the triggerer
died and its next start finds out (`runs.listener`)."""


@dataclass(eq=False)
class Seat:
    """One job in the poller.

    :param queue: firings on their way to Airflow.
    :param busy: a look at remote places is under way.
    """

    watch: JobWatch
    queue: asyncio.Queue[Firing] = field(default_factory=asyncio.Queue)
    busy: bool = False


class Poller:
    """Looks for all jobs in turn while there is one.

    `sent` holds the firings that the triggerer took, and when. An edited job gets a new watch before its old one is
    cancelled, so the old one loses its seat first, between two looks: a change is seen by one of them.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = Store(state_file(settings.home))
        self.seats: set[Seat] = set()
        self.task: asyncio.Task[None] | None = None
        self.others: set[asyncio.Task[Any]] = set()
        self.sent: dict[str, float] = {}
        self.asking = asyncio.Lock()
        self.turn = asyncio.Lock()

    async def firings(self, watch: JobWatch) -> AsyncIterator[Firing]:
        """The firings of a job as they happen, as long as someone asks for them."""
        seat = await self.seat_of(watch)
        if self.task is None or self.task.done():
            self.task = asyncio.create_task(self.poll(), name="medallion triggers")
        try:
            while True:
                firing = await seat.queue.get()
                self.sent[firing.firing] = time.time()
                yield firing
        finally:
            self.seats.discard(seat)

    async def seat_of(self, watch: JobWatch) -> Seat:
        """Give a job its seat, with the firings that Airflow was not told of."""
        seat = Seat(watch)
        async with self.turn:
            self.seats = {other for other in self.seats if other.watch.dag_id != watch.dag_id}
            for firing in await asyncio.to_thread(watch.open, time.time()):
                if firing.firing not in self.sent:
                    log.warning(
                        "Firing %s of %s had not reached Airflow and is told again", firing.firing, firing.dag_id
                    )
                    seat.queue.put_nowait(firing)
            self.seats.add(seat)
        return seat

    async def poll(self) -> None:
        """Look until no job is left. A fault of ours in one look must not end the watch."""
        while self.seats:
            begun = time.monotonic()
            try:
                async with self.turn:
                    seats = tuple(self.seats)
                    for seat, watch, firing in await asyncio.to_thread(look_all, seats, time.time()):
                        self.take(seat, watch, firing)
                for seat in seats:
                    if not seat.busy and any(item.source and item.source.remote for item in seat.watch.watches):
                        self.start(self.look_far(seat))
                await self.settle(time.time())
            except Exception:
                log.exception("A look at the triggers failed")
            await asyncio.sleep(max(TICK - (time.monotonic() - begun), TICK / 5))

    async def settle(self, now: float) -> None:
        """Forget the firings that the triggerer took long enough ago."""
        old = [name for name, at in self.sent.items() if now - at >= SETTLE_SECONDS]
        if old:
            await asyncio.to_thread(self.store.settle, old)
            for name in old:
                del self.sent[name]

    def take(self, seat: Seat, watch: EntryWatch, firing: Firing | None) -> None:
        """Tell of a firing, or ask the query first."""
        if firing is not None:
            seat.queue.put_nowait(firing)
        else:
            watch.asking = True
            self.start(self.ask_first(seat, watch))

    async def look_far(self, seat: Seat) -> None:
        """One look at the remote places of a job."""
        seat.busy = True
        try:
            for _, watch, firing in await asyncio.to_thread(look_one, seat, time.time(), remote=True):
                self.take(seat, watch, firing)
        finally:
            seat.busy = False

    async def ask_first(self, seat: Seat, watch: EntryWatch) -> None:
        """Ask an entry's query; fire or let it be."""
        try:
            async with self.asking:
                yes, value = await asyncio.to_thread(ask, self.settings, watch.entry, watch.value)
            watch.value = value
            if seat not in self.seats:
                return  # an edited job has another watch by now, which asks for itself
            if yes:
                seat.queue.put_nowait(await asyncio.to_thread(seat.watch.fire, watch, time.time()))
            else:
                await asyncio.to_thread(seat.watch.dismiss, watch)
        except MedallionError as error:
            watch.broken = str(error)
            watch.not_before = time.time() + ERROR_SECONDS
            log.warning("%s: the query could not be asked: %s", seat.watch.dag_id, error)
        finally:
            watch.asking = False

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside the looks."""
        task = asyncio.create_task(work)
        self.others.add(task)
        task.add_done_callback(self.others.discard)


Due = tuple[Seat, EntryWatch, "Firing | None"]


def look_all(seats: Iterable[Seat], now: float) -> list[Due]:
    """One look at everything on this machine. Runs in a thread."""
    return [due for seat in seats for due in look_one(seat, now)]


def look_one(seat: Seat, now: float, *, remote: bool = False) -> list[Due]:
    """One look at a job: its triggers that are due, fired where no query must be asked."""
    due: list[Due] = [
        (seat, watch, None if watch.entry.condition else seat.watch.fire(watch, now))
        for watch in seat.watch.look(now, remote=remote)
    ]
    seat.watch.tell()
    return due


_pollers: dict[Path, Poller] = {}


def poller(settings: Settings) -> Poller:
    """The poller of this process for a project."""
    if settings.home not in _pollers:
        _pollers[settings.home] = Poller(settings)
    return _pollers[settings.home]

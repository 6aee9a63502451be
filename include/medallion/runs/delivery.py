"""Tells consumers what is queued for them, each in a thread of its own. Runs in the jobs service."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from medallion.runs.changes import BatchConsumer
from medallion.runs.stored import from_body, from_look

if TYPE_CHECKING:
    from medallion.runs.changes import Consumer, RunChange
    from medallion.runs.progress import Progress, Queued
    from medallion.spec.definition import JobDefinition

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
FIRST_DELAY, LONGEST_DELAY = 1.0, 60.0
"""Seconds before a change that was not taken is told again; doubled each time."""
EVERY_RUN = ""
"""Stands for all runs of a consumer that takes many changes at once."""

JobOfLook = Callable[[Mapping[str, Any]], "JobDefinition | None"]
"""The job as it was for the run that a look saw."""


class Delivery:
    """One consumer's queue.

    A change that is not taken holds back the later ones of its run, and no other run.
    """

    def __init__(self, consumer: Consumer, progress: Progress, job_of: JobOfLook) -> None:
        self.consumer = consumer
        self.progress = progress
        self.job_of = job_of
        self.held: dict[str, tuple[float, float]] = {}
        self.wake = threading.Event()
        self.stopping = threading.Event()
        self.ticked = 0.0
        self.thread = threading.Thread(target=self.work, name=f"consumer-{consumer.name}", daemon=True)

    def work(self) -> None:
        """Tell and tick until `stop`."""
        while not self.stopping.is_set():
            try:
                self.round()
            except Exception:
                # The file is full or locked: nothing was noted as taken, so nothing is lost.
                log.exception("the queue of %s could not be worked on", self.consumer.name)
            self.wake.wait(TICK_SECONDS)
            self.wake.clear()

    def stop(self, patience: float = 5.0) -> None:
        """Let the thread end."""
        self.stopping.set()
        self.wake.set()
        if self.thread.ident is not None:
            self.thread.join(patience)

    def round(self) -> None:
        """Tell what is due, and tick."""
        self.tell()
        now = time.time()
        if now - self.ticked >= TICK_SECONDS * 0.9:
            self.ticked = now
            try:
                self.consumer.tick(now)
            except Exception:
                log.exception("%s failed at its tick", self.consumer.name)

    def tell(self) -> None:
        """Tell all that is due."""
        while not self.stopping.is_set():
            now = time.monotonic()
            waiting = {run for run, (due, _) in self.held.items() if due > now}
            if EVERY_RUN in waiting:
                return
            batch = self.progress.queued(self.consumer.name, waiting)
            if not batch:
                return
            self.tell_batch(batch)

    def tell_batch(self, batch: Sequence[Queued]) -> None:
        """Tell some changes, in order."""
        changes = self.changes(batch)
        if isinstance(self.consumer, BatchConsumer):
            if self.attempt(EVERY_RUN, lambda consumer=self.consumer: consumer.consume_all(changes)):
                self.progress.taken(self.consumer.name, batch)
            return
        failed: set[str] = set()
        for queued, change in zip(batch, changes, strict=True):
            if queued.run in failed:
                continue
            if self.attempt(queued.run, lambda change=change: self.consumer.consume(change)):
                self.progress.taken(self.consumer.name, [queued])
            else:
                failed.add(queued.run)

    def attempt(self, run: str, tell: object) -> bool:
        """Tell once; a failure is logged and the run held back for a while."""
        try:
            tell()  # type: ignore[operator]
        except Exception as error:
            _, before = self.held.get(run, (0.0, 0.0))
            delay = min(before * 2, LONGEST_DELAY) if before else FIRST_DELAY
            self.held[run] = (time.monotonic() + delay, delay)
            log.warning(
                "%s could not take a change (%s: %s); told again in %.0f s",
                self.consumer.name,
                type(error).__name__,
                error,
                delay,
                exc_info=not before,
            )
            return False
        self.held.pop(run, None)
        return True

    def changes(self, batch: Sequence[Queued]) -> list[RunChange]:
        """The changes of queued bodies; those of one look share snapshot and report."""
        found: list[RunChange] = []
        shared: dict[int, RunChange] = {}
        for queued in batch:
            first = shared.get(queued.look)
            if first is None:
                look = self.progress.look(queued.look)
                snapshot, report = from_look(look)
                change = from_body(queued.body, self.job_of(look), snapshot, report)
                shared[queued.look] = change
            else:
                change = from_body(queued.body, first.definition, first.snapshot, first.report)
            found.append(change)
        return found

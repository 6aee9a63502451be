"""Watches over what still runs: how long it takes, how far its streams lag. In the jobs service.

A watch is kept in the outbox's file, so it outlives a restart of the service. It begins with the run or the attempt and
ends with it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.runs import health
from medallion.runs.changes import Kind, RunChange
from medallion.runs.notes import change_notes
from medallion.runs.notifications.events import Event, Recipient, recipients, task_of
from medallion.runs.notifications.message import Message
from medallion.runs.records import attempt_folder, run_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from medallion.runs.notes import Notes
    from medallion.runs.notifications.outbox import Outbox
    from medallion.spec.job import Job, Task

LOOK_SECONDS = 10.0
"""How often the streams' figures are read."""

SEPARATOR = "\x1f"


@dataclass(frozen=True, slots=True)
class Watch:
    """What is looked at.

    :param limits: of the metrics; for a duration the one limit in seconds.
    :param folder: of the attempt or the run.
    :param message: what is told when a limit is exceeded, but for the sentence that says which.
    :param recipients: who is told; nobody still makes a note.
    :param told: when each metric was told last, in seconds since the epoch.
    """

    dag_id: str
    run_id: str
    limits: dict[str, int]
    folder: str
    message: str
    recipients: tuple[str, ...] = ()
    told: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> str:
        """As the outbox keeps it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Watch:
        """From `to_json`."""
        raw = json.loads(text)
        return cls(**{**raw, "recipients": tuple(raw["recipients"])})


class Watchman:
    """Begins, looks at and ends watches.

    :param window: seconds that a stream's average is over.
    :param again: seconds until a backlog that lasts is told again.
    """

    def __init__(
        self, home: Path, *, window: float = health.WINDOW_SECONDS, again: float = health.AGAIN_SECONDS
    ) -> None:
        self.home = home
        self.window = window
        self.again = again

    def follow(self, outbox: Outbox, change: RunChange, message: Callable[[Event], Message], now: float) -> None:
        """Begin or end what a change asks for."""
        owner = owner_of(change)
        if change.kind in {Kind.RUN_STARTED, Kind.ATTEMPT_STARTED}:
            self.begin(outbox, change, owner, message)
            return
        for key, text in outbox.watches_of(owner):
            if key.endswith(health.DURATION):
                self.judge_ended(outbox, key, Watch.from_json(text), change, now)
        outbox.unwatch_all(owner)

    def begin(self, outbox: Outbox, change: RunChange, owner: str, message: Callable[[Event], Message]) -> None:
        """Watch a run or an attempt that has rules."""
        ruled = ruled_by(change)
        start = started(change)
        if ruled is None or start is None:
            return
        folder = str(self.folder(change))

        def watch(event: Event, limits: dict[str, int]) -> str:
            who = tuple(str(item) for item in recipients(ruled, event))
            run = change.snapshot
            return Watch(run.dag_id, run.run_id, limits, folder, message(event).to_json(), who).to_json()

        if (limit := health.duration_limit(ruled)) is not None:
            text = watch(Event.DURATION, {health.DURATION: limit})
            outbox.watch(owner + SEPARATOR + health.DURATION, owner, start + limit, text)
        if limits := health.backlog_limits(ruled):
            outbox.watch(owner + SEPARATOR + "STREAMS", owner, start, watch(Event.BACKLOG, limits))

    def folder(self, change: RunChange) -> Path:
        """Where the streams of a run or an attempt write their figures."""
        run = run_folder(self.home, change.snapshot.dag_id, change.snapshot.run_id)
        if change.task is None:
            return run
        key, index = task_and_index(change)
        return attempt_folder(run, key, index, change.attempt)

    def judge_ended(self, outbox: Outbox, key: str, watch: Watch, change: RunChange, now: float) -> None:
        """A run that ended between two looks, or while the service was down, may have taken too long all the same."""
        start, end = started(change), ended(change)
        if start is not None and end is not None and end - start > watch.limits[health.DURATION]:
            self.tell_duration(outbox, key, watch, now)

    def look(self, outbox: Outbox, now: float) -> None:
        """Judge every watch that is due."""
        for key, text in outbox.watches(now):
            watch = Watch.from_json(text)
            if key.endswith(health.DURATION):
                self.tell_duration(outbox, key, watch, now)
                outbox.unwatch(key)
            else:
                self.look_at_streams(outbox, key, watch, now)

    def tell_duration(self, outbox: Outbox, key: str, watch: Watch, now: float) -> None:
        """Something runs longer than it should. Told once."""
        limit = watch.limits[health.DURATION]
        self.tell(outbox, key, watch, f"takes longer than {limit} s", {"metric": health.DURATION, "limit": limit}, now)

    def look_at_streams(self, outbox: Outbox, key: str, watch: Watch, now: float) -> None:
        """Tell of each limit that the streams exceed; once, and again while it lasts."""
        told = dict(watch.told)
        streams = health.read_streams(Path(watch.folder))
        for excess in health.excesses(streams, watch.limits, now, self.window):
            if now - told.get(excess.metric, 0.0) < self.again:
                continue
            told[excess.metric] = now
            fact = {"metric": excess.metric, "limit": excess.limit, "value": excess.value, "stream": excess.stream}
            self.tell(outbox, f"{key}{SEPARATOR}{excess.metric}{SEPARATOR}{now:.0f}", watch, str(excess), fact, now)
        outbox.postpone(key, now + min(LOOK_SECONDS, self.window / 10), replace(watch, told=told).to_json())

    def tell(self, outbox: Outbox, key: str, watch: Watch, note: str, fact: dict[str, Any], now: float) -> None:
        """Put the message into the outbox, and a warning into the run's notes."""
        message = replace(Message.from_json(watch.message), note=note)
        outbox.put(key, [Recipient.parse(text) for text in watch.recipients], message, now)
        warning = {**fact, "task_key": message.task or None, "at": round(now * 1000)}

        def add(notes: Notes) -> Notes:
            kept = [item for item in notes.get("health") or () if item.get("key") != key]
            return {**notes, "health": [*kept, {"key": key, **warning}]}

        change_notes(self.home, watch.dag_id, watch.run_id, add)


def owner_of(change: RunChange) -> str:
    """Names what a watch belongs to: a run, or one attempt of a task."""
    parts: list[object] = [change.snapshot.dag_id, change.snapshot.run_id, change.repair]
    if change.task is not None:
        parts += [change.task.task_key, change.attempt]
    return SEPARATOR.join(map(str, parts))


def ruled_by(change: RunChange) -> Job | Task | None:
    """The job or the task whose rules hold."""
    if change.definition is None:
        return None
    job = change.definition.job
    return task_of(job, change.task.task_key) if change.task else job


def task_and_index(change: RunChange) -> tuple[str, int]:
    """Key of the task that runs, and the iteration's place; -1 for no iteration."""
    key = change.task.task_key if change.task else ""
    name, bracket, rest = key.partition("[")
    if not bracket:
        return key, -1
    inner = task_of(change.definition.job, key) if change.definition else None
    return (inner.task_key if inner else name), int(rest.rstrip("]"))


def started(change: RunChange) -> float | None:
    """When the run or the attempt started, in seconds since the epoch."""
    if change.task is None:
        return change.snapshot.start
    return change.task.start_time / 1000 or None


def ended(change: RunChange) -> float | None:
    """When the run or the attempt ended, in seconds since the epoch."""
    if change.task is None:
        return change.snapshot.end
    return change.task.end_time / 1000 or None

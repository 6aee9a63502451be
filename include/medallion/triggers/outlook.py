"""What will start a job, when, and what its triggers have seen. Runs on the command line and in the API server."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from medallion.triggers.entries import TIMED, Block, blocks_of, paused
from medallion.triggers.firing import Firing
from medallion.triggers.schedule import schedule_of, words_of
from medallion.triggers.store import Shown, shown, state_file
from medallion.triggers.watched import next_fire_of

if TYPE_CHECKING:
    from medallion.settings import Settings
    from medallion.spec.job import Job


@dataclass(frozen=True, slots=True)
class TriggerOutlook:
    """One trigger.

    :param says: the schedule in plain English, or the timers; empty when there is nothing to add.
    :param next: its next times, for a trigger that knows them; for one that saw a change, when it fires for it.
    :param watching: a watcher looks after it.
    :param seen: what the watcher saw, see `sources`; empty while it did not look yet.
    """

    key: str
    text: str
    paused: bool
    says: str = ""
    next: tuple[datetime, ...] = ()
    watching: bool = False
    seen: dict[str, Any] = field(default_factory=dict)
    fired: datetime | None = None
    problem: str = ""

    def to_json(self) -> dict[str, Any]:
        """As `medallion triggers --json` prints it."""
        return {
            "key": self.key,
            "text": self.text,
            "description": self.says or None,
            "paused": self.paused,
            "watching": self.watching,
            "next": [at.isoformat() for at in self.next],
            "seen": self.seen,
            "fired": self.fired.isoformat() if self.fired else None,
            "problem": self.problem or None,
        }


@dataclass(frozen=True, slots=True)
class Outlook:
    """A job's triggers.

    :param summary: what the list of DAGs shows; None for a job that only people start.
    :param firings: the latest, newest first.
    """

    job: str
    dag_id: str
    summary: str | None
    triggers: tuple[TriggerOutlook, ...]
    firings: tuple[Firing, ...]

    def to_json(self) -> dict[str, Any]:
        """As `medallion triggers --json` prints it."""
        return {
            "job": self.job,
            "dag_id": self.dag_id,
            "summary": self.summary,
            "triggers": [trigger.to_json() for trigger in self.triggers],
            "firings": [
                {"key": firing.key, "at": moment(firing.at).isoformat(), **firing.facts} for firing in self.firings
            ],
        }


def outlook(settings: Settings, dag_id: str, job: Job, count: int, now: datetime | None = None) -> Outlook:
    """What will start a job.

    :param count: how many times of a schedule.
    """
    now = now or datetime.now(UTC)
    told = shown(state_file(settings.home), dag_id)
    timetable = schedule_of(job, dag_id)
    triggers = [trigger_outlook(block, told, count, now) for block in blocks_of(job)]
    holders = [job.continuous, *(entry for entry in job.triggers or () if entry.continuous is not None)]
    for number, holder in enumerate(holder for holder in holders if holder is not None):
        triggers.append(
            TriggerOutlook(f"continuous.{number}", "Continuous: always one run", paused(holder.pause_status))
        )
    summary = None if timetable is None else str(timetable.summary)
    return Outlook(job.name or "Untitled", dag_id, summary, tuple(triggers), tuple(told.firings))


def trigger_outlook(block: Block, told: Shown, count: int, now: datetime) -> TriggerOutlook:
    """One trigger."""
    seen, state = told.entries.get(block.key, ({}, {}))
    if block.paused:
        seen, state = {}, {}
    seen = dict(seen)
    problem = str(seen.pop("problem", ""))
    fire_at = seen.pop("fire_at", None)
    times = next_times(block, count, now) if block.kind in TIMED else (moment(fire_at),) if fire_at else ()
    fired = state.get("fired")
    return TriggerOutlook(
        key=block.key,
        text=words_of(block),
        paused=block.paused,
        says=says_of(block),
        next=() if block.paused else times,
        watching=told.watching and bool(state),
        seen=seen,
        fired=moment(fired) if fired else None,
        problem=problem,
    )


def says_of(block: Block) -> str:
    """What the words of a trigger leave out: a cron expression in plain English, the timers."""
    if block.kind == "schedule":
        from medallion.spec.quartz import Quartz, QuartzError

        try:
            return Quartz.parse(block.payload.quartz_cron_expression).describe()
        except QuartzError as error:
            return str(error)
    between = getattr(block.payload, "min_time_between_triggers_seconds", None)
    wait = getattr(block.payload, "wait_after_last_change_seconds", None)
    parts = [f"at least {between} s between firings"] if between else []
    return ", ".join([*parts, f"{wait} s after the last change"] if wait else parts)


def next_times(block: Block, count: int, now: datetime) -> tuple[datetime, ...]:
    """The next times of a schedule or a period."""
    following = next_fire_of(block.kind, block.payload.to_json())
    times: list[datetime] = []
    at: datetime | None = now
    while len(times) < count and (at := following(at or now)) is not None:
        times.append(at)
    return tuple(times)


def moment(seconds: float) -> datetime:
    """A time in UTC from seconds since the epoch."""
    return datetime.fromtimestamp(seconds, UTC)


def seen_words(seen: dict[str, Any]) -> list[str]:
    """What a trigger saw, a line for each thing."""
    lines = []
    if "known_files" in seen:
        files = "file" if seen["known_files"] == 1 else "files"
        lines.append(f"{seen['known_files']} {files} known, {seen['new_files']} new")
    for name, told in seen.get("tables", {}).items():
        version = "does not exist yet" if told["version"] is None else f"version {told['version']}"
        lines.append(f"{name}: {version}{', updated' if told['updated'] else ''}")
    for job, told in seen.get("jobs", {}).items():
        lines.append(f"job {told['dag_id'] or job}: {'ended' if told['ended'] else 'waited for'}")
    return lines


def firing_words(firing: Firing) -> str:
    """What a firing was about."""
    facts = firing.facts
    if "files" in facts:
        more = facts["count"] - len(facts["files"])
        return ", ".join(facts["files"]) + (f" and {more} more" if more > 0 else "")
    if "tables" in facts:
        return ", ".join(f"{name} version {told['version']}" for name, told in facts["tables"].items())
    if "jobs" in facts:
        return ", ".join(f"{run['dag_id']} {run['run_id']} {run['state']}" for run in facts["jobs"].values())
    return str(facts.get("time", ""))

"""The triggers of a job that are watched, in a form that Airflow can keep. Pure; runs at parse time and in the triggerer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medallion.spec.job import Job
    from medallion.spec.triggers import SqlCondition, Trigger, TriggerEntry

WATCHED = ("file_arrival", "table_update", "job_completion")
TIMED = ("schedule", "periodic")
MODELS = "model"


@dataclass(frozen=True, slots=True)
class Entry:
    """One trigger that a watcher looks after.

    :param key: names it within its job: the kind and its number among those of its kind. It stays when the trigger is
        edited, so that an edit forgets nothing.
    :param settings: the block of the Jobs API, as JSON.
    :param between: seconds that lie between two firings at least.
    :param wait: seconds without a further change before it fires.
    :param condition: the `sql_condition`, as JSON.
    """

    key: str
    kind: str
    settings: Mapping[str, Any]
    between: int = 0
    wait: int = 0
    condition: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """What the serialised DAG and Airflow's table of triggers keep."""
        return asdict(self)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Entry:
        """The entry that `to_json` wrote."""
        return cls(**raw)

    @property
    def words(self) -> str:
        """The trigger as a person reads it."""
        text = WORDS[self.kind](self.settings)
        return f"{text}, if query {self.condition['sql_query_id']} says so" if self.condition else text


def file_words(settings: Mapping[str, Any]) -> str:
    """`New files in /Volumes/main/default/landing`."""
    return f"New files in {settings['url']}"


def table_words(settings: Mapping[str, Any]) -> str:
    """`Commits to a, b` or `Commits to all of a, b`."""
    names = ", ".join(settings["table_names"])
    return f"Commits to all of {names}" if settings.get("condition") == "ALL_UPDATED" else f"Commits to {names}"


def completion_words(settings: Mapping[str, Any]) -> str:
    """`SUCCESS of job 1 and 2`."""
    jobs = " and ".join(str(job["job_id"]) for job in settings["jobs"])
    status = str(settings.get("if_status") or "SUCCESS")
    return f"{'End' if status == 'DONE' else status} of job {jobs}"


def schedule_words(settings: Mapping[str, Any]) -> str:
    """The expression with its zone."""
    return f"{settings['quartz_cron_expression']} ({settings['timezone_id']})"


def periodic_words(settings: Mapping[str, Any]) -> str:
    """`Every 2 hours`."""
    unit = str(settings["unit"]).lower()
    count = int(settings["interval"])
    return f"Every {unit.removesuffix('s')}" if count == 1 else f"Every {count} {unit}"


WORDS = {
    "file_arrival": file_words,
    "table_update": table_words,
    "job_completion": completion_words,
    "schedule": schedule_words,
    "periodic": periodic_words,
}


@dataclass(frozen=True, slots=True)
class Block:
    """One trigger of the job as written, whichever of the three places it stands in.

    :param key: the kind and its number among those of its kind.
    """

    key: str
    kind: str
    payload: Any
    paused: bool
    condition: SqlCondition | None = None


def blocks_of(job: Job) -> list[Block]:
    """Every trigger of the job but continuous ones: `schedule`, `trigger`, and the entries of `triggers`."""
    holders: list[tuple[str, Any, Any]] = [("schedule", job.schedule, job.schedule)] if job.schedule else []
    for holder in (*((job.trigger,) if job.trigger is not None else ()), *(job.triggers or ())):
        holders += [(kind, payload, holder) for kind, payload in kinds_of(holder)]
    numbers: dict[str, int] = {}
    blocks = []
    for kind, payload, holder in holders:
        number = numbers[kind] = numbers.get(kind, -1) + 1
        blocks.append(Block(f"{kind}.{number}", kind, payload, paused(holder.pause_status), holder.sql_condition))
    return blocks


def kinds_of(holder: Trigger | TriggerEntry) -> list[tuple[str, Any]]:
    """The kinds that a trigger block sets, of those that are not continuous."""
    return [(kind, found) for kind in (*TIMED, *WATCHED, MODELS) if (found := getattr(holder, kind, None)) is not None]


def paused(status: object) -> bool:
    """Whether a `pause_status` is PAUSED; absent means UNPAUSED (Jobs API)."""
    return str(status or "UNPAUSED") == "PAUSED"


def entries_of(job: Job) -> tuple[Entry, ...]:
    """The triggers that a watcher looks after: all but paused ones, models, and plain times.

    A time with a `sql_condition` is watched too, as the scheduler asks no queries.
    """
    return tuple(
        entry_of(block)
        for block in blocks_of(job)
        if not block.paused and block.kind != MODELS and (block.kind in WATCHED or block.condition is not None)
    )


def entry_of(block: Block) -> Entry:
    """A block as what a watcher needs of it."""
    return Entry(
        key=block.key,
        kind=block.kind,
        settings=block.payload.to_json(),
        between=getattr(block.payload, "min_time_between_triggers_seconds", None) or 0,
        wait=getattr(block.payload, "wait_after_last_change_seconds", None) or 0,
        condition=block.condition.to_json() if block.condition else None,
    )

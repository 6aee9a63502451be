"""A job's schedule, trigger, continuous and triggers blocks as the `schedule` of its DAG. Runs at parse time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from medallion.triggers.assets import condition_of
from medallion.triggers.continuous import ContinuousTimetable
from medallion.triggers.entries import MODELS, TIMED, Block, blocks_of, entries_of, entry_of, paused
from medallion.triggers.timetables import PeriodicTimetable, QuartzTimetable, UnfiredTimetable
from medallion.triggers.watched import EarliestTimetable, WatchedTimetable

if TYPE_CHECKING:
    from medallion.spec.job import Job


def schedule_of(job: Job, dag_id: str = "") -> Any:
    """What Airflow's DAG takes as `schedule`; None for a job that only starts by hand.

    A continuous trigger always has a run, so what stands beside it has nothing to start.

    :param dag_id: of the job's DAG; may stay away where only times are asked for.
    """
    running: list[Any] = [job.continuous] if job.continuous is not None else []
    running += [entry for entry in job.triggers or () if entry.continuous is not None]
    blocks = blocks_of(job)
    awake = [holder for holder in running if not paused(holder.pause_status)]
    if awake or (running and not blocks):
        return ContinuousTimetable(paused=not awake)
    if not blocks:
        return None
    return single_time(blocks) or several(job, dag_id, blocks)


def single_time(blocks: list[Block]) -> QuartzTimetable | PeriodicTimetable | None:
    """The timetable of a job whose one trigger is a plain time, paused or not."""
    if len(blocks) != 1 or blocks[0].kind not in TIMED or blocks[0].condition is not None:
        return None
    (block,) = blocks
    if block.kind == "schedule":
        return QuartzTimetable(block.payload.quartz_cron_expression, block.payload.timezone_id, paused=block.paused)
    return PeriodicTimetable(block.payload.interval, str(block.payload.unit), paused=block.paused)


def several(job: Job, dag_id: str, blocks: list[Block]) -> Any:
    """The timetable of watched triggers, of several, or of none that can fire."""
    entries = entries_of(job)
    times = [
        [block.kind, block.payload.to_json()]
        for block in blocks
        if block.kind in TIMED and block.condition is None and not block.paused
    ]
    text = all_words(blocks)
    if entries:
        return WatchedTimetable(condition_of(dag_id, entries), text, times)
    return EarliestTimetable(times) if times else UnfiredTimetable(text)


def all_words(blocks: list[Block]) -> str:
    """All triggers of a job; which ones are paused."""
    if all(block.paused for block in blocks):
        return "Paused: " + " or ".join(small(words_of(block)) for block in blocks)
    return " or ".join(f"{words_of(block)} (paused)" if block.paused else words_of(block) for block in blocks)


def words_of(block: Block) -> str:
    """One trigger as a person reads it."""
    if block.kind == MODELS:
        return "Model: not watched on this machine, which has no model registry"
    return entry_of(block).words


def small(text: str) -> str:
    """The text for the middle of a sentence; an expression stays as it is."""
    return text[:1].lower() + text[1:]

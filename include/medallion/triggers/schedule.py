"""A job's schedule, trigger or continuous block as the `schedule` of its DAG. Runs at parse time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from medallion.triggers.continuous import ContinuousTimetable
from medallion.triggers.timetables import PeriodicTimetable, QuartzTimetable, UnfiredTimetable

if TYPE_CHECKING:
    from medallion.spec.job import Job
    from medallion.spec.triggers import Trigger


WATCHED = ("file_arrival", "table_update", "model", "job_completion")


def schedule_of(job: Job) -> Any:
    """What Airflow's DAG takes as `schedule`; None for a job that only starts by hand."""
    if job.schedule is not None:
        block = job.schedule
        return QuartzTimetable(block.quartz_cron_expression, block.timezone_id, paused=paused(block.pause_status))
    if job.trigger is not None:
        return trigger_of(job.trigger)
    if job.continuous is not None:
        return ContinuousTimetable(paused=paused(job.continuous.pause_status))
    if job.triggers:
        return UnfiredTimetable("Several triggers: not watched on this machine")
    return None


def trigger_of(trigger: Trigger) -> Any:
    """The `trigger` block. Kinds that are not watched say so in the UI and start by hand."""
    if trigger.periodic is not None:
        return PeriodicTimetable(
            trigger.periodic.interval, str(trigger.periodic.unit), paused=paused(trigger.pause_status)
        )
    kind = next((name for name in WATCHED if getattr(trigger, name) is not None), "unknown trigger")
    words = kind.replace("_", " ").capitalize()
    if paused(trigger.pause_status):
        return UnfiredTimetable(f"Paused: {words.lower()}")
    return UnfiredTimetable(f"{words}: not watched on this machine")


def paused(status: object) -> bool:
    """Whether a `pause_status` is PAUSED; absent means UNPAUSED (Jobs API)."""
    return str(status or "UNPAUSED") == "PAUSED"

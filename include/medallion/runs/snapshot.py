"""A DAG run of Airflow and its task instances at one moment; reports are told from it. Pure; runs where runs are shown."""

from __future__ import annotations

from dataclasses import dataclass

ENDED = frozenset({"success", "failed"})


@dataclass(frozen=True, slots=True)
class Instance:
    """One task instance of Airflow.

    :param start: seconds since the epoch, of its latest attempt; None when it never started.
    :param label: the input of a for-each iteration, shortened.
    :param canceled: a person ended this attempt, or ended the run before it could start.
    """

    task_id: str
    map_index: int = -1
    state: str | None = None
    try_number: int = 0
    start: float | None = None
    end: float | None = None
    label: str | None = None
    canceled: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One DAG run of Airflow and its task instances at one moment.

    :param only: the run's `only` list; empty for all tasks.
    :param start: of the run, or of its latest repair: Airflow overwrites it.
    :param canceled: a person ended it.
    :param history: attempts that were followed by another, or will be. The latest one is among `instances` alone, or in
        both while it waits for the next.
    :param repairs: how often it was repaired.
    """

    dag_id: str
    run_id: str
    state: str | None
    start: float | None = None
    end: float | None = None
    instances: tuple[Instance, ...] = ()
    only: tuple[str, ...] = ()
    canceled: bool = False
    history: tuple[Instance, ...] = ()
    repairs: int = 0


def past(limit: float, start: float | None, end: float | None) -> bool:
    """Whether something that failed ran for as long as its `timeout_seconds`, which then ended it (0: no limit)."""
    return bool(limit and start and end and end - start >= limit)


def millis(seconds: float | None) -> int:
    """Epoch milliseconds; 0 for no time."""
    return round(seconds * 1000) if seconds else 0

"""Which tables each task of a job reads and writes, as its runs showed: `<home>/lineage/<dag>.json`.

Airflow draws edges between tasks and assets from what the DAG states. So what a run showed is kept, and the next parse
states it. Runs on the worker and at parse time.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medallion.runs.notes import locked
from medallion.runs.records import safe

MOST_TABLES = 200
"""Tables that are kept of a task in each direction."""


@dataclass(frozen=True, slots=True)
class TaskLineage:
    """What one task reads and writes, full table names in lower case."""

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()

    def with_more(self, reads: Collection[str], writes: Collection[str]) -> TaskLineage:
        """With what one more run showed. A task may read another table each time, so nothing is taken away."""
        return TaskLineage(merged(self.reads, reads), merged(self.writes, writes))


def merged(old: Collection[str], new: Collection[str]) -> tuple[str, ...]:
    """Both in order; what is above the limit stays away."""
    return tuple(sorted({*old, *(name.lower() for name in new)})[:MOST_TABLES])


def lineage_file(home: Path, dag_id: str) -> Path:
    """Where a job's lineage is kept."""
    return home / "lineage" / f"{safe(dag_id)}.json"


def read_lineage(home: Path, dag_id: str) -> dict[str, TaskLineage]:
    """Lineage by task key; empty where there is none."""
    try:
        told: Mapping[str, Any] = json.loads(lineage_file(home, dag_id).read_text(encoding="utf-8"))
        return {key: TaskLineage(tuple(task["reads"]), tuple(task["writes"])) for key, task in told.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def keep_lineage(home: Path, dag_id: str, task_key: str, reads: Collection[str], writes: Collection[str]) -> None:
    """Add what one run of a task showed. The file is written only when that was not known.

    :raises OSError: the folder cannot be written.
    """
    place = lineage_file(home, dag_id)
    place.parent.mkdir(parents=True, exist_ok=True)
    with locked(place.with_suffix(".lock")):
        found = read_lineage(home, dag_id)
        before = found.get(task_key)
        after = (before or TaskLineage()).with_more(reads, writes)
        if after == before:
            return
        found[task_key] = after
        draft = place.with_suffix(".new")
        told = {key: {"reads": task.reads, "writes": task.writes} for key, task in sorted(found.items())}
        draft.write_text(json.dumps(told, indent=1), encoding="utf-8")
        draft.replace(place)

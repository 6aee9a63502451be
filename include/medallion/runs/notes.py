"""What a run's folder keeps about the run that Airflow's metadata does not: `<home>/runs/<dag>/<run>/run.json`.

Written by whoever acts on a run (API server, scheduler, jobs service, worker, command line); one writer at a time.

Keys in use: `canceled` (who, when), `termination` (code, type, message), `repairs` (a list, see `runs.repairs`),
`trigger` (what started it), `idempotency_token`, `parent` (the run that started it), `git` (commit by repository),
`health` (warnings that were raised).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from medallion.runs.records import run_folder

NOTES_FILE = "run.json"
Notes = dict[str, Any]


def read_notes(home: Path, dag_id: str, airflow_run_id: str) -> Notes:
    """The notes of a run; empty where there are none."""
    try:
        told = json.loads((run_folder(home, dag_id, airflow_run_id) / NOTES_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def change_notes(home: Path, dag_id: str, airflow_run_id: str, change: Callable[[Notes], Notes]) -> Notes:
    """Read, change and write the notes of a run while no other process does.

    :param change: gets the notes, gives the new ones.
    :returns: the new notes.
    :raises OSError: the folder cannot be written.
    """
    folder = run_folder(home, dag_id, airflow_run_id)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / f".{NOTES_FILE}.lock"):
        notes = change(read_notes(home, dag_id, airflow_run_id))
        draft = folder / f".{NOTES_FILE}.new"
        draft.write_text(json.dumps(notes, indent=1), encoding="utf-8")
        draft.replace(folder / NOTES_FILE)
    return notes


def note(home: Path, dag_id: str, airflow_run_id: str, **facts: Any) -> Notes:
    """Set keys of the notes of a run; gives all of them."""
    return change_notes(home, dag_id, airflow_run_id, lambda notes: {**notes, **facts})


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock that the file stands for; it is free again when this process dies."""
    with path.open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield

"""What a run's folder keeps about the run that Airflow's metadata does not: `<home>/runs/<dag>/<run>/run.json`.

Written by whoever acts on a run (API server, scheduler, jobs service, worker, command line); one writer at a time.

Keys in use: `canceled` (who, when), `termination` (code, type, message), `repairs` (a list, see `runs.repairs`),
`trigger` (what started it), `idempotency_token`, `parent` (the run that started it), `git` (commit by repository),
`health` (warnings that were raised), `timeout_seconds` (the limit that it got while it went on).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from medallion.core.databases import keep_aside
from medallion.errors import MedallionError
from medallion.runs.records import run_folder

NOTES_FILE = "run.json"
LOCK_SECONDS = 5
LOCK_POLL_SECONDS = 0.01
Notes = dict[str, Any]


class NotesHeldError(MedallionError, TimeoutError):
    """The notes of a run are held by a process that does not give them back."""

    transient = True


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
        keep_damaged(folder / NOTES_FILE)
        notes = change(read_notes(home, dag_id, airflow_run_id))
        draft = folder / f".{NOTES_FILE}.new"
        with draft.open("w", encoding="utf-8") as stream:
            stream.write(json.dumps(notes, indent=1))
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(folder / NOTES_FILE)
    return notes


def keep_damaged(file: Path) -> None:
    """Keep a file of notes that cannot be read aside, before it is written anew: it may hold a history of repairs."""
    try:
        whole = isinstance(json.loads(file.read_text(encoding="utf-8")), dict)
    except FileNotFoundError:
        return
    except ValueError:
        whole = False
    if not whole:
        keep_aside(file, "it is no JSON object")


def note(home: Path, dag_id: str, airflow_run_id: str, **facts: Any) -> Notes:
    """Set keys of the notes of a run; gives all of them."""
    return change_notes(home, dag_id, airflow_run_id, lambda notes: {**notes, **facts})


@contextlib.contextmanager
def locked(path: Path, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Hold the lock that the file stands for; it is free again when this process dies.

    Nothing slow may be done while it is held. Who waits may be the scheduler in a transaction, so the wait has an end: a
    process that stands still (SIGSTOP, a dead disk) must not stop the others.

    :raises NotesHeldError: another process has held it all the time; an OSError too.
    """
    until = time.monotonic() + seconds
    with path.open("a") as stream:
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    text = f"{path} has been held by another process for {seconds:.0f} s"
                    raise NotesHeldError(text, hint="try again; a process that is stopped holds it") from None
                time.sleep(LOCK_POLL_SECONDS)
        yield

"""Which runs have ended: `<home>/triggers/ended.jsonl`, a line each.

Written where Airflow tells of a run's end (scheduler, API server), read by the triggerer.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any


def ended_file(home: Path) -> Path:
    """The file of ended runs."""
    return home / "triggers" / "ended.jsonl"


def note_end(home: Path, dag_id: str, run_id: str, state: str) -> None:
    """Add the end of a run. One write, so that lines of several processes do not mix.

    :param state: Airflow's word, `success` or `failed`.
    :raises OSError: the file cannot be written.
    """
    place = ended_file(home)
    place.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps({"dag_id": dag_id, "run_id": run_id, "state": state, "at": time.time()}) + "\n"
    descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


@dataclass
class EndedRuns:
    """Reads the file from a place on.

    :param offset: bytes that were read.
    """

    file: str
    offset: int

    @classmethod
    def of(cls, home: Path, offset: int | None) -> EndedRuns:
        """A reader; without an offset it begins at the end of the file."""
        place = ended_file(home)
        if offset is None:
            offset = place.stat().st_size if place.is_file() else 0
        return cls(str(place), offset)

    def look(self) -> list[dict[str, Any]]:
        """The runs that ended since the last look."""
        try:
            size = os.stat(self.file).st_size  # noqa: PTH116  twice a second
        except OSError:
            return []
        if size < self.offset:
            self.offset = 0
        if size == self.offset:
            return []
        with open(self.file, "rb") as stream:  # noqa: PTH123
            stream.seek(self.offset)
            text = stream.read()
        whole = text[: text.rfind(b"\n") + 1]
        self.offset += len(whole)
        return [json.loads(line) for line in whole.splitlines()]

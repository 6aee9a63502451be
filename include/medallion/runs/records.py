"""What the attempts of a run left in their folders: how each ended. Runs wherever runs are shown."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medallion.core.text import storable_json

TIMEOUT = "Timeout"
"""Kind of the failure of an attempt that its time-out ended (`runtime.protocol.Failure`)."""

CANCELED = "Canceled"
"""Kind of the failure of an attempt that a person ended."""

RESULT_FILE = "result.json"


def safe(name: str) -> str:
    """A run id as a folder's name. Airflow's ids hold `:` and `+`, which stay; a slash or a leading dot cannot."""
    return name.replace("/", "_").lstrip(".") or "_"


def run_folder(home: Path, dag_id: str, airflow_run_id: str) -> Path:
    """Where everything of one run is kept: `<home>/runs/<dag>/<run>`."""
    return home / "runs" / safe(dag_id) / safe(airflow_run_id)


def attempt_folder(run: Path, task_key: str, map_index: int, try_number: int) -> Path:
    """Where everything of one attempt is kept: `<run>/<task>/[<iteration>/]<try>`."""
    folder = run / safe(task_key)
    return (folder / str(map_index) if map_index >= 0 else folder) / str(try_number)


@dataclass(frozen=True, slots=True)
class Records:
    """The records of one run.

    :param home: the home folder; None when the records are not at hand.
    """

    home: Path | None
    dag_id: str
    run_id: str

    def result(self, task_key: str, map_index: int, try_number: int) -> dict[str, Any]:
        """What an attempt left as its result, its texts fit for every store; empty where there is no record."""
        if self.home is None:
            return {}
        folder = attempt_folder(run_folder(self.home, self.dag_id, self.run_id), task_key, map_index, try_number)
        try:
            told = json.loads((folder / RESULT_FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return storable_json(told) if isinstance(told, dict) else {}

    def failure(self, task_key: str, map_index: int, try_number: int) -> dict[str, Any] | None:
        """Why an attempt failed, as its record says: `kind`, `message`, `trace`; None where there is no such record."""
        found = self.result(task_key, map_index, try_number).get("failure")
        return found if isinstance(found, dict) else None

    def failure_kind(self, task_key: str, map_index: int, try_number: int) -> str | None:
        """The kind of the failure; None where there is no record of a failure."""
        found = self.failure(task_key, map_index, try_number)
        return str(found["kind"]) if found else None

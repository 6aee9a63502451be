"""What the attempts of a run left in their folders: how each ended. Runs wherever runs are shown."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

TIMEOUT = "Timeout"
"""Kind of the failure of an attempt that its time-out ended (`runtime.protocol.Failure`)."""

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

    def failure_kind(self, task_key: str, map_index: int, try_number: int) -> str | None:
        """Why an attempt failed, as its record says; None where there is no record of a failure."""
        if self.home is None:
            return None
        folder = attempt_folder(run_folder(self.home, self.dag_id, self.run_id), task_key, map_index, try_number)
        try:
            failure = json.loads((folder / RESULT_FILE).read_text(encoding="utf-8")).get("failure")
        except (OSError, ValueError):
            return None
        return str(failure["kind"]) if failure else None

"""Requests to cancel, left in a run's folder for those who may.

Written by the command line for the process that drives a run outside the scheduler (`components.run_loop`), and by run-job
tasks for the run that they started: under the scheduler the jobs service obeys those (`runs.obeying`). Read every second
or oftener; gone when it has been obeyed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from medallion.runs.records import run_folder

PATTERN = "cancel-*.json"


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """What to end.

    :param task_key: one task; None for the whole run.
    """

    who: str
    task_key: str | None = None


def leave_request(home: Path, dag_id: str, airflow_run_id: str, request: CancelRequest) -> Path:
    """Leave a request; gives the file, which vanishes when it has been obeyed."""
    folder = run_folder(home, dag_id, airflow_run_id)
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"cancel-{time.time_ns()}.json"
    draft = place.with_suffix(".new")
    draft.write_text(json.dumps(asdict(request)), encoding="utf-8")
    draft.replace(place)
    return place


def requests_of(home: Path, dag_id: str, airflow_run_id: str) -> Iterator[tuple[Path, CancelRequest]]:
    """The requests for a run, the earliest first. Who obeys one removes its file."""
    for place in sorted(run_folder(home, dag_id, airflow_run_id).glob(PATTERN)):
        yield place, CancelRequest(**json.loads(place.read_text(encoding="utf-8")))


def forget_requests(home: Path, dag_id: str, airflow_run_id: str) -> None:
    """Remove requests that came after the run's end: they are not meant for its repair."""
    for place in run_folder(home, dag_id, airflow_run_id).glob(PATTERN):
        place.unlink(missing_ok=True)

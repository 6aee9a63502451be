"""Rows of `pipelines` and `pipeline_update_timeline`, from the records of pipeline tasks. Runs in the jobs service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.runs.records import attempt_folder, run_folder
from medallion.runs.system_tables.facts import read_object
from medallion.runs.system_tables.history import ACCOUNT, WORKSPACE, changed
from medallion.runs.system_tables.periods import moment, periods

if TYPE_CHECKING:
    from medallion.runs.system_tables.rows import Row, Whole

UPDATE_FILE = "pipeline_update.json"
"""In the attempt's folder; `runtime.pipelines.events` writes it."""
FLAGS = ("photon", "development", "continuous", "serverless")
WORDS = ("edition", "channel")
ENDED = frozenset({"COMPLETED", "FAILED", "CANCELED"})


def updates_of(home: Path, run: Whole) -> Iterator[tuple[Mapping[str, Any], int]]:
    """The records of updates that ended, with the ids of the attempts that ran them."""
    folder = run_folder(home, run.snapshot.dag_id, run.snapshot.run_id)
    for task in run.report.tasks:
        for attempt in task.history:
            record = read_object(attempt_folder(folder, task.task_key, -1, attempt.attempts) / UPDATE_FILE)
            if attempt.state.ended and record.get("update_id") and record.get("state") in ENDED:
                yield record, attempt.run_id


def update_rows(run: Whole, record: Mapping[str, Any], task_run_id: int, user: str) -> list[Row]:
    """The periods of one update."""
    start = float(record["start"])
    base = {
        "account_id": ACCOUNT,
        "workspace_id": WORKSPACE,
        "pipeline_id": str(record["pipeline_id"]),
        "update_id": str(record["update_id"]),
        "update_type": record.get("update_type"),
        "request_id": str(record["update_id"]),
        "run_as_user_name": user,
        "trigger_type": "JOB_TASK",
        "trigger_details": {"job_task": {"job_id": run.job_id, "job_task_run_id": str(task_run_id)}},
        "refresh_selection": texts(record, "refresh_selection"),
        "full_refresh_selection": texts(record, "full_refresh_selection"),
        "reset_checkpoint_selection": texts(record, "reset_checkpoint_selection"),
    }
    cut = periods(moment(start), moment(float(record.get("end") or start)))
    rows: list[Row] = [{**base, "period_start_time": first, "period_end_time": last} for first, last in cut]
    rows[-1]["result_state"] = record["state"]
    return rows


def pipeline_rows(records: Mapping[str, Mapping[str, Any]], latest: Mapping[str, Row], user: str) -> list[Row]:
    """New rows of pipelines whose updates show other settings than the table has.

    :param records: the newest record of each pipeline, by its id.
    :param latest: the newest row of each pipeline.
    """
    found: list[Row] = []
    for key, record in records.items():
        settings = record.get("settings") or {}
        row = {
            "account_id": ACCOUNT,
            "workspace_id": WORKSPACE,
            "pipeline_id": key,
            "pipeline_type": "WORKSPACE",
            "name": record.get("name"),
            "created_by": user,
            "run_as": user,
            "tags": {str(name): str(value) for name, value in (settings.get("tags") or {}).items()},
            "settings": {
                **{name: bool(settings.get(name, False)) for name in FLAGS},
                **{name: settings.get(name) for name in WORDS},
            },
            "configuration": {str(name): str(value) for name, value in (record.get("configuration") or {}).items()},
        }
        known = {key: latest[key]} if key in latest else {}
        at = moment(float(record["start"]))
        if not known or known[key]["change_time"] < at:
            found += changed(known, {key: row}, at, gone=frozenset())
    return found


def texts(record: Mapping[str, Any], name: str) -> list[str]:
    """A list of names in a record."""
    return [str(item) for item in record.get(name) or ()]

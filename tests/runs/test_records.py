"""Why an attempt failed, by the record in its folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medallion.runs.records import Records, attempt_folder, run_folder
from medallion.runs.report import report
from medallion.runs.snapshot import Instance, Snapshot
from medallion.spec.job import Job


@pytest.mark.parametrize(("kind", "result"), [("Timeout", "TIMEDOUT"), ("ValueError", "FAILED")])
def test_the_record_decides_and_not_how_long_the_attempt_took(tmp_path: Path, kind: str, result: str) -> None:
    task = {"task_key": "a", "notebook_task": {"notebook_path": "n"}, "timeout_seconds": 10}
    folder = attempt_folder(run_folder(tmp_path, "j", "manual__1"), "a", -1, 2)
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(json.dumps({"success": False, "failure": {"kind": kind, "message": ""}}))
    seconds = 1.0 if kind == "Timeout" else 11.0
    instance = Instance("a", state="failed", try_number=2, start=50, end=50 + seconds)
    snapshot = Snapshot("j", "manual__1", "failed", 40, 70, (instance,))
    told = report(Job.model_validate({"name": "j", "tasks": [task]}), snapshot, tmp_path)
    assert told.tasks[0].state.result == result


def test_an_attempt_without_a_readable_record_says_nothing(tmp_path: Path) -> None:
    records = Records(tmp_path, "j", "r")
    assert records.failure_kind("a", -1, 1) is None
    folder = attempt_folder(run_folder(tmp_path, "j", "r"), "a", 3, 1)
    folder.mkdir(parents=True)
    (folder / "result.json").write_text("{")
    assert records.failure_kind("a", 3, 1) is None
    assert Records(None, "j", "r").failure_kind("a", 3, 1) is None

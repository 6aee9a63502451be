"""Updates of pipelines, run as a worker runs them, and what they left."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medallion.runs.writes import commit_metadata
from medallion.runtime.launch import launch
from medallion.runtime.pipelines.events import UPDATE_FILE
from medallion.runtime.protocol import Places, RunIds, TaskContext, TaskResult
from medallion.settings import Settings

PIPELINE_ID = "0f0e0d0c-0000-4000-8000-000000000001"


class NoAnswers:
    """Pipelines ask the worker for nothing."""


@dataclass
class Updated:
    """An update that ended."""

    result: TaskResult
    text: str
    record: dict[str, Any]


@dataclass
class Plant:
    """A lake and the driver that pipelines run in."""

    settings: Settings
    driver: Path
    folder: Path
    count: int = 0

    def update(self, name: str, files: Mapping[str, str], **options: Any) -> Updated:
        """Run the pipeline of these files, in the schema `name`, and give what came of it."""
        context = self.context(name, files, **options)
        lines: list[str] = []
        result = launch(context, self.settings, answers=NoAnswers(), on_output=lines.append, timeout=240)
        record = Path(context.output) / UPDATE_FILE
        return Updated(result, "\n".join(lines), json.loads(record.read_text()) if record.is_file() else {})

    def context(self, name: str, files: Mapping[str, str], **options: Any) -> TaskContext:
        """What the process of such a task is told."""
        self.count += 1
        root = self.folder / name
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        request = options.pop("request", {})
        pipeline = {
            "name": name,
            "catalog": "plant",
            "schema": name,
            "development": True,
            "libraries": [{"glob": {"include": "**"}}],
            **options,
        }
        ids = RunIds(run_id=7, task_key=name, task_run_id=self.count)
        written_by = commit_metadata(job_id=1, run_id=7, task_key=name, task_run_id=self.count)
        output = self.folder / "out" / str(self.count)
        return TaskContext(
            kind="pipeline",
            path=name,
            output=str(output),
            places=Places(
                lake=str(self.settings.lake), volumes=str(self.settings.volumes), dbfs=str(self.settings.dbfs)
            ),
            ids=ids,
            driver=str(self.driver),
            root=str(root),
            tag=f"update-{os.getpid()}-{self.count}",
            options={
                "pipeline_id": PIPELINE_ID,
                "pipeline": pipeline,
                "request": request,
                "user_metadata": written_by,
            },
        )

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Rows of a Delta table, read without Spark."""
        import duckdb
        from deltalake import DeltaTable

        arrow = DeltaTable(str(self.settings.lake.joinpath("plant", *table.split(".")))).to_pyarrow_dataset()
        with duckdb.connect() as db:
            db.register("delta", arrow)
            found = db.execute("SELECT * FROM delta")
            names = [column[0] for column in found.description]
            rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
        return sorted(rows, key=repr)

    def quality(self, schema: str, update: str) -> dict[str, tuple[int, int]]:
        """Passed and failed records by expectation, from the event log."""
        log = self.rows(f"{schema}.event_log_{PIPELINE_ID.replace('-', '_')}")
        details = [json.loads(row["details"]) for row in log if row["origin"]["update_id"] == update]
        rules = [
            rule
            for detail in details
            for rule in detail.get("flow_progress", {}).get("data_quality", {}).get("expectations", [])
        ]
        return {
            f"{rule['dataset'].rpartition('.')[2]}.{rule['name']}": (rule["passed_records"], rule["failed_records"])
            for rule in rules
        }

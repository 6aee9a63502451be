"""Tasks that update a declarative pipeline of the same bundle. Runs in the Airflow task process."""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from medallion.factory.equipment import beside
from medallion.factory.operators.process import ProcessOperator
from medallion.factory.pipelines import pipeline_named
from medallion.factory.work import Payload, Work

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.sdk.definitions.context import Context

    from medallion.factory.attempt import Attempt
    from medallion.settings import Settings


class PipelineOperator(ProcessOperator):
    """Finds the pipeline that the task names and has its process run an update of it."""

    def work(self, context: Context, attempt: Attempt, settings: Settings) -> str | None:
        """Run the update. The record of one that was ended in the middle says so."""
        from medallion.runtime.pipelines.events import UPDATE_FILE

        try:
            return super().work(context, attempt, settings)
        finally:
            mark_ended(attempt.folder(settings) / UPDATE_FILE)

    def work_of(self, payload: Payload, parameters: Mapping[str, str], settings: Settings) -> Work:
        """The update to run."""
        key, pipeline = self.pipeline(str(payload["pipeline_id"]), settings)
        own_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.definition.file}#{key}"))
        options = {"pipeline_id": own_id, "pipeline": pipeline, "request": dict(payload)}
        return Work("pipeline", key, options=options)

    def pipeline(self, pipeline_id: str, settings: Settings) -> tuple[str, Mapping[str, Any]]:
        """Key and settings of the pipeline, which a task names by `${resources.pipelines.<key>.id}`, its key or its name.

        :raises UnsupportedError: the bundle has none such.
        """
        return pipeline_named(pipeline_id, beside(self.definition, settings).resources)


def mark_ended(record: Path) -> None:
    """Put an end to the record of an update whose process was killed."""
    from medallion.runtime.protocol import write_whole

    with contextlib.suppress(OSError, ValueError):
        told = json.loads(record.read_text(encoding="utf-8"))
        if told["state"] == "RUNNING":
            write_whole(record, json.dumps({**told, "state": "CANCELED", "end": time.time()}))

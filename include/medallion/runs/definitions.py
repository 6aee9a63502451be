"""The jobs as they are defined now, for those who follow runs. Runs in the jobs service; no Airflow, no Spark."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from medallion.project.registry import JobRegistry

if TYPE_CHECKING:
    from medallion.settings import Settings
    from medallion.spec.definition import JobDefinition

FRESH_SECONDS = 5.0
"""How long an answer counts before the files are looked at again."""


class Definitions:
    """Definitions by DAG id. A broken definition keeps the job as it was before."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.known: dict[str, JobDefinition] = {}
        self.asked: dict[str, float] = {}

    def of(self, dag_id: str) -> JobDefinition | None:
        """The definition of a DAG's job; None when there is none."""
        now = time.monotonic()
        if now - self.asked.get(dag_id, -FRESH_SECONDS) >= FRESH_SECONDS:
            found, _ = JobRegistry(self.settings).by_dag_id(dag_id)
            self.asked[dag_id] = now
            self.known.update(found)
        return self.known.get(dag_id)

    def all(self) -> tuple[dict[str, JobDefinition], bool]:
        """Every definition, and whether all files could be read: one that cannot may hold a job that is not gone."""
        found, problems = JobRegistry(self.settings).all()
        self.known.update(found)
        return found, not problems

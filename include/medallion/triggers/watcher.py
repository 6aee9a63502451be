"""Airflow's trigger that watches one job. Built at parse time, runs in the triggerer."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent


class JobWatcher(BaseEventTrigger):
    """Fires the events that start a job.

    :param dag_id: the job's DAG.
    :param entries: its watched triggers as JSON text, see `entries.Entry.to_json`.
    """

    def __init__(self, dag_id: str, entries: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.dag_id = dag_id
        self.entries = entries
        self._watch: Any = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """What Airflow keeps of it."""
        return f"{__name__}.{type(self).__name__}", {"dag_id": self.dag_id, "entries": self.entries}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """One event for each firing, for ever."""
        from medallion.project.projects import settings_of_dag
        from medallion.triggers.entries import Entry
        from medallion.triggers.poller import poller
        from medallion.triggers.watch import JobWatch

        shared = poller(settings_of_dag(self.dag_id))
        entries = [Entry.from_json(raw) for raw in json.loads(self.entries)]
        self._watch = JobWatch(self.dag_id, entries, shared.store, shared.settings)
        async for firing in shared.firings(self._watch):
            self.log.info("%s fired: %s", firing.key, dict(firing.facts))
            yield TriggerEvent(firing.to_payload())  # type: ignore[no-untyped-call]

    async def on_kill(self) -> None:
        """The job was paused or edited, or is gone. The triggerer's own end does not come here."""
        if self._watch is not None:
            self._watch.close(time.time())

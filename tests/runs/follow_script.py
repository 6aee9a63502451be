"""A jobs service with one consumer that prints what it is told: one JSON object a line. Ends when nothing is left."""

from __future__ import annotations

import json
import sys
import threading
import time

from medallion.runs.changes import RunChange
from medallion.runs.service import Service, only_one
from medallion.settings import Settings


class Printer:
    """Prints changes. Fails at the first telling of tasks that are named on the command line."""

    name = "printer"
    history = True

    def __init__(self, troubles: list[str]) -> None:
        self.troubles = troubles

    def consume(self, change: RunChange) -> None:
        key = change.task.task_key if change.task else None
        if key in self.troubles:
            self.troubles.remove(key)
            raise RuntimeError("not now")
        state = change.task.state if change.task else change.report.state
        told = {
            "dag": change.snapshot.dag_id,
            "run": change.snapshot.run_id,
            "kind": str(change.kind),
            "task": key,
            "attempt": change.attempt,
            "last": change.last,
            "repair": change.repair,
            "result": str(state.result),
            "defined": change.definition is not None,
            "key": change.key,
        }
        print(json.dumps(told), flush=True)

    def tick(self, now: float) -> None:
        """Nothing to do."""


if __name__ == "__main__":
    settings = Settings.load()
    with only_one(settings.home, "airflow", threading.Event(), lambda: None):
        service = Service(settings, [Printer(sys.argv[1:])])
        service.start()
        service.look()
        end = time.monotonic() + 60
        while service.waiting() and time.monotonic() < end:
            time.sleep(0.05)
        service.stop()

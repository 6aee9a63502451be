"""The jobs service under a running scheduler: how soon a run has its row, and what the service costs while nothing runs.

    python benchmarks/system_tables.py [--rounds 20] [--idle 60]

A row counts as there when another process reads it from the table with delta-rs. Runs are single condition tasks, started
one after another; the end of a run is Airflow's own time.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from deltalake import DeltaTable
from measure import home, keep, run
from scheduler import MEDALLION, until

JOB = {
    "name": "one_condition",
    "tasks": [{"task_key": "one", "condition_task": {"op": "EQUAL_TO", "left": "1", "right": "1"}}],
}


def delays(client: Any, lake: Path, rounds: int) -> list[float]:
    """Seconds from each run's end to the moment its row was seen."""
    from medallion.runs import ids

    table = DeltaTable(str(lake / "system" / "lakeflow" / "job_run_timeline"))
    found = []
    for _ in range(rounds):
        run_id = client.start(JOB["name"], {})
        number = str(ids.run_id(JOB["name"], run_id))

        def is_there(number: str = number) -> bool:
            table.update_incremental()
            return number in table.to_pyarrow_table(columns=["run_id"]).column("run_id").to_pylist()

        until(is_there, f"row of {number}")
        seen = time.time()
        end = client.snapshot(JOB["name"], run_id).end
        found.append(seen - (end or seen))
    return sorted(found)


def idle_share(process: psutil.Process, seconds: float) -> float:
    """The share of a core that a process takes."""
    begun, before = time.monotonic(), sum(process.cpu_times()[:2])
    time.sleep(seconds)
    return (sum(process.cpu_times()[:2]) - before) / (time.monotonic() - begun)


def main() -> None:
    """Measure and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--idle", type=float, default=60.0)
    parser.add_argument("--port", type=int, default=18680)
    given = parser.parse_args()
    from medallion.components.api_client import ApiClient
    from medallion.components.deployment import Server
    from medallion.components.places import places_of
    from medallion.components.record import Record
    from medallion.settings import Settings

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "job.json").write_text(json.dumps(JOB))
        with home(MEDALLION_JOBS_FOLDER=folder, MEDALLION_PORT=str(given.port)) as environment:
            run([MEDALLION, "up", "--detach"], environment)
            settings = Settings.load(environ=environment)
            client = ApiClient(settings, Server(f"http://127.0.0.1:{given.port}", own=True))
            until(lambda: client.dag(JOB["name"]), "the DAG")
            seconds = delays(client, settings.lake, given.rounds)
            record = Record.read(places_of(settings).record)
            assert record is not None
            process = psutil.Process(record.components["jobs-service"].pid)
            idle = idle_share(process, given.idle)
            memory = process.memory_info().rss / 2**20
    keep(
        "system_tables",
        {
            "rounds": given.rounds,
            "row_seconds_median": round(seconds[len(seconds) // 2], 2),
            "row_seconds_worst": round(seconds[-1], 2),
            "idle_share_of_a_core": round(idle, 4),
            "memory_mib": round(memory),
        },
    )


if __name__ == "__main__":
    main()

"""Triggers: how soon a file or a commit starts a run, and what watching 1,000 tables and 100 folders costs.

    python benchmarks/triggers.py [--rounds 50] [--seconds 60]          # about ten minutes

Airflow is up with default settings and all watchers are at work while the starts are timed: from the end of the write to the
start of the run, as Airflow's database has it. The cost is the CPU time of the triggerer and its child, in percent of one
core, with two watched jobs and with all of them.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from measure import MEDALLION, keep, median, run

from medallion.components.ports import free_port
from medallion.components.record import Record

JOBS, TABLES, FOLDERS = 100, 10, 100
PATIENCE = 300


def job(name: str, trigger: dict[str, Any]) -> dict[str, Any]:
    """A job whose one task needs no process of its own."""
    task = {"task_key": "tell", "condition_task": {"op": "EQUAL_TO", "left": "1", "right": "1"}}
    return {"name": name, "max_concurrent_runs": 1, "tasks": [task], "trigger": trigger}


def table_trigger(*names: str) -> dict[str, Any]:
    """A trigger on tables of one schema."""
    return {"table_update": {"table_names": [f"main.watched.{name}" for name in names]}}


def file_trigger(folder: str) -> dict[str, Any]:
    """A trigger on a folder of a volume."""
    return {"file_arrival": {"url": f"/Volumes/main/default/{folder}"}}


class Bench:
    """A project with Airflow up."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.home = project / ".medallion"
        self.environment = {"MEDALLION_PROJECT": str(project), "MEDALLION_HOME": str(self.home)}

    def add(self, *jobs: dict[str, Any]) -> None:
        """Put jobs into the project."""
        folder = self.project / "jobs"
        folder.mkdir(exist_ok=True)
        for item in jobs:
            (folder / f"{item['name']}.json").write_text(json.dumps(item), encoding="utf-8")

    def triggerer(self) -> list[psutil.Process]:
        """The triggerer and its children."""
        record = Record.read(self.home / "up.json")
        assert record is not None
        process = psutil.Process(record.components["triggerer"].pid)
        return [process, *process.children(recursive=True)]

    def cost(self, seconds: float) -> float:
        """CPU of the triggerer over some seconds, percent of a core."""
        processes = self.triggerer()
        before = sum(sum(item.cpu_times()[:2]) for item in processes)
        begun = time.monotonic()
        time.sleep(seconds)
        spent = sum(sum(item.cpu_times()[:2]) for item in processes) - before
        return round(100 * spent / (time.monotonic() - begun), 2)

    def ask(self, database: str, query: str, *values: object) -> list[Any]:
        """Rows of a database of the project."""
        base = sqlite3.connect(f"file:{self.home / database}?mode=ro", uri=True, timeout=30)
        try:
            return base.execute(query, values).fetchall()
        finally:
            base.close()

    def wait_for_watchers(self, count: int) -> None:
        """Until so many jobs are watched."""
        wait_until(lambda: (self.home / "triggers" / "state.db").is_file())
        wait_until(lambda: self.ask("triggers/state.db", "SELECT count(DISTINCT dag_id) FROM entry")[0][0] >= count)

    def started(self, dag_id: str) -> list[float]:
        """When the runs of a job started that have ended, seconds since the epoch."""
        query = "SELECT start_date FROM dag_run WHERE dag_id = ? AND state = 'success' ORDER BY id"
        rows = self.ask("airflow/airflow.db", query, dag_id)
        return [datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() for (text,) in rows]

    def starts(self, dag_id: str, change: Callable[[int], None], rounds: int) -> list[float]:
        """Seconds from a change to the start of its run, one at a time."""
        found = []
        for number in range(rounds):
            before = len(self.started(dag_id))
            change(number)
            changed = time.time()
            wait_until(lambda before=before: len(self.started(dag_id)) > before)
            found.append(self.started(dag_id)[-1] - changed)
            time.sleep(0.37 * (number % 5))  # so that the changes meet the looks at any moment
        return found


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for a condition."""
    end = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError("it did not happen in time")
        time.sleep(0.1)


def figures(values: list[float]) -> dict[str, float]:
    """Median and worst."""
    return {"median_seconds": round(median(values), 2), "worst_seconds": round(max(values), 2)}


def measure(bench: Bench, rounds: int, seconds: float) -> dict[str, Any]:
    """All figures."""
    import pyarrow as pa
    from deltalake import write_deltalake

    lake, volumes = bench.home / "lake" / "main" / "watched", bench.home / "volumes" / "main" / "default"

    def write(name: str) -> None:
        write_deltalake(str(lake / name), pa.table({"x": [1]}), mode="append")

    def put(folder: str, number: int) -> None:
        (volumes / folder).mkdir(parents=True, exist_ok=True)
        (volumes / folder / f"{number}.csv").write_text("x", encoding="utf-8")

    bench.add(job("one_table", table_trigger("one")), job("one_folder", file_trigger("one")))
    write("one")
    port = str(free_port("127.0.0.1", 18740))
    run([MEDALLION, "up", "--detach", "--port", port], bench.environment)
    bench.wait_for_watchers(2)
    few = bench.cost(seconds / 2)
    for number in range(JOBS):
        names = [f"t{number}_{index}" for index in range(TABLES)]
        for name in names:
            write(name)
        put(f"f{number}", 0)
        bench.add(job(f"tables_{number}", table_trigger(*names)), job(f"files_{number}", file_trigger(f"f{number}")))
    bench.wait_for_watchers(2 + JOBS + FOLDERS)
    time.sleep(20)  # parsing is over
    many = bench.cost(seconds)
    return {
        "rounds": rounds,
        "commit_to_run": figures(bench.starts("one_table", lambda _: write("one"), rounds)),
        "file_to_run": figures(bench.starts("one_folder", lambda number: put("one", number), rounds)),
        "triggerer_percent_of_a_core": {"two_jobs": few, "1000_tables_100_folders": many},
    }


def main() -> None:
    """Measure and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="medallion-benchmark-") as folder:
        bench = Bench(Path(folder))
        try:
            keep("triggers", measure(bench, given.rounds, given.seconds))
        finally:
            run([MEDALLION, "down"], bench.environment)


if __name__ == "__main__":
    main()

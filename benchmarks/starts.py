"""Starting runs under a running scheduler: 1,000 at once, one at a time, and a continuous job without end.

    python benchmarks/starts.py burst [--starts 1000] [--threads 16]
    python benchmarks/starts.py gaps [--runs 50]

burst: half of the starts go to a job with a queue, half to one without; every one must have run or be SKIPPED with its
reason. gaps: seconds from run-now to the start of the run, and from the end of a continuous job's run to the next start.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from measure import keep, median
from scheduler import until, up

ASK = {"task_key": "ask", "condition_task": {"op": "EQUAL_TO", "left": "1", "right": "1"}}
QUEUED = {"name": "queued", "max_concurrent_runs": 40, "queue": {"enabled": True}, "tasks": [ASK]}
SKIPPING = {"name": "skipping", "max_concurrent_runs": 4, "queue": {"enabled": False}, "tasks": [ASK]}
STREAM = {"name": "stream", "continuous": {"pause_status": "UNPAUSED"}, "tasks": [ASK]}
SINGLE = {"name": "single", "max_concurrent_runs": 100, "tasks": [ASK]}
PAGE = 100


def write(jobs: Path, *definitions: Mapping[str, Any]) -> None:
    """Job files."""
    for definition in definitions:
        (jobs / f"{definition['name']}.json").write_text(json.dumps(definition), encoding="utf-8")


def all_runs(client: Any, dag_id: str) -> list[dict[str, Any]]:
    """Every run of a job, page by page."""
    found: list[dict[str, Any]] = []
    while True:
        page = client.call("GET", f"/dags/{dag_id}/dagRuns?limit={PAGE}&offset={len(found)}&order_by=id")
        found += page["dag_runs"]
        if len(found) >= page["total_entries"]:
            return found


def unfinished(client: Any, dag_id: str) -> int:
    """Runs of a job that have not ended."""
    told = client.call("GET", f"/dags/{dag_id}/dagRuns?limit=1&state=queued&state=running")
    return int(told["total_entries"])


def reason(home: Path, dag_id: str, run_id: str) -> str:
    """The code that a run was skipped with; empty when it ran."""
    from medallion.runs.notes import read_notes

    return str((read_notes(home, dag_id, run_id).get("termination") or {}).get("code", ""))


def burst(starts: int, threads: int) -> None:
    """All starts at once."""
    with tempfile.TemporaryDirectory() as name:
        jobs = Path(name)
        write(jobs, QUEUED, SKIPPING)
        with up(jobs, 18483) as (client, environment):
            for dag_id in ("queued", "skipping"):
                until(lambda dag_id=dag_id: client.dag(dag_id) is not None, dag_id)
                client.start(dag_id, {})
                until(lambda dag_id=dag_id: unfinished(client, dag_id) == 0, dag_id)
            seconds: list[float] = []

            def one(number: int) -> dict[str, Any]:
                begun = time.monotonic()
                told: dict[str, Any] = client.run_now("queued" if number % 2 else "skipping", {})
                seconds.append(time.monotonic() - begun)
                return told

            begun = time.monotonic()
            with ThreadPoolExecutor(threads) as pool:
                told = list(pool.map(one, range(starts)))
            answered = time.monotonic() - begun
            until(lambda: unfinished(client, "queued") + unfinished(client, "skipping") == 0, "all have ended")
            finished = time.monotonic() - begun
            home = Path(environment["MEDALLION_HOME"])
            ends = {
                (run["dag_id"], run["dag_run_id"]): reason(home, run["dag_id"], run["dag_run_id"]) or run["state"]
                for dag_id in ("queued", "skipping")
                for run in all_runs(client, dag_id)
            }
    asked = Counter(ends.get((item["dag_id"], item["airflow_run_id"]), "LOST") for item in told)
    keep(
        "starts_burst",
        {
            "starts": starts,
            "threads": threads,
            "distinct runs": len({item["run_id"] for item in told}),
            "ended as": dict(asked),
            "lost": asked["LOST"],
            "told at once that it is skipped": sum(bool(item["skipped"]) for item in told),
            "all answered after, s": round(answered, 1),
            "one answer, s (median, worst)": [round(median(seconds), 3), round(max(seconds), 3)],
            "all ended after, s": round(finished, 1),
        },
    )


def gaps(count: int) -> None:
    """One at a time, and without end. Nothing but the job at hand runs, with the settings of `medallion up`."""
    with tempfile.TemporaryDirectory() as name:
        jobs = Path(name)
        write(jobs, SINGLE)
        with up(jobs, 18484, rival=False) as (client, _):
            until(lambda: client.dag("single") is not None, "single")
            waits = [wait_of_a_start(client) for _ in range(count + 1)][1:]
            write(jobs, STREAM)
            until(lambda: client.dag("stream") is not None, "stream")
            while run_count(client, "stream") < count + 3:
                time.sleep(2)  # seldom, so that the questions do not slow what they are about
            runs = all_runs(client, "stream")[1 : count + 2]  # the first one starts with the parse
    following = [stamp(later["start_date"]) - stamp(one["end_date"]) for one, later in pairwise(runs)]
    figures = {"run-now to start": waits, "end of a continuous run to the next start": following}
    keep(
        "starts_gaps",
        {
            "seconds (median, worst)": {
                what: [round(median(values), 2), round(max(values), 2)] for what, values in figures.items()
            },
            "of": {what: len(values) for what, values in figures.items()},
        },
    )


def wait_of_a_start(client: Any) -> float:
    """Seconds from run-now to the start of the run, by Airflow's own time."""
    asked = time.time()
    run_id = client.start("single", {})
    until(lambda: client.snapshot("single", run_id).state == "success", run_id)
    return stamp(client.call("GET", f"/dags/single/dagRuns/{run_id}")["start_date"]) - asked


def run_count(client: Any, dag_id: str) -> int:
    """How many runs a job has."""
    return int(client.call("GET", f"/dags/{dag_id}/dagRuns?limit=1")["total_entries"])


def stamp(text: str) -> float:
    """A time of the API in seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp()


def main() -> None:
    """Measure one of the two."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["burst", "gaps"])
    parser.add_argument("--starts", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--runs", type=int, default=50)
    arguments = parser.parse_args()
    if arguments.what == "burst":
        burst(arguments.starts, arguments.threads)
    else:
        gaps(arguments.runs)


if __name__ == "__main__":
    main()

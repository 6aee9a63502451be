"""Under a running scheduler: a chain of 8 notebooks, and the dag processor with 1,000 jobs.

    python benchmarks/scheduler.py chain [--rounds 5]
    python benchmarks/scheduler.py processor [--jobs 1000]

chain: seconds from the start to the end of the run, beside the same chain of plain Airflow Python tasks under the same
scheduler. processor: CPU of the dag processor while nothing changes, and how soon a changed and a new job are served.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from measure import MEDALLION, home, keep, median, run
from parse import job

CHAIN = {
    "name": "notebook_chain",
    "tasks": [
        {
            "task_key": f"t{number}",
            "depends_on": [{"task_key": f"t{number - 1}"}] if number else [],
            "notebook_task": {"notebook_path": "n.py"},
        }
        for number in range(8)
    ],
}
RIVAL = Path(__file__).parent / "rivals" / "plain"
TIMEOUT = 900.0


@contextmanager
def up(jobs: Path, port: int, *, rival: bool = True) -> Iterator[tuple[Any, dict[str, str]]]:
    """A running Airflow for a jobs folder: a client of its API, and the environment.

    :param rival: with the plain Airflow DAGs beside the jobs; else everything is as `medallion up` sets it.
    """
    from medallion.components.api_client import ApiClient
    from medallion.settings import Settings

    bundles = [
        {"name": "jobs", "classpath": "medallion.factory.bundle.JobsDagBundle", "kwargs": {"refresh_interval": 2}},
        {
            "name": "rivals",
            "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
            "kwargs": {"path": str(RIVAL)},
        },
    ]
    extra = {"MEDALLION_JOBS_FOLDER": str(jobs), "MEDALLION_PORT": str(port)}
    if rival:
        extra["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"] = json.dumps(bundles)
    with home(**extra) as environment:
        run([MEDALLION, "up", "--detach"], environment)
        yield ApiClient(Settings.load(environ=environment), f"http://127.0.0.1:{port}"), environment


def until(known: Any, what: str) -> float:
    """Wait until a call gives something true; the seconds that it took."""
    started = time.monotonic()
    while not known():
        if time.monotonic() - started > TIMEOUT:
            raise TimeoutError(what)
        time.sleep(0.2)
    return time.monotonic() - started


def run_seconds(client: Any, dag_id: str) -> float:
    """Seconds of one run from its start to its end, by Airflow's own times."""
    run_id = client.start(dag_id, {})
    until(lambda: client.snapshot(dag_id, run_id).state in {"success", "failed"}, dag_id)
    found = client.snapshot(dag_id, run_id)
    if found.state != "success":
        raise RuntimeError(found)
    return float(found.end - found.start)


def chain(rounds: int) -> None:
    """The chains, in turn."""
    with tempfile.TemporaryDirectory() as name:
        jobs = Path(name)
        (jobs / "chain.json").write_text(json.dumps(CHAIN), encoding="utf-8")
        (jobs / "n.py").write_text("# Databricks notebook source\nprint(1)\n", encoding="utf-8")
        with up(jobs, 18481) as (client, _):
            for dag_id in ("notebook_chain", "plain_chain"):
                until(lambda dag_id=dag_id: client.dag(dag_id) is not None, dag_id)
                run_seconds(client, dag_id)
            notebooks, plain = [], []
            for _ in range(rounds):
                notebooks.append(run_seconds(client, "notebook_chain"))
                plain.append(run_seconds(client, "plain_chain"))
    seconds = {"8 notebooks": round(median(notebooks), 2), "8 plain Python tasks": round(median(plain), 2)}
    keep("chain", {"seconds": seconds, "ratio": round(median(notebooks) / median(plain), 2)})


def cpu_seconds(pid: int) -> float:
    """CPU seconds of a process and its children, ended children included."""
    process = psutil.Process(pid)
    times = [item.cpu_times() for item in (process, *process.children(recursive=True))]
    own = process.cpu_times()
    return sum(item.user + item.system for item in times) + own.children_user + own.children_system


def processor(count: int) -> None:
    """The dag processor with many jobs."""
    with tempfile.TemporaryDirectory() as name:
        jobs = Path(name)
        for number in range(count):
            (jobs / f"job_{number}.json").write_text(json.dumps(job(number)), encoding="utf-8")
        with up(jobs, 18482) as (client, environment):
            last = f"job_{count - 1}"
            first = until(lambda: all(client.dag(f"job_{number}") for number in range(0, count, 25)), last)
            record = json.loads((Path(environment["MEDALLION_HOME"]) / "up.json").read_text(encoding="utf-8"))
            pid = record["components"]["dag-processor"]["pid"]
            time.sleep(20)
            before, started = cpu_seconds(pid), time.monotonic()
            time.sleep(60)
            share = (cpu_seconds(pid) - before) / (time.monotonic() - started)
            changed, new = [], []
            for number in range(5):
                text = f"changed {number}"
                path = jobs / f"job_{number}.json"
                path.write_text(json.dumps({**job(number), "description": text}), encoding="utf-8")
                known = lambda number=number, text=text: client.dag(f"job_{number}").get("description") == text  # noqa: E731
                changed.append(until(known, path.name))
                added = count + number
                (jobs / f"job_{added}.json").write_text(json.dumps(job(added)), encoding="utf-8")
                new.append(until(lambda added=added: client.dag(f"job_{added}") is not None, f"job_{added}"))
    figures = {
        "all jobs served after, s": round(first, 1),
        "CPU while nothing changes, share of a core": round(share, 3),
        "changed job served after, s (median, worst)": [round(median(changed), 1), round(max(changed), 1)],
        "new job served after, s (median, worst)": [round(median(new), 1), round(max(new), 1)],
    }
    keep("processor", {"jobs": count, **figures})


def main() -> None:
    """Measure one of the two."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["chain", "processor"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1000)
    arguments = parser.parse_args()
    if arguments.what == "chain":
        chain(arguments.rounds)
    else:
        processor(arguments.jobs)


if __name__ == "__main__":
    main()

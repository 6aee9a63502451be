"""Under a running scheduler: a chain of 8 notebooks, the dag processor with 1,000 jobs, and nothing at all.

    python benchmarks/scheduler.py chain [--rounds 5]
    python benchmarks/scheduler.py processor [--rounds 5] [--jobs 1000]
    python benchmarks/scheduler.py idle [--rounds 5]

chain: seconds from the start to the end of the run, beside the same chain of plain Airflow Python tasks under the same
scheduler. processor: CPU of the dag processor while nothing changes, beside that of a plain Airflow with the same DAGs by
hand, 25 in a file, at Airflow's own intervals, over the same times; and how soon a changed and a new job are served.
idle: CPU of each component without any job.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from measure import MEDALLION, home, keep, median, run
from parse import job, write_by_hand

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


PROCESSOR = "AIRFLOW__DAG_PROCESSOR__"
AS_AIRFLOW_COMES = {
    f"{PROCESSOR}REFRESH_INTERVAL": "300",
    f"{PROCESSOR}MIN_FILE_PROCESS_INTERVAL": "30",
    f"{PROCESSOR}BUNDLE_REFRESH_CHECK_INTERVAL": "5",
    f"{PROCESSOR}PARSING_PROCESSES": "2",
}
"""Airflow's defaults, where `medallion up` has others."""
IN_A_FILE = 25
WINDOW = 40.0
"""Seconds of a round: Airflow parses all files every 30."""


def local_bundle(name: str, folder: Path) -> dict[str, Any]:
    """A folder of DAG files as Airflow's bundle."""
    return {
        "name": name,
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(folder)},
    }


@contextmanager
def up(jobs: Path, port: int, *, rival: bool = True, plain: Path | None = None) -> Iterator[tuple[Any, dict[str, str]]]:
    """A running Airflow for a jobs folder: a client of its API, and the environment.

    :param rival: with the plain Airflow DAGs beside the jobs; else everything is as `medallion up` sets it.
    :param plain: a folder of DAG files that stands in the place of the jobs, looked at as often as Airflow does by itself.
    """
    from medallion.components.api_client import ApiClient
    from medallion.components.deployment import Server
    from medallion.settings import Settings

    own = {"name": "jobs", "classpath": "medallion.factory.bundle.JobsDagBundle", "kwargs": {"refresh_interval": 2}}
    extra = {"MEDALLION_JOBS_FOLDER": str(jobs), "MEDALLION_PORT": str(port)}
    if plain is not None:
        extra |= AS_AIRFLOW_COMES | {f"{PROCESSOR}DAG_BUNDLE_CONFIG_LIST": json.dumps([local_bundle("plain", plain)])}
    elif rival:
        extra[f"{PROCESSOR}DAG_BUNDLE_CONFIG_LIST"] = json.dumps([own, local_bundle("rivals", RIVAL)])
    with home(**extra) as environment:
        run([MEDALLION, "up", "--detach"], environment)
        yield ApiClient(Settings.load(environ=environment), Server(f"http://127.0.0.1:{port}", own=True)), environment


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
    keep("chain", {"rounds": rounds, "seconds": seconds, "ratio": round(median(notebooks) / median(plain), 2)})


def cpu_seconds(pid: int) -> float:
    """CPU seconds of a process and its children, ended children included."""
    process = psutil.Process(pid)
    times = [item.cpu_times() for item in (process, *process.children(recursive=True))]
    own = process.cpu_times()
    return sum(item.user + item.system for item in times) + own.children_user + own.children_system


def processor_of(environment: dict[str, str]) -> int:
    """Pid of the dag processor."""
    record = json.loads((Path(environment["MEDALLION_HOME"]) / "up.json").read_text(encoding="utf-8"))
    return int(record["components"]["dag-processor"]["pid"])


def processor(count: int, rounds: int) -> None:
    """The dag processor with many jobs."""
    with tempfile.TemporaryDirectory() as name:
        jobs, plain, empty = (Path(name) / part for part in ("jobs", "plain", "empty"))
        for folder in (jobs, plain, empty):
            folder.mkdir()
        for number in range(count):
            (jobs / f"job_{number}.json").write_text(json.dumps(job(number)), encoding="utf-8")
        for first in range(0, count, IN_A_FILE):
            write_by_hand(plain / f"dags_{first}.py", min(IN_A_FILE, count - first), first)
        with up(jobs, 18482, rival=False) as (client, own):
            first_parse = until(lambda: all_served(client, count), "all jobs")
            with up(empty, 18484, plain=plain) as (other, theirs):
                until(lambda: all_served(other, count), "all DAGs by hand")
                time.sleep(20)
                shares = idle_shares((processor_of(own), processor_of(theirs)), rounds)
            changed, new = changes(client, jobs, count, rounds)
    ours, rival = (median(values) for values in shares)
    figures = {
        "all jobs served after, s": round(first_parse, 1),
        "CPU while nothing changes, share of a core": round(ours, 4),
        "the same of plain Airflow": round(rival, 4),
        "each round": [[round(share, 4) for share in values] for values in shares],
        "changed job served after, s (median, worst)": [round(median(changed), 1), round(max(changed), 1)],
        "new job served after, s (median, worst)": [round(median(new), 1), round(max(new), 1)],
    }
    keep("processor", {"rounds": rounds, "jobs": count, **figures})


def all_served(client: Any, count: int) -> bool:
    """Whether one DAG of each file is there, the last among them."""
    return all(client.dag(f"job_{number}") for number in (*range(0, count, IN_A_FILE), count - 1))


def idle_shares(pids: Sequence[int], rounds: int) -> list[list[float]]:
    """The share of a core that each process and its children took, a list of rounds for each."""
    found: list[list[float]] = [[] for _ in pids]
    for _ in range(rounds):
        before, started = [cpu_seconds(pid) for pid in pids], time.monotonic()
        time.sleep(WINDOW)
        for place, (pid, used) in enumerate(zip(pids, before, strict=True)):
            found[place].append((cpu_seconds(pid) - used) / (time.monotonic() - started))
    return found


def changes(client: Any, jobs: Path, count: int, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds until a changed job is served, and until a new one is."""
    changed, new = [], []
    for number in range(rounds):
        text = f"changed {number}"
        path = jobs / f"job_{number}.json"
        path.write_text(json.dumps({**job(number), "description": text}), encoding="utf-8")
        known = lambda number=number, text=text: client.dag(f"job_{number}").get("description") == text  # noqa: E731
        changed.append(until(known, path.name))
        added = count + number
        (jobs / f"job_{added}.json").write_text(json.dumps(job(added)), encoding="utf-8")
        new.append(until(lambda added=added: client.dag(f"job_{added}") is not None, f"job_{added}"))
    return changed, new


def idle(rounds: int) -> None:
    """Each component of `medallion up` while nothing happens."""
    with tempfile.TemporaryDirectory() as name, up(Path(name), 18483, rival=False) as (_, environment):
        record = json.loads((Path(environment["MEDALLION_HOME"]) / "up.json").read_text(encoding="utf-8"))
        pids = {component: known["pid"] for component, known in record["components"].items()}
        time.sleep(WINDOW)
        found = idle_shares(list(pids.values()), rounds)
    shares = {component: round(median(values), 4) for component, values in zip(pids, found, strict=True)}
    keep("idle", {"rounds": rounds, "load": round(os.getloadavg()[0], 1), "share of a core": shares})


def main() -> None:
    """Measure one of them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["chain", "processor", "idle"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1000)
    arguments = parser.parse_args()
    if arguments.what == "chain":
        chain(arguments.rounds)
    elif arguments.what == "processor":
        processor(arguments.jobs, arguments.rounds)
    else:
        idle(arguments.rounds)


if __name__ == "__main__":
    main()

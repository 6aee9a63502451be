"""RetailHub again and again: each run cold, in a new home, or warm, beside a running scheduler and driver.

    python benchmarks/repeat.py [--cold 30] [--warm 30] [--orders 1000] [--minutes 8] [--fresh]

Counts runs and failures in `results/repeat.json` and says of each failure which task failed and why. A second call goes on
where the first one ended, until the numbers are reached; `--minutes` ends a call early, between two runs; `--fresh` forgets
the runs that are counted. A later revision of the code starts a count of its own. The status is 1 when a run has failed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path
from typing import Any

from measure import MEDALLION, PROJECT, RESULTS, RunFailedError, home, keep, run, run_job
from pipeline import JOB, empty, generate, volumes_of

NAME = "repeat"
PORT = "18490"


def code() -> str:
    """Digest of what runs: the product's sources, its JARs and the job."""
    digest = hashlib.sha256()
    for folder in ("include", "jobs/retailhub"):
        for file in sorted((PROJECT / folder).rglob("*")):
            if file.is_file() and file.suffix in {".py", ".jar", ".json", ".sql", ".yml"}:
                digest.update(f"{file.relative_to(PROJECT)}\n".encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def counted(orders: int, *, fresh: bool) -> dict[str, Any]:
    """The count so far, of this code and this number of orders; an empty one where there is none."""
    start: dict[str, Any] = {
        "orders": orders,
        "code": code(),
        "cold": {"runs": 0, "failed": 0, "seconds": []},
        "warm": {"runs": 0, "failed": 0, "seconds": []},
        "failures": [],
    }
    try:
        told = json.loads((RESULTS / f"{NAME}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return start
    same = not fresh and (told.get("orders"), told.get("code")) == (orders, start["code"])
    return {key: told[key] for key in start} if same else start


def count(told: dict[str, Any], kind: str, once: Callable[[], float]) -> None:
    """One run more of a kind."""
    figures = told[kind]
    try:
        figures["seconds"].append(round(once(), 1))
    except RunFailedError as failed:
        figures["failed"] += 1
        tasks = [{"task": item.task, "result": item.result, "why": item.why, "log": item.log} for item in failed.tasks]
        told["failures"].append({"kind": kind, "run": figures["runs"] + 1, "tasks": tasks, "said": str(failed)[:3000]})
        print(failed, file=sys.stderr)
    figures["runs"] += 1
    print(f"{kind} {figures['runs']}: {figures['failed']} failed", file=sys.stderr)


def cold(data: Path) -> float:
    """Seconds of a run in a new home."""
    with home(MEDALLION_VOLUMES=str(volumes_of(data))) as environment:
        return run_job(JOB, environment).seconds


def warm(data: Path) -> Generator[Callable[[], float]]:
    """Runs beside one scheduler; each writes an empty lake."""
    with home(MEDALLION_VOLUMES=str(volumes_of(data)), MEDALLION_PORT=PORT) as environment:
        run([MEDALLION, "up", "--detach"], environment)

        def once() -> float:
            try:
                return run_job(JOB, environment).seconds
            finally:
                empty(environment)

        while True:
            yield once


def main() -> int:
    """Run until both numbers are reached or the time is over."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cold", type=int, default=30)
    parser.add_argument("--warm", type=int, default=30)
    parser.add_argument("--orders", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=1e6, help="begin no run after that time")
    parser.add_argument("--fresh", action="store_true", help="forget the runs that are counted")
    arguments = parser.parse_args()
    end = time.monotonic() + arguments.minutes * 60
    told = counted(arguments.orders, fresh=arguments.fresh)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "volumes" / "retailhub" / "default" / "datasets"
        generate(data, arguments.orders)
        while told["cold"]["runs"] < arguments.cold and time.monotonic() < end:
            count(told, "cold", lambda: cold(data))
            keep(NAME, told, show=False)
        if told["warm"]["runs"] < arguments.warm and time.monotonic() < end:
            with closing(warm(data)) as runs:
                for once in runs:
                    count(told, "warm", once)
                    keep(NAME, told, show=False)
                    if told["warm"]["runs"] >= arguments.warm or time.monotonic() >= end:
                        break
    keep(NAME, told)
    return 1 if told["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())

"""How long a notebook task needs to its first line, and what memory drivers and tasks take.

    python benchmarks/notebook_start.py [--rounds 15]

Start: from the moment that the operator asks for its lease to the first line of the first cell, on a warm driver with a
spare process; beside a fresh process for the same notebook. Memory: proportional set size (PSS).
"""

from __future__ import annotations

import argparse
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
from measure import home, keep, median

NOTEBOOK = """# Databricks notebook source
import time
print("first line at", time.time())
# COMMAND ----------
spark.range(10).count()
time.sleep({sleep})
"""


class Nothing:
    """Answers of a task that asks nothing."""

    def task_value(self, task_key: str, key: str) -> object:
        """There are none."""
        raise KeyError(key)

    def set_task_value(self, key: str, value: object) -> None:
        """Kept nowhere."""

    def secret(self, scope: str, key: str) -> str:
        """There are none."""
        raise KeyError(key)

    def secrets(self, scope: str) -> list[str]:
        """There are none."""
        return []

    def secret_scopes(self) -> list[str]:
        """There are none."""
        return []


def pss(process: psutil.Process) -> int:
    """Megabytes of one process; 0 when it is gone."""
    try:
        return round(process.memory_full_info().pss / 2**20)
    except psutil.NoSuchProcess:
        return 0


def measure(rounds: int) -> dict[str, object]:
    """All figures, in one home."""
    from medallion.compute.driver import DriverSpec
    from medallion.compute.pool import DriverPool
    from medallion.runtime.launch import launch
    from medallion.runtime.protocol import Places, TaskContext
    from medallion.settings import Settings

    settings = Settings.load()
    settings.home.mkdir(parents=True, exist_ok=True)
    pool = DriverPool(settings)
    target = settings.targets["default"]
    spec = DriverSpec(master=target.master, memory=target.memory)
    pool.acquire(spec, "benchmark")
    places = Places(lake=str(settings.lake), volumes=str(settings.volumes), dbfs=str(settings.dbfs))
    context = TaskContext(kind="notebook", path="", output="", places=places)

    def start(number: int, *, sleep: float = 0, spare: bool = True) -> float:
        notebook = settings.home / f"n{number}.py"
        notebook.write_text(NOTEBOOK.format(sleep=sleep), encoding="utf-8")
        output = settings.home / f"out{number}"
        output.mkdir(exist_ok=True)
        lines: list[str] = []
        started = time.time()
        connection = pool.acquire(spec, f"benchmark/{number}")
        own = replace(context, path=str(notebook), output=str(output), driver=str(connection), tag=f"b-{number}")
        result = launch(own, settings, answers=Nothing(), on_output=lines.append, spare=spare)
        if not result.success:
            raise RuntimeError(result)
        pool.release(f"benchmark/{number}")
        return float(next(line for line in lines if line.startswith("first line at")).split()[-1]) - started

    for number in range(3):
        start(number)
    warm, fresh = [], []
    for number in range(rounds):
        warm.append(start(10 + number))
        if number % 3 == 0:
            fresh.append(start(100 + number, spare=False))
            start(200 + number)  # the driver and the machine are at rest again
    driver = next(item for item in pool.drivers() if item.state == "ready")
    idle = {"driver JVM": pss(psutil.Process(driver.pid)), "its host": pss(psutil.Process(driver.host_pid))}
    before = {process.pid for process in psutil.process_iter()}
    threads = [threading.Thread(target=start, args=(300 + number,), kwargs={"sleep": 8}) for number in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(6)
    running = [process for process in psutil.process_iter() if process.pid not in before]
    tasks = sorted(pss(process) for process in running if "medallion.runtime" in " ".join(process.cmdline()))
    for thread in threads:
        thread.join()
    pool.stop()
    return {
        "rounds": len(fresh),
        "seconds to the first line": {
            "spare process, median": round(median(warm), 3),
            "worst": round(max(warm), 3),
            "fresh process, median": round(median(fresh), 3),
            "ratio": round(median(warm) / median(fresh), 3),
        },
        "memory in MB": {**idle, "each of 4 running tasks": tasks},
    }


def main() -> None:
    """Measure and keep."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    with home() as environment:
        os.environ.update(environment)
        Path(environment["MEDALLION_HOME"]).mkdir(exist_ok=True)
        keep("notebook_start", measure(arguments.rounds))


if __name__ == "__main__":
    main()

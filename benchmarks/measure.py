"""What the benchmarks share: commands timed by the wall clock, homes of their own, results as JSON and as a table."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parent.parent
MEDALLION = Path(sys.executable).parent / "medallion"
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Timed:
    """A command that ended: its seconds and what it printed."""

    seconds: float
    output: str


def run(command: Sequence[str | Path], environment: Mapping[str, str], *, timeout: float = 1800) -> Timed:
    """Run a command to its end.

    :raises RuntimeError: it failed; carries the end of what it wrote.
    """
    started = time.monotonic()
    done = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, **environment},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    seconds = time.monotonic() - started
    if done.returncode != 0:
        text = f"{command} gave {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        raise RuntimeError(text)
    return Timed(seconds, done.stdout)


@contextmanager
def home(**extra: str) -> Iterator[dict[str, str]]:
    """The environment of a new, empty home of Medallion; all of it is ended and removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="medallion-benchmark-"))
    environment = {"MEDALLION_HOME": str(folder), "MEDALLION_PROJECT": str(PROJECT), **extra}
    try:
        yield environment
    finally:
        subprocess.run([str(MEDALLION), "down"], env={**os.environ, **environment}, capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)


def keep(name: str, figures: Mapping[str, Any]) -> None:
    """Write the figures to `results/<name>.json` with the machine they were measured on, and print them."""
    RESULTS.mkdir(exist_ok=True)
    machine = {"cores": os.cpu_count(), "system": platform.system(), "python": platform.python_version()}
    text = json.dumps({"machine": machine, "date": time.strftime("%Y-%m-%d"), **figures}, indent=2)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    print(text)


def cpu_seconds(connection_file: Path) -> float:
    """CPU seconds that a driver's JVM has used: a figure that other work on the machine does not change much."""
    import psutil

    used = psutil.Process(json.loads(connection_file.read_text())["pid"]).cpu_times()
    return float(used.user + used.system)


def median(values: Sequence[float]) -> float:
    """The middle value."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2

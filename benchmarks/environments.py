"""How long a task waits for its Python environment: cold, with uv's downloads at hand, and cached. Beside venv and pip.

Run by hand, with a network: `python benchmarks/environments.py [--rounds 5]`. Cold means that uv's own cache is empty too.
`cached` is what a second run adds to a task: the look at the libraries and the environment's record.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from measure import keep, median

from medallion.compute.environments import Recipe, provide
from medallion.factory.operators.dbt import DBT
from medallion.settings import Settings

SETS = {
    "one small package": ("cowsay==6.1",),
    "a package the product has in another version": ("requests==2.31.0",),
    "dbt": DBT,
}


def timed(work: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def ours(lines: tuple[str, ...], rounds: int) -> dict[str, float]:
    """Seconds to an environment, by what is at hand."""
    found: dict[str, list[float]] = {"cold": [], "downloaded": [], "cached": []}
    for _ in range(rounds):
        folder = Path(tempfile.mkdtemp(prefix="medallion-environments-"))
        os.environ["UV_CACHE_DIR"] = str(folder / "uv")
        settings = Settings.load(folder, environ={"MEDALLION_CACHE": str(folder / "cache")})
        make = lambda settings=settings: provide(settings, Recipe(lines), lambda _: None)  # noqa: E731
        found["cold"].append(timed(make))
        found["cached"].append(timed(make))
        shutil.rmtree(folder / "cache")
        found["downloaded"].append(timed(make))
        shutil.rmtree(folder)
    return {name: round(median(values), 4) for name, values in found.items()}


def plain(lines: tuple[str, ...]) -> float:
    """Seconds of `python -m venv` and `pip install`, without pip's cache. Once: it is slow."""
    folder = Path(tempfile.mkdtemp(prefix="medallion-venv-"))

    def make() -> None:
        subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True, capture_output=True)
        pip = [str(folder / "venv" / "bin" / "python"), "-m", "pip", "install", "--no-cache-dir", "--quiet", *lines]
        subprocess.run(pip, check=True, capture_output=True)

    try:
        return round(timed(make), 2)
    finally:
        shutil.rmtree(folder)


def main() -> None:
    """Measure and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    figures = {name: {"seconds": ours(lines, rounds), "venv and pip": plain(lines)} for name, lines in SETS.items()}
    keep("environments", {"rounds": rounds, "sets": figures})


if __name__ == "__main__":
    main()

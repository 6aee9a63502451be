"""Tries a target: a driver, executors, a function in their Python. `python -m medallion.compute.target_check CONNECTION`.

`check` runs on the worker or in the command line; the module as a program is the process that attaches.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.errors import MedallionError, TargetError

if TYPE_CHECKING:
    from collections.abc import Callable

    from medallion.settings import Settings

TRY_SECONDS = 120
PARTS = 4


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of a target.

    :param fault: what is wrong, in words; empty where it works.
    :param workers: machines that ran a function, each with its version of Python.
    """

    target: str
    seconds: float
    fault: str = ""
    workers: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As `medallion targets --check --json` gives it."""
        return {**asdict(self), "works": not self.fault}


def check(settings: Settings, name: str, say: Callable[[str], None]) -> Tried:
    """Start or take a driver of a target and run a function on its executors.

    :param say: told what it waits for.
    """
    begun = time.monotonic()
    try:
        workers, fault = tried(settings, name, say), ""
    except MedallionError as error:
        workers, fault = (), str(error)
    return Tried(name, round(time.monotonic() - begun, 1), fault, workers)


def tried(settings: Settings, name: str, say: Callable[[str], None]) -> tuple[str, ...]:
    """The workers that ran a function.

    :raises TargetError: none did; says why.
    """
    from medallion.compute.pool import DriverPool
    from medallion.compute.targets import driver_spec

    pool, holder = DriverPool(settings), f"check-{os.getpid()}"
    connection = pool.acquire(driver_spec(settings, target=name), holder, pid=os.getpid(), progress=say)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", __name__, str(connection)],
            capture_output=True,
            text=True,
            timeout=TRY_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TargetError(f"its executors gave no answer within {TRY_SECONDS} s") from None
    finally:
        pool.release(holder)
    if done.returncode != 0:
        raise TargetError(last_line(done.stderr))
    return tuple(json.loads(done.stdout))


def last_line(text: str) -> str:
    """What a failed process said in the end."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "the process that tried it ended without a word"


def main() -> None:
    """Attach, run a function in the executors' Python, print who ran it."""
    from medallion.compute.session import attach
    from medallion.runtime.failures import message_of

    try:
        context = attach(Path(sys.argv[1]), tag=f"check-{os.getpid()}").sparkContext
        found = context.parallelize(range(PARTS), PARTS).map(who).distinct().collect()
    except Exception as error:  # noqa: BLE001  told in words, whatever Spark says
        sys.exit(" ".join(message_of(error).split()))
    print(json.dumps(sorted(found)))  # noqa: T201  `tried` reads it


def who(_: object) -> str:
    """This machine and its Python."""
    return f"{platform.node()}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()

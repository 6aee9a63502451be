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

from measured import CODE, PROJECT, code_of

MEDALLION = Path(sys.executable).parent / "medallion"
RESULTS = Path(__file__).parent / "results"
CODE_AT_START = code_of("everything")
"""The code that is measured: it may be edited while a benchmark runs."""


@dataclass(frozen=True, slots=True)
class Timed:
    """A command that ended: its seconds and what it printed."""

    seconds: float
    output: str


class CommandFailedError(RuntimeError):
    """A command ended with another status than 0; `output` and `errors` are what it wrote."""

    def __init__(self, command: Sequence[str | Path], status: int, output: str, errors: str) -> None:
        super().__init__(f"{[str(part) for part in command]} gave {status}:\n{output[-3000:]}\n{errors[-3000:]}")
        self.output = output
        self.errors = errors


@dataclass(frozen=True, slots=True)
class FailedTask:
    """A task that a run failed by.

    :param why: its error.
    :param log: its log, below the run's home.
    """

    task: str
    result: str
    why: str
    log: str


class RunFailedError(RuntimeError):
    """A job's run that did not succeed, with each task that failed and why."""

    def __init__(self, job: str, result: str, tasks: Sequence[FailedTask], kept: Path | None, said: str = "") -> None:
        lines = [f"{job} ended {result}"]
        lines += [f"  task {item.task} {item.result}: {item.why}\n    log: {item.log}" for item in tasks]
        if kept:
            lines.append(f"  logs and records are kept in {kept}")
        super().__init__("\n".join([*lines, said.strip()]).strip())
        self.tasks = list(tasks)


def run(command: Sequence[str | Path], environment: Mapping[str, str], *, timeout: float = 1800) -> Timed:
    """Run a command to its end.

    :raises CommandFailedError: it failed; carries what it wrote.
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
        raise CommandFailedError(command, done.returncode, done.stdout, done.stderr)
    return Timed(seconds, done.stdout)


def run_job(job: str, environment: Mapping[str, str]) -> Timed:
    """`medallion run JOB` to its end.

    :raises RunFailedError: the run did not succeed; says which tasks failed, why, and where their logs are kept.
    """
    try:
        return run([MEDALLION, "run", job, "--json"], environment)
    except CommandFailedError as failed:
        folder = Path(environment["MEDALLION_HOME"])
        kept = keep_logs(folder)
        try:
            told = json.loads(failed.output)
        except ValueError:
            raise RunFailedError(job, "without an answer", [], kept, str(failed)) from None
        tasks = failed_tasks(told, kept)
        raise RunFailedError(job, str(told.get("result_state")), tasks, kept, failed.errors[-2000:]) from None


def failed_tasks(told: Mapping[str, Any], kept: Path) -> list[FailedTask]:
    """The tasks of a run, as `--json` prints it, that failed by themselves."""
    found = []
    for task in told.get("tasks") or ():
        result = task.get("result_state")
        if result in {None, "SUCCESS", "EXCLUDED", "UPSTREAM_FAILED", "UPSTREAM_CANCELED", "CANCELED"}:
            continue
        why = (task.get("termination_details") or {}).get("message") or "it left no reason"
        logs = sorted(kept.glob(f"tasks/*/run_id={told.get('airflow_run_id')}/task_id={task['task_key']}/**/*.log"))
        found.append(FailedTask(task["task_key"], result, why, str(logs[-1]) if logs else "none was written"))
    return found


def keep_logs(folder: Path) -> Path:
    """Copy the logs of a home, which is removed at the end, to a folder that stays."""
    kept = Path(tempfile.mkdtemp(prefix="medallion-failed-run-"))
    shutil.copytree(folder / "logs", kept, dirs_exist_ok=True, ignore_dangling_symlinks=True)
    for log in (folder / "drivers").glob("*/*.log"):
        shutil.copy2(log, kept / f"{log.parent.name}-{log.name}")
    return kept


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


def keep(name: str, figures: Mapping[str, Any], *, show: bool = True) -> None:
    """Write the figures to `results/<name>.json` with the machine and the code they were measured on, and print them."""
    RESULTS.mkdir(exist_ok=True)
    machine = {"cores": os.cpu_count(), "system": platform.system(), "python": platform.python_version()}
    code = {part: CODE_AT_START[part] for part in CODE.get(name, CODE_AT_START)}
    text = json.dumps({"machine": machine, "date": time.strftime("%Y-%m-%d"), "code": code, **figures}, indent=2)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    if show:
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

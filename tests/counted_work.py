"""Counts function calls of work that must not creep: `python tests/counted_work.py FOLDER` prints JSON.

A program of its own. Calls are the same on a busy machine, seconds are not. Everything is done once before, so imports and
what is made once for a process are not counted.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

JOBS, TASKS = 50, 8


FOUND: Counter[str] = Counter()
"""Calls by place since the last `start`."""


def note(frame: FrameType, event: str, argument: Any) -> None:
    """Count one call; the interpreter calls this."""
    if event == "call":
        code = frame.f_code
        FOUND[f"{short(code.co_filename)}:{code.co_qualname}"] += 1
    elif event == "c_call":
        FOUND[f"builtins:{argument.__qualname__}"] += 1


def start() -> None:
    """Count from here on, in this thread."""
    FOUND.clear()
    gc.collect()
    gc.disable()  # what finalizers call would be counted wherever the collector happens to run
    sys.setprofile(note)


def stop() -> dict[str, int]:
    """The calls by place."""
    sys.setprofile(None)
    gc.enable()
    return dict(FOUND)


def counted(work: Callable[[], object]) -> dict[str, int]:
    """Calls of one piece of work, done once before."""
    work()
    start()
    work()
    return stop()


def short(file: str) -> str:
    """A module's file below the folder that it is imported from."""
    for part in ("/site-packages/", "/include/", "/lib/"):
        if part in file:
            return file.rpartition(part)[2]
    return file


def job(number: int) -> dict[str, Any]:
    """A job with a root, a fan-out and a join."""
    parents = {0: [], 7: [4, 5, 6]}
    return {
        "name": f"job_{number}",
        "parameters": [{"name": "catalog", "default": "main"}, {"name": "day", "default": "2026-01-01"}],
        "schedule": {"quartz_cron_expression": "0 0 2 * * ?", "timezone_id": "UTC"},
        "tasks": [
            {
                "task_key": f"task_{index}",
                "depends_on": [
                    {"task_key": f"task_{parent}"} for parent in parents.get(index, [index - 3] if index > 3 else [0])
                ],
                "notebook_task": {"notebook_path": f"/Workspace/n{index}", "base_parameters": {"a": "1"}},
                "max_retries": 2,
                "timeout_seconds": 3600,
            }
            for index in range(TASKS)
        ],
    }


def make_project(folder: Path) -> Path:
    """A project of jobs that were written a minute ago, so that the cache keeps them."""
    (folder / "jobs").mkdir(parents=True)
    for number in range(JOBS):
        file = folder / "jobs" / f"job_{number}.json"
        file.write_text(json.dumps(job(number)), encoding="utf-8")
        os.utime(file, (time.time() - 60,) * 2)
    return folder


def parse(project: Path) -> Callable[[], object]:
    """What a DAG file does."""
    from medallion.factory.dagfile import load_into

    return lambda: load_into({}, project=project)


def parse_of_a_task(project: Path) -> Callable[[], object]:
    """What a task's process does: it builds the job of its run, as it was when the run began. After a whole parse."""
    from medallion.factory.dagfile import load_version

    version = next((project / ".medallion" / "definitions").glob("*/*.json")).stem
    return lambda: load_version({}, project=project, version=version)


def refresh(project: Path) -> Callable[[], object]:
    """What the dag processor does every two seconds."""
    from medallion.core import file_states
    from medallion.factory import bundle
    from medallion.factory.version_dags import Going

    file_states.TICK_SECONDS = -60.0  # the project was made a moment ago
    bundle.look_at_runs = lambda *_: Going()  # type: ignore[assignment]
    return bundle.JobsDagBundle(name="jobs", project=str(project)).refresh


def plan(folder: Path) -> Callable[[], object]:
    """What a task asks before it finds the driver that runs already."""
    from medallion.compute.driver import DriverSpec, plan_driver
    from medallion.compute.java import Java
    from medallion.settings import Settings

    settings = Settings.load(folder, environ={})
    return lambda: plan_driver(DriverSpec(), settings, Java(Path("/java"), 17, "test"), []).fingerprint


NOTEBOOK = """# Databricks notebook source
import counted_work, json, pathlib
pathlib.Path({place!r}).write_text(json.dumps(counted_work.stop()))
"""


def start_of_a_notebook(folder: Path) -> dict[str, int]:
    """A task's process from the fork to the first line of the first cell, without Spark."""
    from medallion.runtime import launch, spare
    from medallion.runtime.protocol import Places, TaskContext
    from medallion.settings import Settings

    for name in (*spare.FIRST, *spare.LATER):
        spare.prepare(name)
    folder.mkdir()
    place = folder / "calls.json"
    (folder / "n.py").write_text(NOTEBOOK.format(place=str(place)), encoding="utf-8")
    sys.modules["counted_work"] = sys.modules[__name__]
    launch.start_child = lambda order, *_, **__: CountedChild(order)  # type: ignore[assignment]
    context = TaskContext("notebook", str(folder / "n.py"), str(folder / "out"), Places("/lake", "/volumes", "/dbfs"))
    result = launch.launch(context, Settings.load(folder, environ={}), answers=None, on_output=print)  # type: ignore[arg-type]
    assert result.success, result
    return json.loads(place.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


class CountedChild:
    """A task's process, forked from this one as from the spare; it counts from its start on."""

    def __init__(self, order: Any) -> None:
        from medallion.runtime import process

        self.pid = os.fork()
        if self.pid == 0:
            pipes = process.Pipes(*map(os.dup, order.descriptors))
            start()
            process.run(order.context_file, pipes, order.environment, order.asked)

    def status(self, seconds: float) -> int | None:
        """Its exit status."""
        return os.waitpid(self.pid, 0)[1]

    def forget(self) -> None:
        """Wait for its end: it makes the notebook's page."""
        self.status(0)


def main(folder: Path) -> None:
    """Count everything; prints calls by place for each piece of work."""
    project = make_project(folder / "project")
    found = {
        "parse of a job": counted(parse(project)),
        "a task's own parse": counted(parse_of_a_task(project)),
        "refresh without a change": counted(refresh(project)),
        "plan of a driver": counted(plan(project)),
        "start of a notebook": start_of_a_notebook(folder / "start"),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Tasks that take all the memory, or all the processes, that they can get, in a real run beside another task."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from factory.lab import Lab, Ran

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]

GREEDY = """
import os, sys, time
if sys.argv[1] == "memory":
    held = []
    for _ in range(60):
        held.append(b"x" * (50 << 20))
        time.sleep(0.05)
if sys.argv[1] == "processes":
    for _ in range(200):
        if os.fork() == 0:
            time.sleep(600)
if sys.argv[1] == "modest":
    time.sleep(5)
else:
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def greedy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    lab = Lab(tmp_path_factory.mktemp("greedy") / "project", places='task_memory = "800m"\ntask_processes = 60\n')
    file = lab.project / "jobs" / "greedy.py"
    file.write_text(GREEDY)

    def task(word: str) -> dict[str, object]:
        return {"task_key": word, "spark_python_task": {"python_file": "greedy.py", "parameters": [word]}}

    yield lab.run({"name": "greedy", "tasks": [task("memory"), task("processes"), task("modest")]}, whole=True)
    lab.close()


def test_greedy_tasks_fail_and_their_neighbour_succeeds(greedy: Ran) -> None:
    assert greedy.states == {"memory": "FAILED", "processes": "FAILED", "modest": "SUCCESS"}
    assert "more than 800 MB (setting task_memory)" in greedy.log("memory")
    assert "more than 60 (setting task_processes)" in greedy.log("processes")
    whys = {task.task_key: str(task.termination) for task in greedy.report.tasks}
    assert "setting task_memory" in whys["memory"]

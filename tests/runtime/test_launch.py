"""The worker's side: time-outs, cancels, dead workers, questions while the task runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from medallion.runtime.launch import TaskProcess
from medallion.runtime.protocol import NOTEBOOK_FILE, Places, TaskContext
from medallion.settings import Settings

SLEEP = (
    "import os, subprocess, time\nprint(os.getpid(), flush=True)\n"
    "p = subprocess.Popen(['sleep', '100'])\nprint(p.pid, flush=True)\ntime.sleep(100)"
)


def gone(pid: int, seconds: float = 10) -> bool:
    """Whether a process ends within the seconds."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("spare", [pytest.param(True, id="forked"), pytest.param(False, id="fresh")])
def test_a_time_out_ends_the_whole_process_group(run_cells: Callable[..., Any], spare: bool) -> None:
    ran = run_cells(SLEEP, timeout=6 if not spare else 1, spare=spare)
    assert (ran.result.failure.kind, ran.result.failure.cell) == ("Timeout", 1)
    assert all(gone(int(pid)) for pid in ran.lines[:2])


def test_a_killed_task_leaves_the_record_and_page_of_what_it_had(run_cells: Callable[..., Any]) -> None:
    ran = run_cells("print('done before')", "print('half way')\nimport time\ntime.sleep(100)", timeout=1)
    first, second = ran.cells
    assert first.outputs[0].text == "done before\n"
    assert second.outputs[0].text == "half way\n"
    assert second.metadata.medallion.status == "killed"
    page = ran.output / "notebook.html"
    limit = time.monotonic() + 30
    while not page.exists() and time.monotonic() < limit:
        time.sleep(0.05)
    assert "half way" in page.read_text()


def test_code_that_ignores_sigterm_is_killed(run_cells: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medallion.runtime.launch.GRACE_SECONDS", 0.5)
    ran = run_cells(
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('deaf')\n"
        "while True:\n    time.sleep(1)",
        timeout=1,
    )
    assert ran.result.failure.kind == "Timeout"
    assert ran.cells[0].metadata.medallion.status == "running"


def test_terminate_from_another_thread_cancels(settings: Settings, places: Places, write: Any, tmp_path: Path) -> None:
    lines: list[str] = []
    context = TaskContext("notebook", str(write(tmp_path / "nb.py", SLEEP)), str(tmp_path / "out"), places)
    process = TaskProcess(context, settings, answers=None, on_output=lines.append)  # type: ignore[arg-type]

    def cancel() -> None:
        while len(lines) < 2:
            time.sleep(0.01)
        process.terminate()

    thread = threading.Thread(target=cancel)
    thread.start()
    result = process.run()
    thread.join()
    assert result.failure is not None
    assert (result.failure.kind, result.failure.message) == ("Killed", "the task was cancelled in cell 1")
    assert all(gone(int(pid)) for pid in lines[:2])


def test_an_exception_in_the_worker_ends_the_task(
    settings: Settings, places: Places, write: Any, tmp_path: Path
) -> None:
    class TimeIsUp(BaseException):
        pass

    pids: list[int] = []

    def hear(line: str) -> None:
        pids.append(int(line))
        if len(pids) == 2:
            raise TimeIsUp

    context = TaskContext("notebook", str(write(tmp_path / "nb.py", SLEEP)), str(tmp_path / "out"), places)
    with pytest.raises(TimeIsUp):
        TaskProcess(context, settings, answers=None, on_output=hear).run()  # type: ignore[arg-type]
    assert all(gone(pid) for pid in pids)


def test_the_task_ends_when_its_worker_dies(settings: Settings, places: Places, write: Any, tmp_path: Path) -> None:
    notebook = write(tmp_path / "nb.py", SLEEP)
    worker = tmp_path / "worker.py"
    worker.write_text(
        "import sys\nfrom pathlib import Path\nfrom medallion.runtime.launch import launch\n"
        "from medallion.runtime.protocol import Places, TaskContext\nfrom medallion.settings import Settings\n"
        f"context = TaskContext('notebook', {str(notebook)!r}, {str(tmp_path / 'out')!r}, Places('/a', '/b', '/c'))\n"
        f"settings = Settings.load(Path({str(settings.project)!r}), environ={{}})\n"
        "launch(context, settings, answers=None, on_output=lambda line: print(line, flush=True))\n"
    )
    process = subprocess.Popen([sys.executable, str(worker)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        pids = [int(process.stdout.readline()) for _ in range(2)]
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert all(gone(pid) for pid in pids)


def test_child_processes_end_with_their_task(run_cells: Callable[..., Any]) -> None:
    ran = run_cells("import subprocess\nprint(subprocess.Popen(['sleep', '100']).pid)")
    assert ran.result.success
    assert gone(int(ran.lines[0]))


def test_a_stale_result_is_not_taken_for_the_new_one(run_cells: Callable[..., Any]) -> None:
    assert run_cells("print(1)").result.success
    assert not run_cells("import os; os._exit(0)").result.success


def test_a_known_secret_is_masked_everywhere(run_cells: Callable[..., Any]) -> None:
    secret = "s3cr&t<value>"
    ran = run_cells(
        f"import os\nx = {secret[::-1]!r}[::-1]\nprint('it is', x)\n"
        "os.system('echo \"' + x + '\"')\ndisplay({'k': x})\n"
        "for c in x:\n    print(c, end='')\n"
        "import pandas as pd\ndisplay(pd.DataFrame({'k': [x]}))",
        "raise ValueError(x)",
        masks=[secret],
    )
    assert secret not in ran.text
    assert ran.lines[:2] == ["it is [REDACTED]", "[REDACTED]"]
    assert ran.result.failure.message == "[REDACTED]"
    for file in ran.output.iterdir():
        assert secret not in file.read_text()
    notebook = (ran.output / NOTEBOOK_FILE).read_text()
    assert "s3cr&amp;t&lt;value&gt;" not in notebook
    assert notebook.count("[REDACTED]") >= 5


def test_a_clock_that_is_set_ends_no_task(run_cells: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    hours = iter(range(10_000))
    monkeypatch.setattr(time, "time", lambda: 1e9 + 3600.0 * next(hours))
    ran = run_cells("import time\ntime.sleep(1)\ndbutils.notebook.exit('done')", timeout=60)
    assert ran.result.failure is None

"""The spare process: one per project, private, replaced when it is old, gone when it is not needed."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from medallion.components.sweep import end_processes, marked
from medallion.core.environment import OWNER
from medallion.runtime import spare_start
from medallion.runtime.launch import launch
from medallion.runtime.protocol import Places, TaskContext
from medallion.settings import Settings

pytestmark = pytest.mark.slow  # each test starts a spare process or two: seconds of imports


@pytest.fixture
def home() -> Iterator[Path]:
    """A project of this test alone, with a short path."""
    folder = Path(tempfile.mkdtemp(prefix="mdl-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def spares(home: Path) -> list[psutil.Process]:
    """The spare processes of a project, without the tasks that they forked."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        line = process.info["cmdline"] or []
        if "medallion.runtime.spare" in line and str(home / ".medallion") in line:
            parent = process.parent()
            if process.info["status"] != psutil.STATUS_ZOMBIE and (
                parent is None or "medallion.runtime.spare" not in parent.cmdline()
            ):
                found.append(process)
    return found


def until(condition: Callable[[], bool], seconds: float = 30) -> bool:
    """Whether the condition comes true in time."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_starters_at_the_same_time_get_one_private_spare(home: Path) -> None:
    settings = Settings.load(home, environ={})
    with ThreadPoolExecutor(4) as pool:
        connections = list(pool.map(lambda _: spare_start.connect(settings), range(4)))
    assert all(connections)
    assert len(spares(home)) == 1
    address = spare_start.address_of(settings)
    assert stat.S_IMODE(address.stat().st_mode) == 0o600
    assert stat.S_IMODE(address.parent.stat().st_mode) == 0o700
    for connection in connections:
        assert connection is not None
        connection.close()
    spares(home)[0].terminate()
    assert until(lambda: not spares(home))
    assert not address.exists()


def test_a_spare_that_a_plain_airflow_started_is_found_by_down(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(OWNER, raising=False)
    settings = Settings.load(home, environ={})
    connection = spare_start.connect(settings)
    assert connection is not None
    connection.close()
    (spare,) = spares(home)
    found = marked(settings.home)
    assert spare.pid in {process.pid for process in found}
    end_processes(found)
    assert until(lambda: not spares(home))


def test_a_spare_ends_with_its_project_and_when_idle(home: Path) -> None:
    settings = Settings.load(home, environ={})
    connection = spare_start.connect(settings)
    assert connection is not None
    connection.close()
    shutil.rmtree(settings.home)
    assert until(lambda: not spares(home))
    idle = settings.model_copy(update={"spare_idle_seconds": 1})
    connection = spare_start.connect(idle)
    assert connection is not None
    connection.close()
    assert until(lambda: not spares(home))


def test_newer_code_gets_a_newer_spare(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.load(home, environ={})
    first = spare_start.connect(settings)
    assert first is not None
    first.close()
    (old,) = spares(home)
    monkeypatch.setattr(spare_start, "source_digest", lambda: "0123456789")
    second = spare_start.connect(settings)
    assert second is not None
    second.close()
    assert until(lambda: old not in spares(home))
    (new,) = spares(home)
    assert new.pid != old.pid
    new.terminate()


def test_a_task_outlives_the_spare_that_forked_it(
    home: Path, places: Places, write: Callable[..., Path], tmp_path: Path
) -> None:
    settings = Settings.load(home, environ={})
    path = write(tmp_path / "nb.py", "import os, time\nprint(os.getppid())", "time.sleep(1)\nprint('still here')")
    context = TaskContext("notebook", str(path), str(tmp_path / "out"), places)
    lines: list[str] = []

    def hear(line: str) -> None:
        lines.append(line)
        if len(lines) == 1:
            os.kill(int(line), signal.SIGKILL)

    result = launch(context, settings, answers=None, on_output=hear)  # type: ignore[arg-type]
    assert result.success
    assert lines[1] == "still here"
    again = launch(replace(context, output=str(tmp_path / "out2")), settings, answers=None, on_output=[].append)  # type: ignore[arg-type]
    assert again.success
    for process in spares(home):
        process.terminate()


def test_without_a_spare_the_task_runs_afresh(
    home: Path, places: Places, write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(_settings: Settings) -> None:
        return None

    monkeypatch.setattr("medallion.runtime.launch.connect", none)
    context = TaskContext("notebook", str(write(tmp_path / "nb.py", "print('fresh')")), str(tmp_path / "out"), places)
    lines: list[str] = []
    settings = Settings.load(home, environ={})
    assert launch(context, settings, answers=None, on_output=lines.append).success  # type: ignore[arg-type]
    assert lines == ["fresh"]
    assert not spares(home)


def test_a_request_that_its_worker_gave_up_is_not_started(home: Path) -> None:
    settings = Settings.load(home, environ={})
    connection = spare_start.connect(settings)
    assert connection is not None
    (process,) = spares(home)
    process.suspend()
    read, write_end = os.pipe()
    with connection:
        socket.send_fds(connection, [b'{"context": "/nope", "environment": {}, "asked": 0}\n'], [read, write_end])
    process.resume()
    time.sleep(0.3)
    assert process.children() == []
    os.close(read)
    os.close(write_end)
    process.terminate()


def test_a_long_path_gets_a_short_address(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path / ("x" * 100), environ={})
    address = spare_start.address_of(settings)
    assert len(os.fsencode(address)) <= spare_start.LONGEST_ADDRESS


def test_a_package_of_the_task_needs_a_fresh_process(run_cells: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site/own_package.py").write_text("X = 5")
    ran = run_cells("import os, own_package\nprint(own_package.X)", options={"site": [str(tmp_path / "site")]})
    assert ran.lines == ["5"]


def test_packages_that_replace_nothing_are_found_by_a_fork(run_cells: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site/own_package.py").write_text("X = 5")
    forkable = {"site": [str(tmp_path / "site")], "forkable": True}
    ran = run_cells("import os, sys, own_package\nprint(own_package.X, 'pandas' in sys.modules)", options=forkable)
    assert ran.lines == ["5 True"]


def test_another_host_has_a_spare_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket on a shared disk takes connections from every container of the machine."""
    settings = Settings.load(tmp_path, environ={})
    own = spare_start.address_of(settings)
    monkeypatch.setattr(spare_start, "host_id", lambda: "another")
    theirs = spare_start.address_of(settings)
    assert own.name.partition("-")[0] != theirs.name.partition("-")[0], "so that neither asks the other's to end"
    own.parent.mkdir(parents=True)
    own.touch()
    spare_start.stop_older(theirs)
    assert own.exists(), "nobody answers there, and it is new"
    os.utime(own, (1, 1))
    spare_start.stop_older(theirs)
    assert not own.exists()

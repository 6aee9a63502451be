"""The launcher of Airflow's components, with processes that only wait in place of Airflow's."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from components.test_starts import wait_until
from disk import largest_file

from medallion.components import launcher as launching
from medallion.components.configuration import Endpoint
from medallion.components.launcher import COMPONENTS, Launcher
from medallion.components.places import prepare
from medallion.components.pulse import LOOK_SECONDS, SILENT_SECONDS, Pulse
from medallion.components.record import Record
from medallion.settings import Settings


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def launcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]) -> Iterator[Launcher]:
    monkeypatch.setattr(launching, "command_of", lambda _: [sys.executable, "-c", "import time; time.sleep(600)"])
    settings = Settings.load(tmp_path, environ={})
    prepare(settings)
    made = Launcher(settings, Endpoint("127.0.0.1", 1), lambda who, what: said.append(f"{who}: {what}"))
    for component in made.components:
        made.spawn(component)
    made.write_record(ready=True)
    yield made
    made.stop()


def test_a_full_disk_does_not_end_the_launcher(launcher: Launcher, said: list[str]) -> None:
    first = launcher.components[0]
    assert first.process is not None
    watching = threading.Thread(target=launcher.watch)
    watching.start()
    with largest_file(0):
        first.process.kill()
        wait_until(lambda: launcher.trouble, 30)
        assert "the limit of a file's size is reached" in launcher.trouble
    wait_until(lambda: not launcher.trouble, 30)
    assert watching.is_alive()
    record = Record.read(launcher.places.record)
    assert record is not None
    assert record.components[first.name] == first.identity
    assert record.restarts[first.name] == 1
    assert len([line for line in said if "the limit of a file's size" in line]) == 1
    launcher.stopping.set()
    watching.join(10)


def test_a_component_without_a_sign_of_life_is_started_again(launcher: Launcher, said: list[str]) -> None:
    scheduler = next(item for item in launcher.components if item.name == "scheduler")
    others = [item.identity for item in launcher.components if item is not scheduler]
    before = scheduler.identity
    launcher.pulse = Pulse(lambda: set(COMPONENTS) - {"scheduler"})
    launcher.pulse.well["scheduler"] = scheduler.started = time.monotonic() - SILENT_SECONDS - 1
    watching = threading.Thread(target=launcher.watch)
    watching.start()
    wait_until(lambda: scheduler.identity != before and scheduler.process, 30)
    launcher.stopping.set()
    watching.join(10)
    assert [item.identity for item in launcher.components if item is not scheduler] == others
    assert [line.split(":")[0] for line in said] == ["scheduler", "scheduler"]
    assert "no sign of life" in said[0]


ALL = frozenset(COMPONENTS)
SIGNS = [
    pytest.param([ALL] * 30, [], id="all are well"),
    pytest.param([ALL, *[ALL - {"triggerer"}] * 30], ["triggerer"], id="one is silent"),
    pytest.param([ALL - {"triggerer"}] * 30, ["triggerer"], id="one never spoke"),
    pytest.param([ALL - {"triggerer"}] * 15 + [ALL] + [ALL - {"triggerer"}] * 10, [], id="one was late"),
    pytest.param([frozenset()] * 30, ["api-server"], id="nobody tells of the others"),
]


@pytest.mark.parametrize(("looks", "silent"), SIGNS)
def test_silence_is_counted_from_the_last_sign_of_life(looks: list[frozenset[str]], silent: list[str]) -> None:
    told, begun = iter(looks), dict.fromkeys(COMPONENTS, 1000.0)
    times = [1000.0 + LOOK_SECONDS * number for number in range(len(looks))]
    pulse = Pulse(lambda: next(told))
    found = [pulse.silent(begun, lambda at=at: at) for at in times]
    assert sorted({name for names in found for name in names}) == silent
    assert pulse.silent(begun, lambda: times[-1]) == []

"""The one poller of a triggerer, with its real clock: several jobs, an edit, a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from medallion.settings import Settings
from medallion.triggers.entries import Entry
from medallion.triggers.firing import Firing
from medallion.triggers.poller import Poller
from medallion.triggers.watch import JobWatch

SECONDS = 20


def entry(folder: Path, wait: int = 0) -> Entry:
    return Entry("file_arrival.0", "file_arrival", {"url": f"file:{folder}"}, wait=wait)


class Listener:
    """What Airflow does with one trigger: asks for its events as long as it runs."""

    def __init__(self, poller: Poller, *entries: Entry, dag_id: str = "job") -> None:
        self.told: list[Firing] = []
        watch = JobWatch(dag_id, entries, poller.store, poller.settings)
        self.task = asyncio.create_task(self.listen(poller.firings(watch)))

    async def listen(self, firings: AsyncIterator[Firing]) -> None:
        async for firing in firings:
            self.told.append(firing)

    async def stop(self) -> None:
        self.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await self.task

    @property
    def files(self) -> list[str]:
        return [name for firing in self.told for name in firing.facts["files"]]


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not holds():
            await asyncio.sleep(0.05)


def play(tmp_path: Path, scene: Callable[[Poller, Path], Any]) -> None:
    landing = tmp_path / "landing"
    landing.mkdir()
    asyncio.run(scene(Poller(Settings.load(tmp_path, environ={})), landing))


def test_an_edit_at_work_tells_each_file_once(tmp_path: Path) -> None:
    async def scene(poller: Poller, landing: Path) -> None:
        first = Listener(poller, entry(landing))
        await until(lambda: len(poller.seats) == 1)
        (landing / "a").write_text("")
        await until(lambda: first.files == ["a"])
        listeners = [first]
        for number in range(1, 6):
            (landing / f"b{number}").write_text("")
            new = Listener(poller, entry(landing, wait=number % 2))
            await until(lambda wait=number % 2: {seat.watch.entries[0].wait for seat in poller.seats} == {wait})
            await listeners[-1].stop()
            listeners.append(new)

        def files() -> list[str]:
            return sorted(name for listener in listeners for name in listener.files)

        await until(lambda: set(files()) == {"a", "b1", "b2", "b3", "b4", "b5"})
        (landing / "last").write_text("")
        await until(lambda: "last" in files())
        assert len(files()) == 7
        await listeners[-1].stop()

    play(tmp_path, scene)


def test_many_jobs_share_one_poller_and_hear_of_their_own_files(tmp_path: Path) -> None:
    async def scene(poller: Poller, landing: Path) -> None:
        listeners = []
        for number in range(20):
            (landing / str(number)).mkdir()
            listeners.append(Listener(poller, entry(landing / str(number)), dag_id=f"job{number}"))
        await until(lambda: len(poller.seats) == 20)
        for number in range(20):
            (landing / str(number) / f"of{number}").write_text("")
        await until(lambda: all(listener.told for listener in listeners))
        assert [listener.files for listener in listeners] == [[f"of{number}"] for number in range(20)]
        for listener in listeners:
            await listener.stop()
        assert poller.seats == set()

    play(tmp_path, scene)


def test_a_store_of_objects_does_not_hold_the_others_up(tmp_path: Path) -> None:
    async def scene(poller: Poller, landing: Path) -> None:
        import fsspec

        system = fsspec.filesystem("memory")
        system.pipe("/poller/old", b"x")
        far = Entry("file_arrival.1", "file_arrival", {"url": "memory://poller"})
        both = Listener(poller, entry(landing), far)
        await until(lambda: len(poller.seats) == 1)
        (landing / "near").write_text("")
        system.pipe("/poller/new", b"x")
        await until(lambda: both.files == ["near", "new"])
        await both.stop()

    play(tmp_path, scene)

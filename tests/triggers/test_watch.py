"""Watched triggers under a simulated clock: timers, what is new, what a restart, an edit and a pause leave."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from medallion.settings import Settings
from medallion.triggers.ended import note_end
from medallion.triggers.entries import Entry
from medallion.triggers.firing import Firing
from medallion.triggers.store import Store, shown, state_file
from medallion.triggers.timers import Timers
from medallion.triggers.watch import JobWatch

DAG = "job"


class Desk:
    """One job's watch with a clock that tests move."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings.load(folder, environ={})
        self.now = time.time()
        self.store = Store(state_file(self.settings.home))
        self.watch: JobWatch | None = None
        self.told: list[Firing] = []

    def open(self, *entries: Entry) -> list[Firing]:
        """Begin to watch, as a triggerer that has just started does."""
        self.watch = JobWatch(DAG, entries, self.store, self.settings)
        return self.watch.open(self.now)

    def wait(self, seconds: float = 1) -> list[Firing]:
        """Let time pass, one look a second; the firings."""
        assert self.watch is not None
        fired: list[Firing] = []
        for _ in range(max(round(seconds), 1)):
            self.now += 1
            due = self.watch.look(self.now) + self.watch.look(self.now, remote=True)
            fired += [self.watch.fire(item, self.now) for item in due]
            self.watch.tell()
        self.told += fired
        return fired

    def put(self, name: str, text: str = "x") -> None:
        """A file in the landing volume."""
        place = self.settings.volumes / "main" / "default" / "landing" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def commit(self, table: str, *, data: bool = True, version: int | None = None, operation: str = "WRITE") -> int:
        """A commit as any writer leaves it; its version."""
        log = self.settings.lake / Path(*table.split(".")) / "_delta_log"
        log.mkdir(parents=True, exist_ok=True)
        version = len(list(log.glob("*.json"))) if version is None else version
        actions: list[dict[str, Any]] = [{"commitInfo": {"timestamp": 1_700_000_000_000, "operation": operation}}]
        if operation != "VACUUM START":
            actions.append({"add": {"path": f"{version}.parquet", "dataChange": data}})
        (log / f"{version:020d}.json").write_text("\n".join(json.dumps(action) for action in actions))
        return version


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def files(between: int = 0, wait: int = 0, url: str = "/Volumes/main/default/landing") -> Entry:
    return Entry("file_arrival.0", "file_arrival", {"url": url}, between, wait)


def tables(*names: str, condition: str = "ANY_UPDATED", between: int = 0, wait: int = 0) -> Entry:
    settings = {"table_names": list(names), "condition": condition}
    return Entry("table_update.0", "table_update", settings, between, wait)


def test_a_new_file_fires_once_and_the_files_of_before_do_not(desk: Desk) -> None:
    desk.put("old.csv")
    desk.open(files())
    assert desk.wait(2) == []
    desk.put("new.csv")
    (fired,) = desk.wait(3)
    assert fired.facts == {"location": "/Volumes/main/default/landing", "count": 1, "files": ["new.csv"]}


def test_a_file_that_is_written_over_is_not_new(desk: Desk) -> None:
    desk.put("a.csv")
    desk.open(files())
    desk.put("a.csv", "other")
    assert desk.wait(3) == []


def test_files_in_folders_below_count_also_in_folders_made_later(desk: Desk) -> None:
    desk.open(files())
    assert desk.wait() == []
    desk.put("2026/11/a.csv")
    (fired,) = desk.wait(2)
    assert fired.facts["files"] == ["2026/11/a.csv"]


def test_a_name_is_new_again_when_its_file_was_gone_for_a_while(desk: Desk) -> None:
    desk.put("daily.csv")
    desk.open(files())
    place = desk.settings.volumes / "main/default/landing/daily.csv"
    place.unlink()
    desk.wait(2)
    desk.put("daily.csv")
    assert desk.wait(2) == []
    place.unlink()
    desk.wait(190)
    desk.put("daily.csv")
    assert len(desk.wait(3)) == 1


def test_a_folder_that_is_away_for_a_while_has_no_new_files_when_it_is_back(desk: Desk) -> None:
    desk.put("a.csv")
    desk.open(files())
    landing = desk.settings.volumes / "main/default/landing"
    landing.rename(landing.with_name("away"))
    assert desk.wait(200) == []
    landing.with_name("away").rename(landing)
    assert desk.wait(3) == []


def test_a_restart_loses_no_file_and_tells_none_twice(desk: Desk) -> None:
    desk.open(files())
    desk.put("a.csv")
    assert len(desk.wait(2)) == 1
    desk.store.settle([desk.told[0].firing])
    desk.put("b.csv")
    assert desk.open(files()) == []
    (fired,) = desk.wait(2)
    assert fired.facts["files"] == ["b.csv"]


def test_a_firing_that_airflow_does_not_have_is_told_again_after_a_restart(desk: Desk) -> None:
    desk.open(files())
    desk.put("a.csv")
    (fired,) = desk.wait(2)
    assert [again.firing for again in desk.open(files())] == [fired.firing]
    desk.store.settle([fired.firing])
    assert desk.open(files()) == []
    assert desk.wait(3) == []


def test_what_comes_while_the_trigger_is_paused_starts_nothing(desk: Desk) -> None:
    desk.open(files())
    assert desk.watch is not None
    desk.watch.close(desk.now)
    desk.put("while_paused.csv")
    desk.now += 3
    desk.open(files())
    assert desk.wait(2) == []
    desk.put("later.csv")
    assert [fired.facts["files"] for fired in desk.wait(2)] == [["later.csv"]]


def test_an_edit_of_the_timers_keeps_what_is_known_and_what_waits(desk: Desk) -> None:
    desk.put("old.csv")
    desk.open(files(wait=300))
    desk.put("new.csv")
    assert desk.wait(5) == []
    assert desk.watch is not None
    desk.watch.close(desk.now)
    desk.open(files())
    assert [fired.facts["files"] for fired in desk.wait(2)] == [["new.csv"]]


def test_an_edit_whose_old_watch_ends_late_is_no_pause(desk: Desk) -> None:
    desk.open(files(wait=300))
    before = desk.watch
    desk.put("new.csv")
    desk.open(files())
    assert before is not None
    before.close(desk.now)
    desk.now += 60
    assert len(desk.wait(2)) == 1
    desk.store.settle([desk.told[0].firing])
    assert desk.open(files()) == []
    assert desk.wait(2) == []


def test_another_place_begins_with_what_is_there(desk: Desk, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "there.csv").write_text("x")
    desk.open(files())
    desk.open(files(url=f"file:{other}"))
    assert desk.wait(2) == []
    (other / "new.csv").write_text("x")
    assert [fired.facts["files"] for fired in desk.wait(2)] == [["new.csv"]]


def test_a_place_of_fsspec_is_watched_too(desk: Desk) -> None:
    import fsspec

    system = fsspec.filesystem("memory")
    system.pipe("/bucket/landing/old.csv", b"x")
    desk.open(files(url="memory://bucket/landing"))
    assert desk.wait(6) == []
    system.pipe("/bucket/landing/deep/new.csv", b"x")
    assert [fired.facts["files"] for fired in desk.wait(11)] == [["deep/new.csv"]]


@pytest.mark.parametrize(("url", "package"), [("s3://b/x", "s3fs"), ("abfss://c@a.example/x", "adlfs")], ids=str)
def test_a_store_without_driver_names_the_package(desk: Desk, url: str, package: str) -> None:
    desk.open(files(url=url))
    assert desk.wait(1) == []
    (told,) = shown(state_file(desk.settings.home), DAG).entries.values()
    assert package in told[0]["problem"]


def test_a_hundred_thousand_files_are_listed_at_once_and_looked_at_for_nothing(desk: Desk) -> None:
    landing = desk.settings.volumes / "main/default/landing"
    landing.mkdir(parents=True)
    seed = landing / "0.csv"
    seed.write_text("")
    for number in range(1, 100_000):
        os.link(seed, landing / f"{number}.csv") if number % 60_000 else seed.touch()
        if number % 30_000 == 0:
            seed = landing / f"seed{number}.csv"
            seed.write_text("")
    os.utime(landing, (desk.now - 60, desk.now - 60))
    begun = time.perf_counter()
    desk.open(files())
    opened = time.perf_counter() - begun
    begun = time.process_time()
    assert desk.wait(50) == []
    assert time.process_time() - begun < 1
    assert opened < 20
    desk.put("one_more.csv")
    assert len(desk.wait(30)) == 1
    desk.store.settle([desk.told[0].firing])
    desk.open(files())
    assert desk.wait(2) == []


TIMERS = [
    pytest.param(Timers(), 100, None, 100, id="no timers"),
    pytest.param(Timers(between=60), 100, None, 100, id="first firing needs no interval"),
    pytest.param(Timers(between=60), 100, 90, 150, id="interval since the last firing"),
    pytest.param(Timers(between=60), 200, 90, 200, id="interval is over"),
    pytest.param(Timers(wait=60), 100, 90, 160, id="quiet time after the change"),
    pytest.param(Timers(60, 30), 100, 90, 180, id="first the interval, then the quiet time"),
    pytest.param(Timers(60, 30), 200, 90, 230, id="a change after the interval starts the quiet time anew"),
]


@pytest.mark.parametrize(("timers", "changed", "fired", "at"), TIMERS)
def test_timers(timers: Timers, changed: float, fired: float | None, at: float) -> None:
    assert timers.fire_at(changed, fired) == at


def test_a_burst_gives_one_run_after_the_quiet_time(desk: Desk) -> None:
    desk.open(tables("main.silver.a", wait=60))
    for _ in range(5):
        desk.commit("main.silver.a")
        assert desk.wait(40) == []
    assert desk.wait(19) == []
    (fired,) = desk.wait(5)
    assert fired.facts["tables"]["main.silver.a"]["version"] == 4
    assert desk.wait(200) == []


def test_firings_keep_their_distance_over_days(desk: Desk) -> None:
    desk.open(tables("main.silver.a", between=3600))
    begun = desk.now
    for _ in range(48 * 4):
        desk.commit("main.silver.a")
        for _ in range(3):
            desk.now += 299
            desk.wait()
    times = [fired.at - begun for fired in desk.told]
    assert 46 <= len(times) <= 49
    assert all(later - earlier >= 3600 for earlier, later in pairwise(times))


def test_commits_of_before_start_nothing_and_the_next_one_does(desk: Desk) -> None:
    desk.commit("main.silver.a")
    desk.open(tables("Main.Silver.A"))
    assert desk.wait(2) == []
    desk.commit("main.silver.a")
    (fired,) = desk.wait()
    assert fired.facts == {
        "tables": {"main.silver.a": {"version": 1, "commit_timestamp": "2023-11-14T22:13:20+00:00", "own": False}}
    }


@pytest.mark.parametrize(
    ("data", "operation"),
    [(False, "OPTIMIZE"), (True, "VACUUM START"), (False, "SET TBLPROPERTIES")],
    ids=["optimize", "vacuum", "properties"],
)
def test_a_commit_that_changes_no_data_starts_nothing(desk: Desk, data: bool, operation: str) -> None:
    desk.commit("main.silver.a")
    desk.open(tables("main.silver.a"))
    desk.commit("main.silver.a", data=data, operation=operation)
    assert desk.wait(3) == []
    desk.commit("main.silver.a")
    assert [fired.facts["tables"]["main.silver.a"]["version"] for fired in desk.wait()] == [2]


def test_looks_at_a_table_list_no_folder(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.commit("main.silver.a")
    desk.open(tables("main.silver.a"))
    listed: list[Any] = []
    scan = os.scandir
    monkeypatch.setattr(os, "scandir", lambda *place: (listed.append(place), scan(*place))[1])
    for version in (1, 2, 3):
        desk.commit("main.silver.a", version=version)
        assert len(desk.wait(15)) == 1
    assert listed == []


def test_a_table_that_does_not_exist_yet_is_watched(desk: Desk) -> None:
    desk.open(tables("main.silver.later"))
    assert desk.wait(2) == []
    desk.commit("main.silver.later")
    assert len(desk.wait()) == 1


def test_all_updated_waits_for_every_table_and_then_starts_over(desk: Desk) -> None:
    desk.open(tables("main.silver.a", "main.silver.b", condition="ALL_UPDATED"))
    desk.commit("main.silver.a")
    desk.commit("main.silver.a")
    assert desk.wait(5) == []
    desk.commit("main.silver.b")
    (fired,) = desk.wait()
    assert {name: told["version"] for name, told in fired.facts["tables"].items()} == {
        "main.silver.a": 1,
        "main.silver.b": 0,
    }
    desk.commit("main.silver.b")
    assert desk.wait(5) == []


def test_all_updated_remembers_the_first_table_over_a_restart(desk: Desk) -> None:
    both = tables("main.silver.a", "main.silver.b", condition="ALL_UPDATED")
    desk.open(both)
    desk.commit("main.silver.a")
    assert desk.wait(3) == []
    desk.open(both)
    desk.commit("main.silver.b")
    assert len(desk.wait()) == 1


def test_commits_while_the_triggerer_was_down_start_one_run(desk: Desk) -> None:
    desk.open(tables("main.silver.a"))
    desk.commit("main.silver.a")
    desk.commit("main.silver.a")
    desk.open(tables("main.silver.a"))
    (fired,) = desk.wait()
    assert fired.facts["tables"]["main.silver.a"]["version"] == 1


def test_a_table_that_was_made_anew_is_still_watched(desk: Desk) -> None:
    import shutil

    for _ in range(3):
        desk.commit("main.silver.a")
    desk.open(tables("main.silver.a"))
    shutil.rmtree(desk.settings.lake / "main/silver/a")
    assert desk.wait(3) == []
    desk.commit("main.silver.a")
    (fired,) = desk.wait(25)
    assert fired.facts["tables"]["main.silver.a"]["version"] == 0


def test_a_cleaned_up_log_is_no_new_table(desk: Desk) -> None:
    for _ in range(3):
        desk.commit("main.silver.a")
    desk.open(tables("main.silver.a"))
    log = desk.settings.lake / "main/silver/a/_delta_log"
    for version in (7, 8):
        desk.commit("main.silver.a", version=version)
    for version in range(3):
        (log / f"{version:020d}.json").unlink()
    desk.open(tables("main.silver.a"))
    (fired,) = desk.wait()
    assert fired.facts["tables"]["main.silver.a"]["version"] == 8


@pytest.mark.parametrize(
    ("name", "file", "words"),
    [
        pytest.param("main.silver.v", ("v.view.json", "{}"), "is a view", id="view"),
        pytest.param("silver.a", None, "catalog.schema.table", id="two parts"),
        pytest.param("main.silver.x", ("x.table.json", '{"provider": "csv", "location": "/x"}'), "csv", id="csv"),
        pytest.param(
            "main.silver.x", ("x.table.json", '{"provider": "delta", "location": "s3://b/x"}'), "s3://b/x", id="far"
        ),
    ],
)
def test_what_cannot_be_watched_says_why(desk: Desk, name: str, file: tuple[str, str] | None, words: str) -> None:
    schema = desk.settings.lake / "main" / "silver"
    schema.mkdir(parents=True)
    if file:
        (schema / file[0]).write_text(file[1])
    desk.open(tables(name))
    (told,) = shown(state_file(desk.settings.home), DAG).entries.values()
    assert words in told[0]["problem"]


def test_two_triggers_fire_apart_and_say_which(desk: Desk) -> None:
    desk.open(files(), tables("main.silver.a"))
    desk.put("a.csv")
    assert [fired.key for fired in desk.wait(2)] == ["file_arrival.0"]
    desk.commit("main.silver.a")
    assert [fired.key for fired in desk.wait(2)] == ["table_update.0"]


def completion(status: str | None = None) -> Entry:
    jobs = [{"workspace_id": "0", "job_id": job} for job in ("1", "2")]
    settings = {"jobs": jobs} | ({"if_status": status} if status else {})
    return Entry("job_completion.0", "job_completion", settings)


@pytest.mark.parametrize(
    ("status", "states", "fires"),
    [
        pytest.param(None, ("success", "success"), True, id="both succeeded"),
        pytest.param(None, ("success", "failed"), False, id="one failed"),
        pytest.param("FAILED", ("failed", "failed"), True, id="both failed"),
        pytest.param("DONE", ("success", "failed"), True, id="both ended"),
        pytest.param("DONE", ("success", None), False, id="one goes on"),
    ],
)
def test_job_completion(
    desk: Desk,
    monkeypatch: pytest.MonkeyPatch,
    status: str | None,
    states: tuple[str | None, ...],
    fires: bool,
) -> None:
    finder: Callable[..., Callable[[str], str | None]] = lambda *_: {"1": "one", "2": "two"}.get  # noqa: E731
    monkeypatch.setattr("medallion.triggers.sources.completions.job_finder", finder)
    note_end(desk.settings.home, "one", "earlier", "success")
    desk.open(completion(status))
    for dag_id, state in zip(("one", "two"), states, strict=True):
        if state:
            note_end(desk.settings.home, dag_id, "run", state)
    assert bool(desk.wait(2)) is fires
    assert desk.wait(2) == []


def test_a_schedule_with_a_query_is_due_at_its_times_and_makes_up_for_none(desk: Desk) -> None:
    entry = Entry(
        "schedule.0", "schedule", {"quartz_cron_expression": "0 0 * * * ?", "timezone_id": "UTC"}, condition={}
    )
    desk.open(entry)
    desk.now = (desk.now // 3600 + 5) * 3600 - 2
    desk.open(entry)
    assert desk.wait(1) == []
    assert len(desk.wait(3)) == 1
    desk.now += 3590
    assert len(desk.wait(10)) == 1

"""Small databases that are damaged are kept aside with a word, and made anew; the commands that look at them go on."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from medallion.cli import main
from medallion.components.database import local_runs, local_runs_folder
from medallion.components.diagnosis import examine
from medallion.components.places import places_of
from medallion.core.databases import damage, kept_aside, open_database
from medallion.runs.notes import note, read_notes
from medallion.runs.notifications.outbox import Outbox, open_existing
from medallion.runs.progress import Progress
from medallion.runs.records import run_folder
from medallion.settings import Settings
from medallion.triggers.store import Store, shown, state_file

TABLE = "CREATE TABLE IF NOT EXISTS t (a TEXT); CREATE INDEX IF NOT EXISTS i ON t (a);"


def no_database(file: Path) -> None:
    file.write_bytes(b"this is no database at all, but long enough to be taken for one" * 100)


def torn_page(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[4096:8192] = b"\xff" * 4096
    file.write_bytes(bytes(data))


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:5000])


DAMAGES = [pytest.param(no_database, id="no database"), pytest.param(torn_page, id="page"), pytest.param(cut, id="cut")]


def open_table(file: Path) -> sqlite3.Connection:
    return open_database(file, TABLE, seconds=5, synchronous="FULL", autocommit=True)


@pytest.mark.parametrize("harm", DAMAGES)
def test_a_damaged_file_is_kept_aside_and_made_anew(
    tmp_path: Path, harm: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "a.db"
    with closing(open_table(file)) as base:
        base.execute("BEGIN")
        base.executemany("INSERT INTO t VALUES (?)", [(f"row {number}",) for number in range(2000)])
        base.execute("COMMIT")
        base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert damage(file) is None
    harm(file)
    assert damage(file)
    was = file.read_bytes()
    with closing(open_table(file)) as base:
        assert base.execute("SELECT count(*) FROM t").fetchone() == (0,)
    assert damage(file) is None
    [kept] = kept_aside(tmp_path)
    assert kept.read_bytes() == was
    assert "is damaged" in caplog.text
    assert kept.name in caplog.text


def test_a_file_that_is_held_is_not_taken_for_damaged(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    with closing(open_table(file)) as base:
        base.execute("BEGIN EXCLUSIVE")
        base.execute("INSERT INTO t VALUES ('a')")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            open_database(file, TABLE + "INSERT INTO t VALUES ('b');", seconds=0.1, synchronous="FULL", autocommit=True)
    assert kept_aside(tmp_path) == []


def test_each_small_database_comes_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for place in (
        tmp_path / "jobs_service" / "airflow.db",
        tmp_path / "notifications" / "outbox.db",
        state_file(tmp_path),
    ):
        place.parent.mkdir(parents=True)
        no_database(place)
    assert shown(state_file(tmp_path), "d").firings == []
    Progress(tmp_path / "jobs_service" / "airflow.db").close()
    outbox = open_existing(tmp_path)
    assert isinstance(outbox, Outbox)
    assert outbox.waiting() == 0
    outbox.close()
    Store(state_file(tmp_path)).close()
    assert caplog.text.count("is damaged") == 3


def test_notes_that_were_cut_are_not_written_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    note(tmp_path, "d", "r", repairs=[{"id": 1}])
    file = run_folder(tmp_path, "d", "r") / "run.json"
    text = file.read_text()
    file.write_text(text[: len(text) // 2])
    note(tmp_path, "d", "r", canceled={"by": "x"})
    assert read_notes(tmp_path, "d", "r") == {"canceled": {"by": "x"}}
    [kept] = file.parent.glob("run.json.damaged-*")
    assert kept.read_text() == text[: len(text) // 2]
    assert "run.json is damaged" in caplog.text


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    (tmp_path / "medallion.toml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MEDALLION_HOME", raising=False)
    return Settings.load(tmp_path)


def test_status_and_down_live_with_damage_and_doctor_names_it(
    project: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    outbox = project.home / "notifications" / "outbox.db"
    outbox.parent.mkdir(parents=True)
    no_database(outbox)
    markers = local_runs_folder(places_of(project))
    markers.mkdir(parents=True)
    (markers / "1234567_0_elsewhere").write_bytes(b"\xff\xfe\x00")
    (markers / "²_1_h").write_text("x")
    (markers / f"{'9' * 5000}"[:200]).write_text("x")
    (markers / f"{'9' * 100}_1_h").write_text("x")
    (markers / "1_2_folder").mkdir()
    assert [file.name for file in local_runs(places_of(project))] == ["1234567_0_elsewhere"]
    [told] = [item for item in examine(project) if item.matter == "State files"]
    assert (told.verdict, "outbox.db" in told.found) == ("warning", True)
    assert main(["status", "--json"]) == 1  # nothing runs
    assert json.loads(capsys.readouterr().out)["notifications_waiting"] == 0
    assert main(["down"]) == 0
    [told] = [item for item in examine(project) if item.matter == "State files"]
    assert "kept aside" in told.found


def test_the_word_about_damage_reaches_a_terminal() -> None:
    assert logging.lastResort is not None
    assert logging.lastResort.level <= logging.ERROR

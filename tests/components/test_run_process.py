"""The process of `medallion run`: what it leaves for others when it ends."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from desk import Desk

from medallion.components.database import abandon
from medallion.components.run_process import Canceled, Request, marked


def request(folder: Path) -> Request:
    return Request(dag_id="job", dags="", folder="", parallelism=1, markers=str(folder / "local_runs"))


def left(folder: Path) -> list[str]:
    return [file.read_text() for file in (folder / "local_runs").iterdir()]


def test_a_run_that_ended_leaves_no_file(tmp_path: Path) -> None:
    with marked(request(tmp_path)) as marker:
        marker.write_text("job\trun\n")
        assert left(tmp_path) == ["job\trun\n"]
    assert left(tmp_path) == []


@pytest.mark.parametrize("ends", [pytest.param(False, id="goes on"), pytest.param(True, id="is ended")])
def test_the_file_may_be_gone_before_the_process_is(tmp_path: Path, *, ends: bool) -> None:
    def work() -> None:
        with marked(request(tmp_path)) as marker:
            marker.unlink()
            if ends:
                raise Canceled

    if ends:
        with pytest.raises(Canceled):
            work()
    else:
        work()
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("named", "stays"),
    [pytest.param("job\trun\n", ["job\trun\n"], id="of a run"), pytest.param("", [], id="before there is a run")],
)
@pytest.mark.parametrize(
    "error",
    [
        pytest.param(sqlite3.OperationalError("database or disk is full"), id="full disk"),
        pytest.param(Canceled(), id="cancelled"),
    ],
)
def test_an_error_leaves_the_name_of_the_run_for_the_next_start(
    tmp_path: Path, error: BaseException, named: str, stays: list[str]
) -> None:
    def fail() -> None:
        with marked(request(tmp_path)) as marker:
            marker.write_text(named)
            raise error

    with pytest.raises(type(error)):
        fail()
    assert left(tmp_path) == stays


@pytest.mark.airflow
def test_a_run_whose_process_is_gone_has_failed(
    airflow_database: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    desk = Desk(tmp_path)
    monkeypatch.setenv("MEDALLION_PROJECT", str(desk.project))
    dag_id = desk.put("abandoned", continuous={})
    desk.create_due(dag_id)
    desk.start_waiting()
    (run,) = desk.runs(dag_id)
    abandon([f"{dag_id}\t{run.run_id}", "gone\tgone"])
    assert desk.states(dag_id) == ["failed"]
    abandon([f"{dag_id}\t{run.run_id}"])
    assert desk.states(dag_id) == ["failed"]

"""A definition's file name is data: whatever it holds, its DAG file parses, runs nothing of it, and hurts no other."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from medallion.factory import bundle
from medallion.factory.bundle import write_dag_files
from medallion.settings import Settings
from medallion.spec import loading

pytestmark = pytest.mark.airflow
CONDITION = {"op": "EQUAL_TO", "left": "1", "right": "1"}
NAMES = [
    pytest.param(b"caf\xe9.json", id="not UTF-8"),
    pytest.param(b"\xff\xfe/databricks.yml", id="a bundle's folder that is not UTF-8"),
    pytest.param(b"a\\Ndaily.json", id="backslash N"),
    pytest.param(b"nl\nx.json", id="end of line"),
    pytest.param(b"\r\x1b[31m\x07.json", id="control characters"),
    pytest.param(b'q"""\nimport os; os.system("touch pwned")\n"""\'.json', id="Python"),
    pytest.param(b"'''); open('pwned', 'w')  #.json", id="the other quotes"),
    pytest.param(b"{project!r}{0}{{x}}{% x %}.json", id="templates"),
    pytest.param(b"$(touch pwned)`touch pwned`.json", id="shell"),
    pytest.param(b"<script>alert(1)<script>&amp;.json", id="HTML"),
    pytest.param(b"a`b``c.json", id="Markdown"),
    pytest.param((b"\xf0\x9d\x92\x9c" * 60) + b".json", id="long"),
    pytest.param("日次 ETL\u202e.json".encode(), id="other scripts"),
]


def put(folder: Path, name: bytes, text: str | None = None) -> None:
    file = os.fsencode(folder) + b"/" + name
    os.makedirs(os.path.dirname(file), exist_ok=True)  # noqa: PTH103, PTH120  names are bytes
    job = {"name": "odd", "tasks": [{"task_key": "t", "condition_task": CONDITION}]}
    written = {"bundle": {"name": "b"}, "resources": {"jobs": {"j": job}}} if name.endswith(b".yml") else job
    with open(file, "w") as stream:  # noqa: PTH123
        stream.write(json.dumps(written) if text is None else text)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("MEDALLION_PROJECT", str(tmp_path))
    monkeypatch.delenv("MEDALLION_HOME", raising=False)
    monkeypatch.delenv("MEDALLION_JOBS_FOLDER", raising=False)
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "jobs", b"plain.json", json.dumps({"name": "plain", "tasks": []}))
    return Settings.load(tmp_path)


def bag_of(settings: Settings) -> Any:
    from airflow.dag_processing.dagbag import DagBag

    write_dag_files(settings, settings.home / "dags")
    return DagBag(str(settings.home / "dags"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shards", [False, True], ids=["alone", "with others"])
def test_its_dag_file_parses_and_runs_nothing_of_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, airflow_database: None, name: bytes, shards: bool
) -> None:
    monkeypatch.setattr(bundle, "ALONE", 0 if shards else 40)
    put(settings.jobs_folder, name)
    bag = bag_of(settings)
    assert bag.import_errors == {}
    assert set(bag.dags) == {"plain", "odd"}
    text = json.dumps(bag.dags["odd"].doc_md, ensure_ascii=False)
    assert text.encode("utf-8")
    assert bag.dags["odd"].doc_md.split("\n\n")[0].count("`") == 2
    assert not list(settings.project.rglob("pwned"))


def test_a_broken_one_is_told_as_text_and_the_others_go_on(settings: Settings, airflow_database: None) -> None:
    put(settings.jobs_folder, b"bad\xe9.json", '{"tasks": [')
    bag = bag_of(settings)
    assert set(bag.dags) == {"plain"}
    [told] = bag.import_errors.values()
    assert told.encode("utf-8")
    assert "not JSON" in told


def test_a_definition_that_breaks_the_reader_hurts_no_other(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, airflow_database: None
) -> None:
    put(settings.jobs_folder, b"odd.json")
    before = loading.load_json

    def load_json(file: Path) -> Any:
        if file.name == "odd.json":
            raise RuntimeError("a fault")
        return before(file)

    monkeypatch.setattr(loading, "load_json", load_json)
    bag = bag_of(settings)
    assert set(bag.dags) == {"plain"}
    [told] = bag.import_errors.values()
    assert "RuntimeError: a fault" in told
    assert "odd.json' cannot be read" in caplog.text

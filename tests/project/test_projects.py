"""Which project a DAG belongs to: the environment first, then what its DAG file said, never the working directory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from medallion.errors import SettingsError
from medallion.project import projects
from medallion.settings import PROJECT_VARIABLE

JOB = {"name": "job", "tasks": [{"task_key": "a", "notebook_task": {"notebook_path": "/Workspace/n"}}]}


@pytest.fixture(autouse=True)
def airflow_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.delenv(PROJECT_VARIABLE, raising=False)
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setattr(projects, "_here", {})
    yield tmp_path / "airflow"
    assert not list((tmp_path / "elsewhere").iterdir())


def project(folder: Path) -> Path:
    (folder / "jobs").mkdir(parents=True)
    (folder / "jobs" / "job.json").write_text(json.dumps(JOB))
    return folder


def other_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projects, "_here", {})


def test_other_processes_know_whose_a_dag_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    projects.keep(["a", "b"], tmp_path / "one", "one.py")
    projects.keep(["c"], tmp_path / "two", "two.py")
    other_process(monkeypatch)
    assert [projects.project_of(name) for name in ("a", "c", "d")] == [tmp_path / "one", tmp_path / "two", None]
    assert projects.settings_of_dag("c").home == tmp_path / "two" / ".medallion"
    assert projects.projects() == [tmp_path / "one", tmp_path / "two"]


def test_a_dag_of_no_project_is_told_in_words() -> None:
    with pytest.raises(SettingsError, match="no project is known for the DAG d; set MEDALLION_PROJECT"):
        projects.settings_of_dag("d")
    with pytest.raises(SettingsError, match=r"elsewhere is no project; name one with MEDALLION_PROJECT"):
        projects.project_here()


def test_the_environment_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, airflow_home: Path) -> None:
    projects.keep(["a"], tmp_path / "one", "f.py")
    monkeypatch.setenv(PROJECT_VARIABLE, str(tmp_path / "two"))
    projects.keep(["b"], tmp_path / "one", "f.py")
    assert projects.settings_of_dag("a").project == projects.project_here() == tmp_path / "two"
    assert json.loads((airflow_home / projects.FILE).read_text()) == {"a": [str(tmp_path / "one"), "f.py"]}


def test_a_dag_file_without_a_project_is_for_the_nearest_above_it(tmp_path: Path) -> None:
    (tmp_path / "medallion.toml").touch()
    assert projects.project_here(str(tmp_path / "dags" / "deep" / "file.py")) == tmp_path
    (tmp_path / "medallion.toml").unlink()


def test_a_dag_belongs_to_one_project_while_that_defines_it(tmp_path: Path) -> None:
    one, two = project(tmp_path / "one"), project(tmp_path / "two")
    (tmp_path / "dags").mkdir()
    first, second = (str(tmp_path / "dags" / name) for name in ("one.py", "two.py"))
    Path(first).touch()
    projects.keep(["job"], one, first)
    assert projects.taken(["job", "other"], two, second) == {"job": one}
    assert projects.taken(["job"], one, first) == {}
    assert projects.taken(["job"], two, str(tmp_path / "another folder" / "two.py")) == {}
    (one / "jobs" / "job.json").unlink()
    assert projects.taken(["job"], two, second) == {}


@pytest.mark.parametrize("damage", ["", "{", "[]", "null", '{"a": 1}'])
def test_a_damaged_file_is_written_again(airflow_home: Path, tmp_path: Path, damage: str) -> None:
    airflow_home.mkdir()
    (airflow_home / projects.FILE).write_text(damage)
    assert projects.project_of("b") is None
    projects.keep(["b"], tmp_path, "f.py")
    assert json.loads((airflow_home / projects.FILE).read_text()) == {"b": [str(tmp_path), "f.py"]}

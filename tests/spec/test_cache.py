"""The cache gives what loading gives, sees every change, and finds a job without looking at the others."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from medallion.settings import Settings
from medallion.spec import cache as module
from medallion.spec.cache import JobCache
from medallion.spec.loading import load

SETTINGS = {"name": "j", "tasks": [{"task_key": "a", "run_if": "NONE", "notebook_task": {"notebook_path": "/n"}}]}
BUNDLE = (
    "bundle: {name: b}\nresources: {jobs: {k: {name: k, tasks: [{task_key: a, notebook_task: {notebook_path: /n}}]}}}\n"
)


@pytest.fixture
def project(tmp_path: Path) -> Settings:
    """Settings of an empty project."""
    (tmp_path / "jobs").mkdir()
    return Settings.load(tmp_path, environ={})


def put(file: Path, content: object, *, age: float = 10) -> Path:
    """Writes a file that was changed so many seconds ago."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    changed = time.time() - age
    os.utime(file, (changed, changed))
    os.utime(file.parent, (changed, changed))
    return file


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The paths that were really loaded."""
    seen: list[Path] = []

    def counted(path: Path, **options: Any) -> Any:
        seen.append(path)
        return load(path, **options)

    monkeypatch.setattr("medallion.spec.loading.load", counted)
    return seen


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(SETTINGS, id="job"),
        pytest.param(SETTINGS | {"max_concurrent_runs": "x"}, id="job with an error"),
        pytest.param({"job_id": 5, "settings": SETTINGS | {"unknown": {"a": [None]}}}, id="envelope"),
        pytest.param({"resources": {"jobs": {"a": SETTINGS, "b": SETTINGS}, "pipelines": {"p": {}}}}, id="resources"),
        pytest.param("{", id="no JSON"),
    ],
)
def test_what_comes_from_memory_and_from_disk_is_what_loading_gives(
    project: Settings, loads: list[Path], content: object
) -> None:
    file = put(project.jobs_folder / "j.json", content)
    first = JobCache(project)
    assert first.load(file) == load(file)
    assert first.load(file) is first.load(file)
    assert JobCache(project).load(file) == load(file)
    assert loads == [file]


def test_lookups_of_the_settings_give_ids_and_a_change_of_them_counts(project: Settings) -> None:
    folder = project.jobs_folder / "b"
    text = "variables: {w: {lookup: {cluster: Shared}}}\n" + BUNDLE.replace("name: k", "name: 'k-${var.w}'")
    put(folder / "databricks.yml", text)
    (problem,) = JobCache(project).load(folder).errors
    assert "[lookups.cluster] in medallion.toml" in str(problem.hint)
    for number in ("1", "2"):
        settings = project.model_copy(update={"lookups": {"cluster": {"Shared": number}}})
        (definition,) = JobCache(settings).load(folder).jobs
        assert definition.job.name == f"k-{number}"


def test_a_bundle_is_kept_until_one_of_its_files_changes(project: Settings, loads: list[Path]) -> None:
    folder = project.jobs_folder / "b"
    root = put(folder / "databricks.yml", BUNDLE)
    assert JobCache(project).load(folder) == JobCache(project).load(folder) == load(folder)
    assert len(loads) == 1
    put(root, BUNDLE.replace("name: k", "name: l"), age=5)
    (definition,) = JobCache(project).load(folder).jobs
    assert definition.job.name == "l"


def test_an_error_of_a_bundle_goes_when_the_missing_file_comes(project: Settings) -> None:
    folder = project.jobs_folder / "b"
    put(folder / "databricks.yml", BUNDLE.replace("/n}", "./n.py}"))
    (problem,) = JobCache(project).load(folder).errors
    assert "n.py not found" in problem.message
    put(folder / "n.py", "1")
    (problem,) = JobCache(project).load(folder).errors
    assert "expected a notebook" in problem.message
    put(folder / "n.py", "# Databricks notebook source")
    assert JobCache(project).load(folder).errors == ()


@pytest.mark.parametrize("same_size", [True, False])
def test_a_changed_file_is_read_again(project: Settings, same_size: bool) -> None:
    file = put(project.jobs_folder / "j.json", SETTINGS)
    cache = JobCache(project)
    cache.load(file)
    put(file, SETTINGS | {"name": "k" if same_size else "longer"}, age=5)
    for again in (cache, JobCache(project)):
        assert again.load(file).jobs[0].job.name in {"k", "longer"}


def test_a_removed_file_is_missing(project: Settings) -> None:
    file = put(project.jobs_folder / "j.json", SETTINGS)
    cache = JobCache(project)
    cache.load(file)
    file.unlink()
    assert cache.load(file).jobs == ()
    assert JobCache(project).load(file).errors[0].message == "there is no such file"


def test_a_file_that_has_just_changed_is_not_kept_on_disk(project: Settings, loads: list[Path]) -> None:
    file = put(project.jobs_folder / "j.json", SETTINGS, age=0)
    JobCache(project).load(file)
    JobCache(project).load(file)
    assert len(loads) == 2


def test_another_target_user_or_variable_is_another_answer(
    project: Settings, loads: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = project.jobs_folder / "b"
    put(folder / "databricks.yml", BUNDLE)
    JobCache(project).load(folder)
    JobCache(project.model_copy(update={"user": "another"})).load(folder)
    monkeypatch.setenv("BUNDLE_VAR_x", "1")
    JobCache(project).load(folder)
    assert len(loads) == 3


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"context": 1}', "null", "\x00" * 100])
def test_damaged_cache_files_are_passed_over_and_replaced(project: Settings, damage: str) -> None:
    file = put(project.jobs_folder / "j.json", SETTINGS)
    cache = JobCache(project)
    cache.load(file)
    kept = list(cache.folder.rglob("*.json"))
    assert len(kept) == 1
    for place in kept:
        place.write_text(damage, encoding="utf-8")
    assert JobCache(project).load(file) == load(file)
    assert kept[0].read_text(encoding="utf-8") != damage


def test_what_another_version_wrote_is_passed_over(
    project: Settings, loads: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = put(project.jobs_folder / "j.json", SETTINGS)
    JobCache(project).load(file)
    monkeypatch.setattr(module, "PROGRAM_STATE", "another version")
    JobCache(project).load(file)
    assert len(loads) == 2


def test_only_the_user_can_read_the_cache(project: Settings) -> None:
    file = put(project.jobs_folder / "j.json", SETTINGS)
    cache = JobCache(project)
    cache.load(file)
    assert {place.stat().st_mode & 0o777 for place in cache.folder.rglob("*.json")} == {0o600}
    assert not list(cache.folder.rglob("*.part"))


def test_a_home_that_cannot_be_written_to_stops_nothing(project: Settings) -> None:
    file = put(project.jobs_folder / "j.json", SETTINGS)
    project.home.write_text("a file, not a folder", encoding="utf-8")
    assert JobCache(project).load(file) == load(file)

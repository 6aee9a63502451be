"""The cache gives what loading gives, sees every change, and finds a job without looking at the others."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

from medallion.settings import Settings
from medallion.spec import cache as module
from medallion.spec.cache import JobCache
from medallion.spec.loading import discover, load

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
    text = "variables: {w: {lookup: {warehouse: Shared}}}\n" + BUNDLE.replace("name: k", "name: 'k-${var.w}'")
    put(folder / "databricks.yml", text)
    (problem,) = JobCache(project).load(folder).errors
    assert "[lookups.warehouse] in medallion.toml" in str(problem.hint)
    for number in ("1", "2"):
        settings = project.model_copy(update={"lookups": {"warehouse": {"Shared": number}}})
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


def test_a_job_is_found_by_its_name_without_looking_at_the_others(project: Settings, loads: list[Path]) -> None:
    files = [put(project.jobs_folder / f"{n}.json", SETTINGS | {"name": f"job {n}"}) for n in range(5)]
    assert JobCache(project).find("job 3") == ()
    for file in files:
        JobCache(project, slug).load(file)
    loads.clear()
    assert JobCache(project).find("job 3") == (files[3],)
    assert JobCache(project, slug).find("job_3") == (files[3],)
    assert JobCache(project).find("job 3", files[:2]) == ()
    assert loads == []


def slug(name: str) -> str:
    return re.sub(r"\W", "_", name)


def test_a_job_that_was_renamed_or_removed_is_not_found_by_its_old_name(project: Settings) -> None:
    file = put(project.jobs_folder / "j.json", SETTINGS)
    JobCache(project).load(file)
    put(file, SETTINGS | {"name": "new"}, age=5)
    assert JobCache(project).find("j") == ()
    assert JobCache(project).find("new") == (file,)
    file.unlink()
    assert JobCache(project).find("new") == ()


def test_two_definitions_of_one_name_are_both_found(project: Settings) -> None:
    files = {put(project.jobs_folder / name, SETTINGS) for name in ("a.json", "b.json")}
    for file in files:
        JobCache(project).load(file)
    assert set(JobCache(project).find("j")) == files


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"context": 1}', "null", "\x00" * 100])
def test_damaged_cache_files_are_passed_over_and_replaced(project: Settings, damage: str) -> None:
    file = put(project.jobs_folder / "j.json", SETTINGS)
    cache = JobCache(project)
    cache.load(file)
    kept = list(cache.folder.rglob("*.json"))
    assert len(kept) == 2
    for place in kept:
        place.write_text(damage, encoding="utf-8")
    assert JobCache(project).find("j") == ()
    assert JobCache(project).load(file) == load(file)
    assert JobCache(project).find("j") == (file,)


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


def test_finding_one_of_a_thousand_jobs_takes_milliseconds(project: Settings) -> None:
    for number in range(1000):
        put(project.jobs_folder / f"{number}.json", SETTINGS | {"name": f"job_{number}"})
    cache = JobCache(project)
    for path in discover(project.jobs_folder):
        cache.load(path)

    def timed() -> float:
        start = time.process_time()
        assert len(JobCache(project).find("job_777")) == 1
        return time.process_time() - start

    assert min(timed() for _ in range(5)) < 0.02

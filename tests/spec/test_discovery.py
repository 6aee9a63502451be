"""Finding definitions below a folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from medallion.spec.discovery import discover


def put(folder: Path, name: str, content: str = '{"tasks": []}') -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="utf-8")
    return file


def found(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in discover(folder)]


@pytest.mark.parametrize(
    ("content", "is_job"),
    [
        pytest.param('{"name": "a", "tasks": []}', True, id="settings"),
        pytest.param('{"job_id": 1, "settings": {}}', True, id="answer of GET"),
        pytest.param('{"resources": {}}', True, id="resources"),
        pytest.param('{"tasks": [', True, id="broken"),
        pytest.param("", True, id="empty"),
        pytest.param('{"name": "package", "version": "1"}', False, id="object of another kind"),
        pytest.param('[{"tasks": []}]', False, id="list"),
        pytest.param('{"id": 1}\n', False, id="a row of data"),
        pytest.param('{"id": 1\n{"id": 2}\n{"id": 3}\n', False, id="rows of data, the first one bad"),
        pytest.param('{\n "tasks": [\n  {"task_key": "a"}\n {}\n]', True, id="broken over lines"),
        pytest.param('{"tasks": []} x', True, id="more after the job"),
    ],
)
def test_json_files_that_are_jobs_or_cannot_be_parsed_are_found(tmp_path: Path, content: str, is_job: bool) -> None:
    put(tmp_path, "sub/some.json", content)
    assert found(tmp_path) == (["sub/some.json"] if is_job else [])


@pytest.mark.parametrize(
    ("content", "is_job"),
    [
        pytest.param("resources:\n  jobs:\n    a: {tasks: []}\n", True, id="jobs"),
        pytest.param('{"resources": {"jobs": {"a": {}}}}', False, id="JSON in one line is no YAML file of ours"),
        pytest.param("resources: {jobs: {a: {tasks: []}}}\n", True, id="in braces"),
        pytest.param("resources:\n  jobs:\n\t- [", True, id="broken"),
        pytest.param("resources:\n  - jobs: a\n", False, id="kustomization"),
        pytest.param("resources:\n  requests: {cpu: 1}\n  jobs: 3\n", False, id="jobs are a number"),
        pytest.param("x:\n  resources:\n    jobs: {a: 1}\n", False, id="deeper"),
        pytest.param("bundle: {name: b}\n", False, id="another file"),
    ],
)
@pytest.mark.parametrize("suffix", ["yml", "YAML"])
def test_yaml_files_that_hold_jobs_are_found(tmp_path: Path, content: str, is_job: bool, suffix: str) -> None:
    put(tmp_path, f"sub/some.{suffix}", content)
    assert found(tmp_path) == ([f"sub/some.{suffix}"] if is_job else [])


def test_a_bundle_is_one_definition_and_nothing_below_it_is(tmp_path: Path) -> None:
    put(tmp_path, "b/databricks.yml", "bundle: {name: b}")
    put(tmp_path, "b/resources/job.json")
    put(tmp_path, "b/inner/databricks.yml", "bundle: {name: inner}")
    put(tmp_path, "a.json")
    assert found(tmp_path) == ["a.json", "b"]


def test_a_folder_that_is_a_bundle_is_its_only_definition(tmp_path: Path) -> None:
    put(tmp_path, "bundle.yaml", "bundle: {name: b}")
    put(tmp_path, "a.json")
    assert discover(tmp_path) == (tmp_path,)


def test_hidden_folders_and_other_files_are_passed_over(tmp_path: Path) -> None:
    for name in (".medallion/run.json", ".git/a.json", ".hidden.json", "node_modules/a.json", "notes.txt", "job.yml"):
        put(tmp_path, name)
    assert found(tmp_path) == []


def test_links_are_followed_and_circles_end(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    put(elsewhere, "a.json")
    jobs = tmp_path / "jobs"
    jobs.mkdir()
    (jobs / "linked").symlink_to(elsewhere)
    (jobs / "circle").symlink_to(jobs)
    (jobs / "nowhere.json").symlink_to(tmp_path / "missing")
    assert found(jobs) == ["linked/a.json"]


def test_a_pipe_and_a_folder_named_like_a_job_do_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    put(tmp_path, "folder.json/a.json")
    assert found(tmp_path) == ["folder.json/a.json"]


def test_a_file_that_becomes_a_job_is_found_the_next_time(tmp_path: Path) -> None:
    put(tmp_path, "a.json", '{"x": 1}')
    assert found(tmp_path) == []
    put(tmp_path, "a.json")
    assert found(tmp_path) == ["a.json"]


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert discover(tmp_path / "nowhere") == ()

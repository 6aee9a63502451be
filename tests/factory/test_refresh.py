"""The refresh of the DAG bundle: without a change it only looks, and it sees every change there may be."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medallion.core import file_states
from medallion.factory import bundle as module
from medallion.factory.bundle import JobsDagBundle
from medallion.factory.version_dags import Going
from medallion.settings import Settings

pytestmark = pytest.mark.airflow

ASK = {"task_key": "a", "condition_task": {"op": "EQUAL_TO", "left": "1", "right": "1"}}
BUNDLE = """
bundle: {name: b}
include: [resources/*.yml]
variables: {word: {default: one}}
resources: {jobs: {k: {name: k, description: "${var.word}", tasks: [{task_key: a, notebook_task: {notebook_path: ./n.py}}]}}}
"""


def put(file: Path, content: object) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return file


def job(name: str, **extra: Any) -> dict[str, Any]:
    return {"name": name, "tasks": [ASK], **extra}


class Refreshed:
    """A bundle of a project of two jobs and an asset bundle, and how often it went by the definitions."""

    def __init__(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.jobs = project / "jobs"
        put(self.jobs / "one.json", job("one"))
        put(self.jobs / "deep" / "two.json", job("two"))
        put(self.jobs / "b" / "databricks.yml", BUNDLE)
        put(self.jobs / "b" / "n.py", "# Databricks notebook source\n")
        (self.jobs / "b" / "resources").mkdir()
        self.settings = Settings.load(project, environ={})
        self.bundle = JobsDagBundle(name="jobs", project=str(project))
        self.going, self.count = Going(), 0
        write = module.write_dag_files

        def counted(*given: Any) -> Any:
            self.count += 1
            return write(*given)

        monkeypatch.setattr(module, "write_dag_files", counted)
        monkeypatch.setattr(module, "look_at_runs", lambda *_: self.going)

    @property
    def texts(self) -> dict[str, str]:
        """The DAG files."""
        return {file.name: file.read_text() for file in self.bundle.living.glob("*.py") if file.is_file()}

    def refresh(self) -> bool:
        """Refresh; whether the definitions were gone by."""
        before = self.count
        self.bundle.refresh()
        return self.count > before


@pytest.fixture
def refreshed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, airflow_database: None) -> Refreshed:
    # The clock of a test's disk is that of its edits, and no other program edits its files.
    monkeypatch.setattr(file_states, "TICK_SECONDS", -60.0)
    return Refreshed(tmp_path, monkeypatch)


def test_without_a_change_only_states_are_looked_at(refreshed: Refreshed) -> None:
    assert refreshed.refresh()
    texts, version = refreshed.texts, refreshed.bundle.get_current_version().version
    assert len(texts) == 3
    assert not refreshed.refresh()
    assert (refreshed.texts, refreshed.bundle.get_current_version().version) == (texts, version)


def back_in_time(refreshed: Refreshed) -> None:
    file = refreshed.jobs / "one.json"
    before = file.stat()
    while file.stat().st_ctime_ns == before.st_ctime_ns:
        put(file, job("eno"))
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


CHANGES: dict[str, Callable[[Refreshed], object]] = {
    "an edit": lambda it: put(it.jobs / "one.json", job("one", description="new")),
    "an edit of the same size with its time set back": back_in_time,
    "a new job": lambda it: put(it.jobs / "three.json", job("three")),
    "a new job in a folder": lambda it: put(it.jobs / "deep" / "three.json", job("three")),
    "a new folder with a job": lambda it: put(it.jobs / "new" / "three.json", job("three")),
    "a job that is deleted": lambda it: (it.jobs / "deep" / "two.json").unlink(),
    "a job that is wrong": lambda it: put(it.jobs / "one.json", "{"),
    "a folder that becomes a bundle": lambda it: put(it.jobs / "deep" / "databricks.yml", "bundle: {name: c}"),
    "a file that a bundle includes": lambda it: put(
        it.jobs / "b" / "resources" / "r.yml", "variables: {v: {default: 1}}"
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_of_the_definitions_is_seen(refreshed: Refreshed, change: Callable[[Refreshed], object]) -> None:
    refreshed.refresh()
    texts, version = refreshed.texts, refreshed.bundle.get_current_version().version
    change(refreshed)
    assert refreshed.refresh()
    assert refreshed.texts != texts
    assert refreshed.bundle.get_current_version().version != version
    assert not refreshed.refresh()


SPOILT: dict[str, Callable[[Refreshed], object]] = {
    "a DAG file that is deleted": lambda it: next(it.bundle.living.glob("one*.py")).unlink(),
    "a DAG file that is edited": lambda it: put(next(it.bundle.living.glob("one*.py")), "1 / 0"),
    "a file of somebody else": lambda it: put(it.bundle.living / "other.py", "1 / 0"),
    "a file for runs' versions that is deleted": lambda it: next(
        (it.settings.home / "dags_of_versions").glob("one*")
    ).unlink(),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT.keys())
def test_what_was_written_is_put_right(refreshed: Refreshed, spoil: Callable[[Refreshed], object]) -> None:
    refreshed.refresh()
    texts = refreshed.texts
    spoil(refreshed)
    assert refreshed.refresh()
    assert refreshed.texts == texts
    assert next((refreshed.settings.home / "dags_of_versions").glob("one*")).is_file()


def test_runs_that_go_on_and_the_environment_count(refreshed: Refreshed, monkeypatch: pytest.MonkeyPatch) -> None:
    refreshed.refresh()
    refreshed.going = Going({"one": "0" * 20})
    assert refreshed.refresh()
    assert not refreshed.refresh()
    texts = refreshed.texts
    monkeypatch.setenv("BUNDLE_VAR_word", "two")
    assert refreshed.refresh()
    monkeypatch.setenv("MEDALLION_EXTRA_JOBS", str(put(refreshed.settings.project / "x.json", job("extra"))))
    assert refreshed.refresh()
    assert len(refreshed.texts) == len(texts) + 1


def test_what_changed_just_before_a_refresh_is_looked_at_again(
    refreshed: Refreshed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_states, "TICK_SECONDS", 1.0)
    assert refreshed.refresh()
    assert refreshed.refresh(), "its files were written a moment ago, and may change once more in the same tick"
    later = time.time_ns() + int(5e9)
    monkeypatch.setattr(file_states.time, "time_ns", lambda: later)
    monkeypatch.setattr(module.time, "time_ns", lambda: later)
    assert refreshed.refresh()
    assert not refreshed.refresh()


def test_a_dag_file_that_could_not_be_written_is_written_when_it_can(refreshed: Refreshed) -> None:
    refreshed.refresh()
    (name,) = (name for name in refreshed.texts if name.startswith("one"))
    place = refreshed.bundle.living / name
    place.unlink()
    place.mkdir()  # a folder in its place, as a full disk or a right that is missing would be
    assert refreshed.refresh()
    assert refreshed.refresh(), "until it is written"
    place.rmdir()
    assert refreshed.refresh()
    assert name in refreshed.texts
    assert not refreshed.refresh()


def test_a_notebook_that_was_missing_takes_its_error_away(refreshed: Refreshed) -> None:
    notebook = refreshed.jobs / "b" / "n.py"
    notebook.unlink()
    refreshed.refresh()
    texts = refreshed.texts
    put(notebook, "# Databricks notebook source\n")
    assert refreshed.refresh()
    assert refreshed.texts != texts, "the DAG file changes, so Airflow parses it again and drops its import error"

"""Versions of jobs by content: what is kept, under which name, and what is thrown away."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medallion.project.versions import FRESH_SECONDS, VersionStore, current_version, is_name, version_of
from medallion.settings import Settings
from medallion.spec.cache import JobCache
from medallion.spec.definition import JobDefinition
from medallion.spec.loading import load

TASK = {"task_key": "a", "notebook_task": {"notebook_path": "n"}}
JOB = {
    "name": "Отчёт 日次",
    "tasks": [
        TASK,
        {"task_key": "b", "depends_on": [{"task_key": "a"}], **TASK, "timeout_seconds": 7} | {"task_key": "b"},
    ],
    "job_clusters": [{"job_cluster_key": "c", "new_cluster": {"spark_version": "x", "num_workers": 2}}],
    "parameters": [{"name": "p", "default": "1"}],
    "email_notifications": {"on_failure": ["a@example.com"]},
    "timeout_seconds": 60,
}


def definition(folder: Path, **changes: Any) -> JobDefinition:
    (folder / "n.py").write_text("# Databricks notebook source\n1")
    (folder / "job.json").write_text(json.dumps({**JOB, **changes}))
    return load(folder / "job.json").require()[0]


def test_a_version_comes_back_as_it_went(tmp_path: Path) -> None:
    kept = version_of("dag", replace(definition(tmp_path), job_id=7, deployed="/Workspace/x"))
    VersionStore(tmp_path / "home").put(kept)
    (tmp_path / "job.json").unlink()
    found = VersionStore(tmp_path / "home").get(kept.name)
    assert found == kept
    assert found is not None
    assert found.definition.beside is not None


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"timeout_seconds": 61}, False),
        ({"email_notifications": {"on_failure": ["b@example.com"]}}, False),
        ({"parameters": [{"name": "p", "default": "2"}]}, False),
        ({"tasks": [TASK]}, False),
        ({"description": "new"}, False),
    ],
    ids=["nothing", "limit", "recipient", "default", "tasks", "description"],
)
def test_any_change_is_another_version(tmp_path: Path, changes: dict[str, Any], same: bool) -> None:
    before = version_of("dag", definition(tmp_path))
    after = version_of("dag", definition(tmp_path, **changes))
    assert (before.name == after.name) is same
    assert is_name(before.name)


def test_two_jobs_of_one_text_are_two_versions(tmp_path: Path) -> None:
    one = definition(tmp_path)
    assert version_of("dag", one).name != version_of("dag_2", one).name


def test_what_stands_beside_a_job_of_a_bundle_belongs_to_its_version(tmp_path: Path) -> None:
    def bundle(catalog: str) -> str:
        return f"""\
bundle: {{name: b}}
resources:
  pipelines:
    p: {{name: p, catalog: {catalog}, target: s, libraries: [{{file: {{path: p.sql}}}}]}}
  jobs:
    j:
      name: j
      tasks: [{{task_key: a, pipeline_task: {{pipeline_id: "${{resources.pipelines.p.id}}"}}}}]
"""

    (tmp_path / "p.sql").write_text("CREATE MATERIALIZED VIEW v AS SELECT 1 AS a")
    settings = Settings.load(tmp_path, environ={})
    names = []
    for catalog in ("one", "two", "one"):
        (tmp_path / "databricks.yml").write_text(bundle(catalog))
        cache = JobCache(settings)
        (job,) = cache.load(tmp_path).require()
        version = current_version("j", job, cache)
        assert version.definition.beside is not None
        assert version.definition.beside.resources["pipelines"]["p"]["catalog"] == catalog
        names.append(version.name)
    assert names[0] == names[2] != names[1]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"dag_id": "x"}', "null"], ids=["empty", "half", "list", "part", "null"]
)
def test_a_damaged_version_is_none(tmp_path: Path, text: str) -> None:
    store = VersionStore(tmp_path)
    version = version_of("dag", definition(tmp_path))
    store.put(version)
    store.place(version.name).write_text(text)
    assert store.get(version.name) is None


@pytest.mark.parametrize("name", [None, "", "..", "a" * 19, "../../etc/passwd/aaaa", "files-0123456789abcd", "A" * 20])
def test_no_other_text_names_a_version(tmp_path: Path, name: str | None) -> None:
    assert VersionStore(tmp_path).get(name) is None
    assert name is None or not VersionStore(tmp_path).has(name)


def test_what_nobody_needs_is_thrown_away_but_not_what_is_fresh(tmp_path: Path) -> None:
    store = VersionStore(tmp_path)
    versions = [version_of(f"dag_{number}", definition(tmp_path)) for number in range(4)]
    old = time.time() - FRESH_SECONDS - 1
    for version in versions:
        store.put(version)
        os.utime(store.place(version.name), (old, old))
    used, present, asked_for, unused = versions
    store.put(asked_for)  # a parse has just seen it: a run of it may be starting
    assert store.forget({used.name, present.name}) == [unused.name]
    assert [store.has(version.name) for version in versions] == [True, True, True, False]
    assert VersionStore(tmp_path).get(unused.name) is None


def test_a_version_is_written_once(tmp_path: Path) -> None:
    store = VersionStore(tmp_path)
    version = version_of("dag", definition(tmp_path))
    store.put(version)
    before = store.place(version.name).stat().st_ino
    store.put(version)
    assert store.place(version.name).stat().st_ino == before

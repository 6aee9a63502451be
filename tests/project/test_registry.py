"""The jobs of a project: twins, bundles of one template, targets, definitions elsewhere, what a lookup costs."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medallion.project.registry import EXTRA_JOBS, JobRegistry
from medallion.runs import ids
from medallion.settings import Settings
from medallion.spec.loading import load

BUNDLE = """
bundle: {name: b}
variables: {suffix: {default: ""}}
targets:
  dev: {mode: development, default: true}
  prod: {}
  same: {}
resources:
  jobs:
    parent:
      name: parent${var.suffix}
      tasks: [{task_key: a, run_job_task: {job_id: "${resources.jobs.child.id}"}}]
    child:
      name: child
      tasks: [{task_key: a, notebook_task: {notebook_path: /Workspace/n}}]
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "jobs").mkdir()
    return Settings.load(tmp_path, environ={})


def job(name: str, **extra: Any) -> dict[str, Any]:
    return {"name": name, "tasks": [{"task_key": "a", "notebook_task": {"notebook_path": "/Workspace/n"}}], **extra}


def put(folder: Path, name: str, content: Any) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    os.utime(path, (time.time() - 60,) * 2)  # a file that changed just now is not cached yet
    return path


def places(settings: Settings, **environ: str) -> dict[str, str]:
    """DAG ids and the files that they come from."""
    found, _ = JobRegistry(settings, environ).all()
    return {dag_id: str(item.file.relative_to(settings.project)) for dag_id, item in found.items()}


def test_twins_are_two_jobs_and_each_is_found_by_its_own_id(settings: Settings) -> None:
    for name in ("same1", "same2"):
        put(settings.jobs_folder, f"{name}/job.json", job("same"))
    (first, one), (second, two) = sorted(places(settings).items())
    assert (first, one, two) == ("same", "jobs/same1/job.json", "jobs/same2/job.json")
    for dag_id, file in ((first, one), (second, two)):
        (found,) = JobRegistry(settings, {}).by_dag_id(dag_id)[0].values()
        assert str(found.file.relative_to(settings.project)) == file


def test_a_deleted_home_gives_the_same_ids_whoever_asks_first(settings: Settings) -> None:
    files = [put(settings.jobs_folder, f"same{number}/job.json", job("same")) for number in range(4)]
    first = places(settings)
    (settings.home / "job_ids.json").unlink()
    alone = JobRegistry(settings, {}).by_ids(load(files[3]).require())
    assert next(iter(alone)) != "same"
    assert places(settings) == first


def test_a_job_that_moves_keeps_its_plain_id(settings: Settings) -> None:
    path = put(settings.jobs_folder, "old/job.json", job("nightly"))
    assert set(places(settings)) == {"nightly"}
    path.parent.rename(settings.jobs_folder / "new")
    assert places(settings) == {"nightly": "jobs/new/job.json"}


def test_a_deleted_twin_renames_no_other(settings: Settings) -> None:
    first = put(settings.jobs_folder, "1/job.json", job("same"))
    put(settings.jobs_folder, "2/job.json", job("same"))
    before = places(settings)
    first.unlink()
    after = places(settings)
    assert after == {dag_id: file for dag_id, file in before.items() if dag_id != "same"}
    put(settings.jobs_folder, "3/job.json", job("same"))
    assert places(settings) == {**after, "same": "jobs/3/job.json"}


def test_a_definition_that_is_broken_for_a_while_keeps_its_id(settings: Settings) -> None:
    path = put(settings.jobs_folder, "1/job.json", job("same"))
    before = places(settings)
    path.write_text('{"name": "same", "tasks": [')
    put(settings.jobs_folder, "2/job.json", job("same"))
    assert "same" not in places(settings)
    put(settings.jobs_folder, "1/job.json", job("same"))
    assert places(settings)["same"] == before["same"]


def test_a_key_that_left_its_file_frees_its_id(settings: Settings) -> None:
    path = put(settings.jobs_folder, "b/databricks.yml", BUNDLE.replace("mode: development, ", ""))
    assert set(places(settings)) == {"parent", "child"}
    path.write_text(path.read_text().replace("    child:", "    other:").replace("jobs.child.id", "jobs.other.id"))
    assert set(places(settings)) == {"parent", "child"}


def test_a_renamed_job_keeps_the_id_of_its_runs(settings: Settings) -> None:
    put(settings.jobs_folder, "job.json", job("old"))
    assert set(places(settings)) == {"old"}
    put(settings.jobs_folder, "job.json", job("new"))
    assert set(places(settings)) == {"new"}
    (settings.home / "runs" / "new").mkdir(parents=True)
    put(settings.jobs_folder, "job.json", job("newer"))
    assert set(places(settings)) == {"new"}


def test_four_bundles_of_one_template_are_eight_jobs_and_each_finds_its_own_child(settings: Settings) -> None:
    for number in range(4):
        put(settings.jobs_folder, f"{number}/databricks.yml", BUNDLE)
    registry = JobRegistry(settings, {})
    found, problems = registry.all()
    assert (len(found), problems) == (8, [])
    for dag_id, item in found.items():
        if item.key == "parent":
            child = registry.by_job_id(item, "${resources.jobs.child.id}")
            assert child is not None
            assert child != dag_id
            assert (found[child].file, found[child].key) == (item.file, "child")
            assert registry.by_job_id(item, ids.job_id(child)) == child


def test_each_target_of_a_bundle_has_jobs_of_its_own(settings: Settings) -> None:
    put(settings.jobs_folder, "b/databricks.yml", BUNDLE)
    default = set(places(settings))
    assert default == {"dev_someone_parent", "dev_someone_child"}
    prod = set(places(settings.model_copy(update={"bundle_target": "prod"})))
    assert prod == {"parent", "child"}
    assert set(places(settings.model_copy(update={"bundle_target": "dev"}))) == default
    same = set(places(settings.model_copy(update={"bundle_target": "same"})))
    assert same.isdisjoint(prod)
    assert set(places(settings)) == default


def test_a_name_that_a_variable_changes_is_a_variant_and_renames_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(settings.jobs_folder, "b/databricks.yml", BUNDLE)
    default = places(settings)
    monkeypatch.setenv("BUNDLE_VAR_suffix", "_x")
    varied = places(settings, BUNDLE_VAR_suffix="_x")
    assert set(varied) == {"dev_someone_parent_x", "dev_someone_child"}
    assert places(settings, BUNDLE_VAR_suffix="_x") == varied
    monkeypatch.delenv("BUNDLE_VAR_suffix")
    assert places(settings) == default


def test_a_definition_elsewhere_has_an_id_of_its_own(settings: Settings, tmp_path: Path) -> None:
    put(settings.jobs_folder, "job.json", job("same"))
    other = put(tmp_path / "elsewhere", "job.json", job("same"))
    extra = {EXTRA_JOBS: str(other)}
    found = places(settings, **extra)
    (second,) = set(found) - {"same"}
    assert found == {"same": "jobs/job.json", second: "elsewhere/job.json"}
    registry = JobRegistry(settings, extra)
    assert set(registry.by_dag_id(second)[0]) == {second}
    assert JobRegistry(settings, {}).by_dag_id(second)[0] == {}  # it is no job of the project by itself


def test_a_file_is_one_job_by_whatever_path_it_is_reached(settings: Settings, tmp_path: Path) -> None:
    file = put(settings.jobs_folder, "job.json", job("same"))
    (tmp_path / "link").symlink_to(settings.jobs_folder)
    registry = JobRegistry(settings, {})
    assert set(registry.by_ids(load(file).require())) == {"same"}
    assert set(registry.by_ids(load(tmp_path / "link" / "job.json").require())) == {"same"}


def test_the_job_id_of_an_envelope_names_one_job(settings: Settings) -> None:
    for name in ("a", "b"):
        put(settings.jobs_folder, f"{name}.json", {"job_id": 7, "settings": job(name)})
    put(settings.jobs_folder, "c.json", job("c"))
    registry = JobRegistry(settings, {})
    found, _ = registry.all()
    assert {dag_id: item.job_id for dag_id, item in found.items()} == {"a": 7, "b": None, "c": None}
    assert [registry.by_job_id(found["c"], number) for number in (7, "7", ids.job_id("b"), 8)] == ["a", "a", "b", None]


def counted(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The definitions that are loaded from here on."""
    from medallion.spec import cache

    loads: list[Path] = []
    real: Callable[[cache.JobCache, Path], Any] = cache.JobCache.load

    def load_counted(self: cache.JobCache, path: Path) -> Any:
        loads.append(path)
        return real(self, path)

    monkeypatch.setattr(cache.JobCache, "load", load_counted)
    return loads


def test_a_job_is_found_by_its_id_without_looking_at_the_others(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [put(settings.jobs_folder, f"{number}.json", job(f"job {number}")) for number in range(5)]
    places(settings)
    loads = counted(monkeypatch)
    assert set(JobRegistry(settings, {}).by_dag_id("job_3", files)[0]) == {"job_3"}
    assert set(loads) == {files[3]}
    assert JobRegistry(settings, {}).by_dag_id("job_3", files[:2])[0] == {}


def test_finding_one_of_a_thousand_jobs_takes_milliseconds(settings: Settings) -> None:
    for number in range(1000):
        put(settings.jobs_folder, f"{number}.json", job(f"job_{number}"))
    assert len(JobRegistry(settings, {}).all()[0]) == 1000

    def timed() -> float:
        start = time.process_time()
        assert len(JobRegistry(settings, {}).by_dag_id("job_777")[0]) == 1
        return time.process_time() - start

    assert min(timed() for _ in range(5)) < 0.02

"""Finding jobs and building their DAGs: broken ones hurt no other, two of one name are two, one alone is read."""

from __future__ import annotations

import json
import os
import runpy
import time
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from medallion.factory import dag as dag_module
from medallion.factory.bundle import write_dag_files
from medallion.factory.jobs import BrokenJobsError, build_dags, collect
from medallion.runs import ids
from medallion.settings import Settings

pytestmark = pytest.mark.airflow


def job(name: str, **extra: Any) -> dict[str, Any]:
    return {"name": name, "tasks": [{"task_key": "a", "notebook_task": {"notebook_path": "/Workspace/n"}}], **extra}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "jobs").mkdir()
    return Settings.load(tmp_path, environ={})


def put(settings: Settings, name: str, content: Any) -> Path:
    path = settings.jobs_folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_a_wrong_file_hurts_no_other_job(settings: Settings) -> None:
    put(settings, "good.json", job("good"))
    put(settings, "bad.json", job("bad", max_concurrent_runs="many"))
    put(settings, "broken.json", '{"name": "x", "tasks": [')
    dags, problems = collect(settings)
    assert set(dags) == {"good"}
    assert {problem.file.name for problem in problems if problem.file} == {"bad.json", "broken.json"}
    with pytest.raises(BrokenJobsError, match=r"bad\.json:\d+"):
        build_dags(settings)


def test_two_jobs_whose_names_are_one_dag_id_are_two_dags(settings: Settings) -> None:
    put(settings, "one.json", job("my job"))
    put(settings, "two.json", job("my_job"))
    dags, problems = collect(settings)
    assert problems == []
    first, second = sorted(dags)
    assert (first, dags[first].dag_display_name) == ("my_job", "my job")
    assert second.startswith("my_job_")
    assert dags[second].dag_display_name == "my_job"


def test_of_42_jobs_a_pair_of_one_name_and_a_broken_one_hurt_no_other(settings: Settings, tmp_path: Path) -> None:
    for number in range(39):
        put(settings, f"{number:02}.json", job(f"job{number}"))
    for number in range(2):
        put(settings, f"same{number}/job.json", job("same"))
    put(settings, "broken.json", '{"name": "x", "tasks": [')
    folder = tmp_path / "dags"
    write_dag_files(settings, folder)
    found, wrong = parsed(folder)
    assert len(found) == 41
    assert {name for name in found if name.startswith("same")} > {"same"}
    assert [name.startswith("broken_json") for name in wrong] == [True]


def test_a_job_that_cannot_be_built_hurts_no_other_of_its_shard(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(42):
        put(settings, f"{number:02}.json", job(f"job{number}"))
    text = (
        "bundle: {name: b}\nresources:\n  jobs:\n    j:\n      name: j\n      tasks:\n"
        "        - task_key: a\n          run_if: ALL_SUCESS\n          notebook_task: {notebook_path: /Workspace/n}\n"
    )
    put(settings, "b/databricks.yml", text)
    build = dag_module.build_dag

    def fail(version: Any, **given: Any) -> Any:
        if version.dag_id == "job7":
            raise ValueError("a fault of ours")
        return build(version, **given)

    monkeypatch.setattr(dag_module, "build_dag", fail)
    folder = tmp_path / "dags"
    write_dag_files(settings, folder)
    found, wrong = parsed(folder)
    assert wrong == []
    told = "".join(str(dag.doc_md) for name, dag in found.items() if name.startswith("broken_jobs."))
    assert "ALL_SUCESS" in told
    assert "a fault of ours" in told
    assert {name for name in found if not name.startswith("broken_jobs.")} == {f"job{n}" for n in range(42) if n != 7}


def parsed(folder: Path) -> tuple[dict[str, Any], list[str]]:
    """The DAGs of all DAG files, and the files that cannot be read."""
    found: dict[str, Any] = {}
    wrong = []
    for file in sorted(folder.glob("*.py")):
        try:
            names = runpy.run_path(str(file))
        except BrokenJobsError:
            wrong.append(file.name)
        else:
            found |= {item.dag_id: item for item in names.values() if isinstance(item, DAG)}
    return found, wrong


def test_a_misspelt_run_if_of_a_bundle_is_refused_with_the_right_one(settings: Settings) -> None:
    text = (
        "bundle: {name: b}\nresources:\n  jobs:\n    j:\n      name: j\n      tasks:\n"
        "        - task_key: a\n          run_if: ALL_SUCESS\n          notebook_task: {notebook_path: /Workspace/n}\n"
    )
    put(settings, "b/databricks.yml", text)
    dags, problems = collect(settings)
    assert dags == {}
    assert "ALL_SUCESS" in str(problems[0])
    assert "did you mean ALL_SUCCESS?" in str(problems[0])


def test_only_the_asked_for_job_is_read(settings: Settings) -> None:
    for number in range(5):
        path = put(settings, f"{number}.json", job(f"job{number}"))
        os.utime(path, (time.time() - 60,) * 2)  # a file that changed just now is not cached yet
    collect(settings)
    put(settings, "3.json", "not JSON any more {")
    dags, problems = collect(settings, only="job2")
    assert set(dags) == {"job2"}
    assert problems == []


def test_every_definition_has_a_dag_file_that_changes_with_it_alone(settings: Settings, tmp_path: Path) -> None:
    put(settings, "one.json", job("one"))
    put(settings, "deep/two.json", job("two"))
    folder = tmp_path / "dags"
    write_dag_files(settings, folder)
    before = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.py")}
    assert len(before) == 2
    put(settings, "one.json", job("one", description="changed"))
    write_dag_files(settings, folder)
    changed = [path.name for path in folder.glob("*.py") if path.stat().st_mtime_ns != before.get(path.name)]
    assert [name.startswith("one_json") for name in changed] == [True]
    (settings.jobs_folder / "one.json").unlink()
    put(settings, "three.json", job("three"))
    write_dag_files(settings, folder)
    assert sorted(path.name.split("_json")[0] for path in folder.glob("*.py")) == ["deep_two", "three"]


def test_many_definitions_share_dag_files_and_a_wrong_one_has_its_own(settings: Settings, tmp_path: Path) -> None:
    for number in range(60):
        put(settings, f"{number:02}.json", job(f"job{number}"))
    put(settings, "wrong.json", {"name": 7, "tasks": "none"})
    folder = tmp_path / "dags"
    write_dag_files(settings, folder)
    names = sorted(path.name for path in folder.glob("*.py"))
    assert [name for name in names if name.startswith("wrong_json")] != []
    assert 2 <= len(names) <= 4


def test_numbers_of_the_jobs_api_are_stable_and_differ() -> None:
    assert ids.job_id("a") == ids.job_id("a") != ids.job_id("b")
    runs = {ids.task_run_id("a", "r", "t", -1, attempt) for attempt in range(1, 50)}
    assert len(runs) == 49
    assert all(0 < number < 2**53 for number in runs)

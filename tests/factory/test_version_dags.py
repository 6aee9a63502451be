"""DAG files of versions and of jobs that are gone, and what the DAG bundle says of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from medallion.project.versions import VersionStore, version_of
from medallion.settings import Settings
from medallion.spec.loading import load

pytestmark = pytest.mark.airflow

ASK = {"task_key": "a", "condition_task": {"op": "EQUAL_TO", "left": "1", "right": "1"}}


def project(folder: Path, count: int = 2) -> Settings:
    (folder / "jobs").mkdir()
    for number in range(count):
        (folder / "jobs" / f"j{number}.json").write_text(json.dumps({"name": f"j{number}", "tasks": [ASK]}))
    return Settings.load(folder, environ={})


def bundle(settings: Settings, version: str | None = None) -> Any:
    from medallion.factory.bundle import JobsDagBundle

    return JobsDagBundle(name="jobs", project=str(settings.project), version=version)


def kept(settings: Settings, name: str) -> Any:
    (definition,) = load(settings.jobs_folder / f"{name}.json").require()
    version = version_of(name, definition)
    VersionStore(settings.home).put(version)
    return version


def parse(path: Path, folder: Path) -> Any:
    from airflow.dag_processing.dagbag import BundleDagBag

    return BundleDagBag(dag_folder=str(path), bundle_path=folder, bundle_name="jobs", safe_mode=False)


def test_the_version_of_the_bundle_changes_exactly_when_a_definition_does(tmp_path: Path) -> None:
    from medallion.factory.bundle import write_dag_files

    settings = project(tmp_path)
    seen = bundle(settings)

    def look() -> str:
        write_dag_files(settings, seen.path)
        return str(seen.get_current_version().version)

    first = look()
    assert look() == first
    job = settings.jobs_folder / "j0.json"
    job.write_text(json.dumps({"name": "j0", "description": "longer", "tasks": [ASK]}))
    second = look()
    job.unlink()
    assert len({first, second, look()}) == 3


def test_a_task_of_a_run_gets_the_job_of_its_version_whatever_became_of_the_files(tmp_path: Path) -> None:
    from medallion.factory.bundle import write_dag_files

    settings = project(tmp_path)
    version = kept(settings, "j0")
    write_dag_files(settings, bundle(settings).path)
    (name,) = (place.name for place in bundle(settings).path.glob("j0*.py"))
    shutil.rmtree(settings.jobs_folder)
    settings.jobs_folder.mkdir()
    write_dag_files(settings, bundle(settings).path)
    assert not (bundle(settings).path / name).exists()
    pinned = bundle(settings, version.name)
    pinned.initialize()
    found = parse(pinned.path / name, pinned.path)
    assert found.import_errors == {}
    assert set(found.dags) == {"j0"}
    assert version.name in found.dags["j0"].doc_md


def test_the_version_of_the_whole_bundle_leads_to_the_jobs_as_they_are_now(tmp_path: Path) -> None:
    settings = project(tmp_path)
    plain = bundle(settings)
    plain.initialize()
    same = bundle(settings, plain.get_current_version().version)
    assert same.path == plain.path == settings.home / "dags"


@pytest.mark.parametrize("how", ["deleted", "half", "not importable"])
def test_a_job_that_is_gone_keeps_a_dag_while_a_run_goes_on(tmp_path: Path, how: str) -> None:
    from medallion.factory.bundle import write_dag_files
    from medallion.factory.version_dags import Going
    from medallion.project.naming import gone_file

    settings = project(tmp_path)
    version, folder = kept(settings, "j0"), bundle(settings).path
    write_dag_files(settings, folder)
    (name,) = (place.name for place in folder.glob("j0*.py"))
    going = Going({"j0": version.name, "j1": kept(settings, "j1").name})
    write_dag_files(settings, folder, going)
    assert not list(folder.glob("gone_*"))
    if how == "deleted":
        (settings.jobs_folder / "j0.json").unlink()
    elif how == "half":
        (settings.jobs_folder / "j0.json").write_text("{")
    else:
        going = Going(going.versions, frozenset({name}))
    write_dag_files(settings, folder, going)
    assert [place.name for place in folder.glob("gone_*")] == [gone_file("j0")]
    found = parse(folder / gone_file("j0"), folder)
    assert set(found.dags) == {"j0"}
    assert found.dags["j0"].timetable.can_be_scheduled is False
    write_dag_files(settings, folder, Going())
    assert not list(folder.glob("gone_*"))

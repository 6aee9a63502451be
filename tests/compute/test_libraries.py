"""What a task asks for beside what every task has, by its libraries and its environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from medallion.compute.libraries import Shelf, driver_conf
from medallion.compute.targets import driver_for_task
from medallion.errors import MedallionError
from medallion.factory.equipment import Equipment, equip
from medallion.runtime.protocol import Places
from medallion.settings import Settings
from medallion.spec.definition import JobDefinition
from medallion.spec.job import Job
from medallion.spec.libraries import wanted_by

SCRIPT = {"task_key": "t", "spark_python_task": {"python_file": "x.py"}}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.load(tmp_path, environ={"MEDALLION_CACHE": str(tmp_path / "cache")})


def job_of(task: dict[str, Any], **more: Any) -> Job:
    return Job.from_json({"name": "j", "tasks": [{**SCRIPT, **task}], **more})


def equipped(settings: Settings, task: dict[str, Any], **more: Any) -> Equipment:
    job = job_of(task, **more)
    assert job.tasks is not None
    definition = JobDefinition(job, "j", settings.project / "j.json", settings.project)
    places = Places("/lake", str(settings.volumes), "/dbfs")
    return equip(definition, job.tasks[0], settings=settings, places=places, progress=print)


def test_packages_of_an_index() -> None:
    libraries = [
        {"pypi": {"package": "six==1.17.0"}},
        {"pypi": {"package": "attrs", "repo": "https://packages.example/simple"}},
    ]
    job = job_of({"libraries": libraries})
    assert job.tasks is not None
    wanted = wanted_by(job.tasks[0], job)
    assert wanted.packages == ("six==1.17.0", "attrs")
    assert wanted.indexes == ("https://packages.example/simple",)


def test_packages_that_others_take_the_place_of_are_left_out() -> None:
    job = job_of({"libraries": [{"pypi": {"package": "dbt_databricks[x]>=1,<2"}}, {"pypi": {"package": "dbt-date"}}]})
    assert job.tasks is not None
    wanted = wanted_by(job.tasks[0], job, ("dbt-spark",), frozenset({"dbt-databricks"}))
    assert wanted.packages == ("dbt-spark", "dbt-date")


def test_jars_and_coordinates_go_to_a_driver_of_their_own(settings: Settings) -> None:
    jar = settings.volumes / "c" / "s" / "v" / "rules.jar"
    jar.parent.mkdir(parents=True)
    jar.write_bytes(b"one")
    maven = {"coordinates": "g:a:1", "exclusions": ["x:y"], "repo": "https://maven.example/"}
    environments = [{"environment_key": "e", "spec": {"java_dependencies": ["/Volumes/c/s/v/rules.jar"]}}]
    task = {"libraries": [{"jar": "/Volumes/c/s/v/*.jar"}, {"maven": maven}]}
    conf = equipped(settings, task).spark_conf
    assert conf["spark.jars.packages"] == "g:a:1"
    assert conf["spark.jars.excludes"] == "x:y"
    assert conf["spark.jars.repositories"] == "https://maven.example/"
    assert conf["spark.jars"].endswith("/rules.jar")
    of_environment = equipped(settings, {"environment_key": "e"}, environments=environments).spark_conf
    assert of_environment == {"spark.jars": conf["spark.jars"]}
    jar.write_bytes(b"two")
    assert equipped(settings, task).spark_conf["spark.jars"] != conf["spark.jars"]
    job = job_of({})
    assert job.tasks is not None
    usual, own = (driver_for_task(settings, job.tasks[0], job, spark_conf=more) for more in (None, conf))
    assert usual.key != own.key
    assert usual.key == driver_for_task(settings, job.tasks[0], job, spark_conf={}).key


def test_jars_of_a_cluster_and_of_a_task_are_put_together(settings: Settings) -> None:
    cluster = {"spark_version": "16.2.x-scala2.12", "spark_conf": {"spark.jars.packages": "g:c:1"}}
    job = job_of({"new_cluster": cluster, "libraries": [{"maven": {"coordinates": "g:a:1"}}]})
    assert job.tasks is not None
    shelf = Shelf(settings, Places("/l", "/v", "/d"), settings.project, None, print)
    conf = driver_conf(shelf, wanted_by(job.tasks[0], job))
    found = driver_for_task(settings, job.tasks[0], job, spark_conf=conf).spark_conf
    assert found["spark.jars.packages"] == "g:c:1,g:a:1"
    assert found["spark.jars.ivy"] == str(settings.cache / "ivy")


@pytest.mark.parametrize(
    ("task", "told"),
    [
        pytest.param({"libraries": [{"egg": "dbfs:/old.egg"}]}, "build a wheel and name it as whl", id="egg"),
        pytest.param({"libraries": [{"cran": {"package": "dplyr"}}]}, "R is not run here", id="cran"),
        pytest.param({"libraries": [{"whl": "dist/none-1.whl"}]}, "library 'dist/none-1.whl' not found", id="no wheel"),
        pytest.param({"environment_key": "rulez"}, "no environment 'rulez'; did you mean rules?", id="no environment"),
        pytest.param({"environment_key": "project"}, "project_environment is not read here", id="project"),
        pytest.param({"environment_variables_key": "v"}, "no environment variables 'v'", id="no variables"),
    ],
)
def test_what_cannot_be_had_here_says_what_to_take_instead(settings: Settings, task: dict[str, Any], told: str) -> None:
    environments = [
        {"environment_key": "rules", "spec": {"dependencies": []}},
        {"environment_key": "project", "spec": {"project_environment": "pyproject.toml"}},
    ]
    with pytest.raises(MedallionError) as caught:
        equipped(settings, task, environments=environments)
    assert told in str(caught.value)

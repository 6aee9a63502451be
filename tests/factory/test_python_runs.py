"""Python files and wheels as real tasks: where the file is, its arguments, its session, entry points, libraries."""

from __future__ import annotations

from pathlib import Path

import pytest
from factory.lab import Lab, Ran

pytestmark = [pytest.mark.airflow, pytest.mark.spark, pytest.mark.timeout(600)]

SCRIPT = """import sys
from pathlib import Path
print("file", Path(__file__).name, "argv", sys.argv[1:], "rows", spark.range(3).count())
"""
PLACES = {
    "local": ("scripts/local.py", "jobs/scripts/local.py"),
    "workspace": ("/Workspace/Shared/lab/shared.py", "shared/shared.py"),
    "volume": ("/Volumes/main/default/code/volume.py", ".medallion/volumes/main/default/code/volume.py"),
    "dbfs": ("dbfs:/code/dbfs.py", ".medallion/dbfs/code/dbfs.py"),
}
MODULE = """import sys
from pyspark.sql.functions import udf

def main():
    print("main", sys.argv[1:], spark.range(2).count())
    import {name}
    print("in a UDF", spark.range(1).select(udf(lambda _: {name}.answer(), "int")("id")).first()[0])

def by_name():
    print("by name", sys.argv[1:])

def answer():
    return 42
"""
PROJECT = """[project]
name = "lab-rules"
version = "0.3.0"
[project.scripts]
apply-rules = "lab_rules:main"
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[tool.setuptools]
py-modules = ["lab_rules"]
"""
BUNDLE = """
bundle: {name: lab_wheels}
artifacts:
  rules: {type: whl, path: rules, build: uv build --wheel}
resources:
  jobs:
    lab_wheels:
      name: lab_wheels
      environments:
        - environment_key: rules
          spec: {environment_version: "3", dependencies: [./rules/dist/*.whl]}
      environment_variables:
        - environment_variables_key: vars
          spec: {files: [one.env, two.env], variables: {THIRD: spec}}
      job_clusters:
        - job_cluster_key: small
          new_cluster: {spark_version: 16.2.x-scala2.12, num_workers: 1}
      tasks:
        - task_key: by_metadata
          job_cluster_key: small
          python_wheel_task: {package_name: lab-rules, entry_point: apply-rules, parameters: [a, b c]}
          libraries: [{whl: ./rules/dist/*.whl}]
        - task_key: by_name
          job_cluster_key: small
          depends_on: [{task_key: by_metadata}]
          python_wheel_task: {package_name: lab_rules, entry_point: by_name, named_parameters: {day: "1", x: y z}}
          libraries: [{whl: rules/dist/lab_rules-0.3.0-py3-none-any.whl}]
        - task_key: variables
          depends_on: [{task_key: by_name}]
          environment_key: rules
          environment_variables_key: vars
          spark_python_task: {python_file: variables.py}
"""
VARIABLES = """import os
print("variables", [os.environ[name] for name in ("FIRST", "SECOND", "THIRD")])
import lab_rules
print("rules", lab_rules.answer())
"""


@pytest.fixture(scope="module")
def scripts(lab: Lab) -> Ran:
    with (lab.project / "medallion.toml").open("a") as stream:
        stream.write('[workspace]\n"/Workspace/Shared/lab" = "shared"\n')
    tasks = []
    for key, (stated, place) in PLACES.items():
        file = lab.project / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(SCRIPT)
        tasks.append({"task_key": key, "spark_python_task": {"python_file": stated, "parameters": ["a b", key]}})
    return lab.run({"name": "scripts", "tasks": tasks})


@pytest.mark.parametrize("key", PLACES)
def test_a_script_is_found_wherever_databricks_would_and_has_arguments_and_spark(scripts: Ran, key: str) -> None:
    assert f"file {Path(PLACES[key][0]).name} argv ['a b', '{key}'] rows 3" in scripts.log(key)


@pytest.fixture(scope="module")
def wheels(lab: Lab) -> Ran:
    folder = lab.project / "jobs" / "lab_wheels"
    (folder / "rules").mkdir(parents=True)
    (folder / "rules" / "lab_rules.py").write_text(MODULE.format(name="lab_rules"))
    (folder / "rules" / "pyproject.toml").write_text(PROJECT)
    (folder / "one.env").write_text("FIRST=one\nSECOND=one\nTHIRD=one\n")
    (folder / "two.env").write_text("# later files win\nSECOND='two $HOME'\n")
    (folder / "variables.py").write_text(VARIABLES)
    (folder / "databricks.yml").write_text(BUNDLE)
    lab.sources["lab_wheels"] = folder / "databricks.yml"
    return lab.run("lab_wheels")


def test_a_wheel_of_the_bundle_is_built_and_its_entry_point_runs_by_metadata_or_by_name(wheels: Ran) -> None:
    assert wheels.result == "SUCCESS", wheels.log("by_metadata")
    assert "building the artifact rules" in wheels.log("by_metadata")
    assert "main ['a', 'b c'] 2" in wheels.log("by_metadata")
    assert "in a UDF 42" in wheels.log("by_metadata")
    assert "by name ['--day=1', '--x=y z']" in wheels.log("by_name")


def test_an_environment_is_made_once_for_equal_sets(wheels: Ran) -> None:
    made = [key for key in ("by_metadata", "by_name", "variables") if "making a Python environment" in wheels.log(key)]
    assert made == ["by_metadata"]
    assert "rules 42" in wheels.log("variables")


def test_environment_variables_of_later_files_and_of_the_spec_win(wheels: Ran) -> None:
    assert "variables ['one', 'two $HOME', 'spec']" in wheels.log("variables")

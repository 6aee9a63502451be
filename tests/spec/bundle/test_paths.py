from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from medallion.spec.bundle import Resolved, deployed_path_to_local, resolve_bundle
from medallion.spec.bundle.paths import is_local_dependency

Resolve = Callable[..., Resolved]
FILES = "/Workspace/Users/someone/.bundle/x/default/files"


def task(body: str) -> str:
    return f"bundle: {{name: x}}\nresources: {{jobs: {{j: {{tasks: [{{task_key: a, environment_key: e, {body}}}]}}}}}}"


TREE = {
    "src/nb.py": "# Databricks notebook source\n",
    "src/nb.sql": "-- Databricks notebook source\r\nselect 1",
    "src/nb.scala": "// Databricks notebook source",
    "src/nb.r": "# Databricks notebook source",
    "src/nb.ipynb": '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
    "src/d.designer.ipynb": '{"cells": [], "metadata": {}, "nbformat": 4}',
    "src/old.ipynb": '{"worksheets": [], "metadata": {}, "nbformat": 3}',
    "src/f.py": "print(1)",
    "src/f.sql": "select 1",
    "src/late.py": "\n# Databricks notebook source\n",
    "requirements.txt": "rich",
    "dbt/dbt_project.yml": "name: d",
}


@pytest.mark.parametrize(
    ("body", "path", "expected"),
    [
        ("notebook_task: {notebook_path: src/nb.py}", "notebook_task.notebook_path", f"{FILES}/src/nb"),
        ("notebook_task: {notebook_path: ./src/nb.sql}", "notebook_task.notebook_path", f"{FILES}/src/nb"),
        ("notebook_task: {notebook_path: src/../src/nb.scala}", "notebook_task.notebook_path", f"{FILES}/src/nb"),
        ("notebook_task: {notebook_path: src/nb.ipynb}", "notebook_task.notebook_path", f"{FILES}/src/nb"),
        (
            "notebook_task: {notebook_path: src/d.designer.ipynb}",
            "notebook_task.notebook_path",
            f"{FILES}/src/d.designer.ipynb",
        ),
        ("notebook_task: {notebook_path: /Shared/nb}", "notebook_task.notebook_path", "/Shared/nb"),
        ("spark_python_task: {python_file: src/f.py}", "spark_python_task.python_file", f"{FILES}/src/f.py"),
        ("spark_python_task: {python_file: 'dbfs:/x.py'}", "spark_python_task.python_file", "dbfs:/x.py"),
        ("sql_task: {warehouse_id: w, file: {path: src/f.sql}}", "sql_task.file.path", f"{FILES}/src/f.sql"),
        ("dbt_task: {commands: [dbt run], project_directory: dbt}", "dbt_task.project_directory", f"{FILES}/dbt"),
        ("notebook_task: {notebook_path: /n}, libraries: [{whl: ./dist/*.whl}]", "libraries.0.whl", "dist/*.whl"),
        ("notebook_task: {notebook_path: /n}, libraries: [{whl: ../up/a.whl}]", "libraries.0.whl", "../up/a.whl"),
        ("notebook_task: {notebook_path: /n}, libraries: [{jar: 's3://b/a.jar'}]", "libraries.0.jar", "s3://b/a.jar"),
        (
            "notebook_task: {notebook_path: /n}, libraries: [{requirements: ./requirements.txt}]",
            "libraries.0.requirements",
            f"{FILES}/requirements.txt",
        ),
        (
            "for_each_task: {inputs: '[]', task: {task_key: b, notebook_task: {notebook_path: src/nb.r}}}",
            "for_each_task.task.notebook_task.notebook_path",
            f"{FILES}/src/nb",
        ),
    ],
)
def test_paths_of_tasks_lead_to_the_deployed_files(resolve: Resolve, body: str, path: str, expected: str) -> None:
    resolved = resolve(task(body), TREE)
    assert not resolved.errors
    value = resolved.resources["jobs"]["j"]["tasks"][0]
    for step in path.split("."):
        value = value[int(step)] if step.isdigit() else value[step]
    assert value == expected


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("notebook_task: {notebook_path: src/none.py}", "notebook src/none.py not found"),
        ("notebook_task: {notebook_path: src/nb}", "did you mean src/nb.py?"),
        ("notebook_task: {notebook_path: src/none}", "must carry its extension"),
        ("notebook_task: {notebook_path: src/f.py}", "src/f.py is a file"),
        ("notebook_task: {notebook_path: src/late.py}", "its first line must be"),
        ("notebook_task: {notebook_path: src/old.ipynb}", "not the JSON of a notebook"),
        ("notebook_task: {notebook_path: ../n.py}", "leads out of the folder"),
        ("spark_python_task: {python_file: src/nb.py}", "src/nb.py is a notebook"),
        ("spark_python_task: {python_file: src/none.py}", "file src/none.py not found"),
        ("spark_python_task: {python_file: src}", "cannot tell"),
        ("dbt_task: {commands: [dbt run], project_directory: src/f.py}", "is not a folder"),
        ("dbt_task: {commands: [dbt run], project_directory: none}", "folder none not found"),
    ],
)
def test_a_path_that_leads_nowhere_is_an_error(resolve: Resolve, body: str, words: str) -> None:
    resolved = resolve(task(body), TREE)
    assert len(resolved.errors) == 1
    assert words in str(resolved.errors[0])
    assert resolved.errors[0].line == 2


def test_a_path_counts_from_the_file_that_defines_it(resolve: Resolve) -> None:
    files = {
        **TREE,
        "resources/j.yml": """
            resources:
              jobs:
                j:
                  tasks:
                    - {task_key: a, notebook_task: {notebook_path: ../src/nb.py}}
                    - {task_key: b, notebook_task: {notebook_path: "${var.path}"}}
                    - ${var.whole}
            """,
    }
    root = """
        bundle: {name: x}
        include: [resources/*.yml]
        variables:
          path: {default: ../src/nb.py}
          whole: {type: complex, default: {task_key: c, notebook_task: {notebook_path: src/nb.py}}}
        targets: {t: {resources: {jobs: {j: {tasks: [{task_key: a, notebook_task: {notebook_path: src/nb.sql}}]}}}}}
    """
    resolved = resolve(root, files)
    assert not resolved.errors
    found = [task["notebook_task"]["notebook_path"] for task in resolved.resources["jobs"]["j"]["tasks"]]
    assert found == [f"{FILES.replace('default', 't')}/src/nb"] * 3


def test_a_path_relative_to_the_wrong_file_gets_a_hint(resolve: Resolve) -> None:
    files = {
        **TREE,
        "resources/j.yml": "resources: {jobs: {j: {tasks: [{task_key: a, notebook_task: {notebook_path: src/nb.py}}]}}}",
    }
    resolved = resolve("bundle: {name: x}\ninclude: [resources/*.yml]", files)
    assert "write ../src/nb.py" in str(resolved.errors[0])


def test_paths_of_a_job_with_a_git_source_stay(resolve: Resolve) -> None:
    text = task("notebook_task: {notebook_path: nb}").replace(
        "{tasks", "{git_source: {git_url: u, git_provider: gitHub}, tasks"
    )
    resolved = resolve(text)
    assert resolved.resources["jobs"]["j"]["tasks"][0]["notebook_task"]["notebook_path"] == "nb"
    assert not resolved.errors


def test_sync_paths_above_the_bundle_widen_what_is_deployed(write: Callable[..., Path]) -> None:
    job = "{tasks: [{task_key: a, notebook_task: {notebook_path: %s}}]}"
    bundle = f"bundle: {{name: x}}\nsync: {{paths: [../common, .]}}\nresources: {{jobs: {{j: {job}}}}}"
    root = write("", {"b/databricks.yml": bundle % "../common/nb.py", "common/nb.py": TREE["src/nb.py"]})
    resolved = resolve_bundle(root / "b", environ={})
    assert not resolved.errors
    path = resolved.resources["jobs"]["j"]["tasks"][0]["notebook_task"]["notebook_path"]
    assert path == f"{FILES}/common/nb"
    assert deployed_path_to_local(path, root=resolved.root, deployed=resolved.deployed) == root / "common/nb"


@pytest.mark.parametrize(
    ("path", "local"),
    [(f"{FILES}/src/nb", "src/nb"), (FILES, "."), (f"{FILES}2/src/nb", None), ("/Workspace/Shared/nb", None)],
)
def test_deployed_paths_map_back(path: str, local: str | None) -> None:
    found = deployed_path_to_local(path, root=Path("/b"), deployed=FILES)
    assert found == (Path("/b", local) if local else None)


@pytest.mark.parametrize(
    ("line", "deployed"),
    [
        ("requests==2.32.3", None),
        ("rich>=1,<2", None),
        ("beautifulsoup4[security, tests] ~= 4.12.3", None),
        ("a @ https://host/a.zip", None),
        ("--find-links=/x", None),
        ("-i http://host", None),
        ("/Volumes/a/b.whl", None),
        ("s3://b/a.whl", None),
        ("dist/*.whl", "./dist/*.whl"),
        ("./a.whl", "./a.whl"),
        ("../up/a.whl", "../up/a.whl"),
        ("-r requirements.txt", f"-r {FILES}/requirements.txt"),
        ("-r ./requirements.txt", f"-r {FILES}/requirements.txt"),
        ("-r /abs/requirements.txt", None),
        ("-r '/abs/requirements.txt'", None),
    ],
)
def test_requirement_lines(resolve: Resolve, line: str, deployed: str | None) -> None:
    spec = f'[{{environment_key: e, spec: {{dependencies: ["{line}"]}}}}]'
    resolved = resolve(f"bundle: {{name: x}}\nresources: {{jobs: {{j: {{environments: {spec}}}}}}}", TREE)
    assert not resolved.errors
    found = resolved.resources["jobs"]["j"]["environments"][0]["spec"]["dependencies"]
    assert found == [deployed or line]


def test_a_long_requirement_line_is_judged_fast() -> None:
    assert is_local_dependency("a" + "==1" * 5000 + "!")
    assert is_local_dependency("a" + " " * 100_000 + "x")


def test_notebooks_of_pipelines_by_pattern(resolve: Resolve) -> None:
    libraries = "[{notebook: {path: 'src/nb.[ps]*'}}, {glob: {include: src/**}}]"
    text = f"bundle: {{name: x}}\nresources: {{pipelines: {{p: {{libraries: {libraries}}}}}}}"
    resolved = resolve(text, TREE)
    expected = [{"notebook": {"path": f"{FILES}/src/nb"}}] * 3 + [{"glob": {"include": f"{FILES}/src/**"}}]
    assert resolved.resources["pipelines"]["p"]["libraries"] == expected

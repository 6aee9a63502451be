"""What a run would miss: each kind of it is told by `medallion check`, at its place and with the run's own words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from medallion.components.readiness import problems_of
from medallion.settings import Settings
from medallion.spec.loading import load
from medallion.spec.problems import Problem

NOTEBOOK = "# Databricks notebook source\nprint(1)\n"
WAREHOUSE = {"warehouse_id": "w"}
CLUSTER = {"spark_version": "15.4.x-scala2.12", "node_type_id": "n", "num_workers": 1}


def settings_in(folder: Path, text: str = "", **environ: str) -> Settings:
    folder.mkdir(exist_ok=True)
    (folder / "medallion.toml").write_text(f'[warehouses]\nw = "default"\n{text}')
    return Settings.load(folder, environ=environ)


def told(settings: Settings, job: dict[str, Any]) -> list[Problem]:
    """What is told of a job, whose file has lines: one a task."""
    file = settings.project / "job.json"
    head = json.dumps({"name": "j", **{name: value for name, value in job.items() if name != "tasks"}})[:-1]
    lines = ",\n".join(json.dumps({"task_key": f"t{at}", **task}) for at, task in enumerate(job["tasks"]))
    file.write_text(f'{head}, "tasks": [\n{lines}]}}')
    loaded = load(file)
    assert not loaded.errors, loaded.errors
    return problems_of(settings, loaded, lambda: {job.key: job for job in loaded.jobs})


def notebook(path: str = "there", **more: Any) -> dict[str, Any]:
    return {"notebook_task": {"notebook_path": path}, **more}


CASES = [
    pytest.param(notebook(existing_cluster_id="0101-x"), "error", "existing_cluster_id '0101-x'", id="cluster"),
    pytest.param(notebook(existing_cluster_id="mapped"), "error", "no target 'nowhere'", id="cluster of no target"),
    pytest.param(notebook("missing"), "error", "missing' not found", id="notebook"),
    pytest.param(notebook("/Workspace/Shared/a"), "error", '[workspace] "/Workspace/Shared"', id="workspace path"),
    pytest.param(notebook("plain"), "error", "# Databricks notebook source", id="a script is no notebook"),
    pytest.param(
        {"notebook_task": {"notebook_path": "there", "warehouse_id": "other"}},
        "note",
        "'default' stands in",
        id="warehouse",
    ),
    pytest.param(
        {"notebook_task": {"notebook_path": "there", "warehouse_id": "bad"}}, "error", "no target", id="no such target"
    ),
    pytest.param({"sql_task": {**WAREHOUSE, "query": {"query_id": "q"}}}, "error", "[queries]", id="query"),
    pytest.param({"sql_task": {**WAREHOUSE, "query": {"query_id": "gone"}}}, "error", "gone.sql", id="query's file"),
    pytest.param(
        {"sql_task": {**WAREHOUSE, "alert": {"alert_id": "a"}}}, "error", "[alerts]", id="alert of a SQL task"
    ),
    pytest.param({"alert_task": {**WAREHOUSE, "alert_id": "a"}}, "error", "[alerts]", id="alert"),
    pytest.param({"alert_task": {**WAREHOUSE, "workspace_path": "a.json"}}, "error", "a.json", id="alert's file"),
    pytest.param({"sql_task": {**WAREHOUSE, "file": {"path": "a.sql"}}}, "error", "'a.sql'|looked for", id="SQL file"),
    pytest.param(
        {"sql_task": {**WAREHOUSE, "dashboard": {"dashboard_id": "d"}}}, "warning", "dashboard", id="dashboard"
    ),
    pytest.param({"spark_python_task": {"python_file": "a.py"}}, "error", "looked for", id="Python file"),
    pytest.param(
        {"spark_python_task": {"python_file": "/Volumes/a/b/c/x.py"}}, "warning", "looked for", id="in a volume"
    ),
    pytest.param({"spark_python_task": {"python_file": "s3://b/x.py"}}, "error", "s3", id="Python file elsewhere"),
    pytest.param(
        {"spark_jar_task": {"main_class_name": "a.B"}, "libraries": [{"jar": "a.jar"}]}, "error", "a.jar", id="JAR"
    ),
    pytest.param({"spark_jar_task": {"main_class_name": "a.B"}}, "error", "no JAR", id="JAR task without one"),
    pytest.param(notebook(libraries=[{"whl": "dist/a.whl"}]), "error", "dist/a.whl", id="wheel"),
    pytest.param(notebook(libraries=[{"requirements": "r.txt"}]), "error", "r.txt", id="requirements"),
    pytest.param(notebook(libraries=[{"egg": "a.egg"}]), "error", "egg", id="egg"),
    pytest.param(
        {"dbt_task": {"commands": ["dbt run"], "project_directory": "d"}}, "error", "dbt_project.yml", id="dbt"
    ),
    pytest.param({"pipeline_task": {"pipeline_id": "p"}}, "error", "names no pipeline", id="pipeline"),
    pytest.param({"run_job_task": {"job_id": 17}}, "error", "no job 17", id="child job"),
    pytest.param({"dashboard_task": {"dashboard_id": "d"}}, "warning", "Databricks only", id="kind of Databricks only"),
    pytest.param(
        {"for_each_task": {"inputs": "[1]", "task": {"task_key": "i", **notebook("missing")}}},
        "error",
        "missing'",
        id="for",
    ),
    pytest.param(
        {"notebook_task": {"notebook_path": "a", "source": "GIT"}}, "error", "no git_source", id="Git of none"
    ),
    pytest.param(
        notebook(new_cluster={**CLUSTER, "spark_conf": {"k": "{{secrets/s/x}}"}}), "warning", "secret s/x", id="secret"
    ),
    pytest.param(
        notebook(new_cluster={**CLUSTER, "spark_env_vars": {"K": "{{secrets/listed/x}}"}}), None, "", id="listed scope"
    ),
    pytest.param(notebook(), None, "", id="all is there"),
    pytest.param(notebook("missing", disabled=True), None, "", id="disabled"),
    pytest.param(notebook("{{job.parameters.which}}"), None, "", id="known at run time"),
]


@pytest.mark.parametrize(("task", "severity", "words"), CASES)
def test_what_a_run_would_miss_is_told(tmp_path: Path, task: dict[str, Any], severity: str | None, words: str) -> None:
    (tmp_path / "there.py").write_text(NOTEBOOK)
    (tmp_path / "plain.py").write_text("print(1)\n")
    text = 'bad = "nowhere"\n[clusters]\nmapped = "nowhere"\n[queries]\ngone = "gone.sql"\n'
    settings = settings_in(tmp_path, text, MEDALLION_SECRET_SCOPES='["listed"]')
    problems = told(settings, {"tasks": [notebook(), task]})
    if severity is None:
        assert problems == []
        return
    [problem] = problems
    assert problem.severity == severity
    assert any(word in str(problem) for word in words.split("|")), problem
    assert (problem.line, (problem.path or "").startswith("$.tasks[1]")) == (3, True)


def test_files_from_git_are_not_looked_for_and_a_local_repository_is(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    source = {"git_url": "https://git.example.org/a.git", "git_provider": "gitHub", "git_branch": "main"}
    assert told(settings, {"git_source": source, "tasks": [notebook("somewhere")]}) == []
    for url, words in (
        (str(tmp_path / "none.git"), "there is no repository"),
        ((tmp_path / "none.git").as_uri(), "there is no repository"),
        ("--upload-pack=touch /tmp/x", "begins with a dash"),
        ("ext::sh -c true", "names a program"),
    ):
        [problem] = told(settings, {"git_source": {**source, "git_url": url}, "tasks": [notebook("somewhere")]})
        assert (problem.severity, problem.path) == ("error", "$.git_source.git_url")
        assert words in problem.message


@pytest.mark.parametrize("variable", ["AIRFLOW_VAR_S__X", "AIRFLOW_CONN_S"])
def test_a_secret_of_the_environment_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    (tmp_path / "there.py").write_text(NOTEBOOK)
    monkeypatch.setenv(variable, "v")
    cluster = {**CLUSTER, "spark_conf": {"k": "{{secrets/s/x}}"}}
    job = {"job_clusters": [{"job_cluster_key": "c", "new_cluster": cluster}], "tasks": [notebook(job_cluster_key="c")]}
    assert told(settings_in(tmp_path), job) == []


BUNDLE = """\
bundle: {name: b}
artifacts: {pack: {type: whl, path: .}}
resources:
  pipelines:
    p: {name: p, catalog: c, libraries: [{file: {path: ./gone.sql}}]}
  jobs:
    j:
      name: j
      tasks:
        - task_key: wheel
          python_wheel_task: {package_name: p, entry_point: e}
          existing_cluster_id: c1
          libraries: [{whl: ./dist/*.whl}]
        - task_key: pipe
          pipeline_task: {pipeline_id: "${resources.pipelines.p.id}"}
"""


def test_a_bundle_is_told_by_lines_and_what_it_builds_counts_as_there(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    (tmp_path / "databricks.yml").write_text(BUNDLE)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "p"\nversion = "1"\n')
    (tmp_path / "gone.sql").write_text("SELECT 1")
    loaded = load(tmp_path)
    assert not loaded.errors
    (tmp_path / "gone.sql").unlink()
    assert [(problem.line, problem.severity.value) for problem in problems_of(settings, loaded)] == [
        (12, "error"),
        (15, "error"),
    ]

"""Loading definitions: every shape of JSON, bundles, and what is no definition."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from job_strategies import ANY_JSON

from medallion.errors import SpecError
from medallion.spec.definition import Loaded
from medallion.spec.loading import load
from medallion.spec.problems import Severity

SETTINGS = {"name": "j", "tasks": [{"task_key": "a", "notebook_task": {"notebook_path": "/n"}}]}


def write(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def texts(loaded: Loaded) -> list[str]:
    return [f"{problem.severity} {problem.path}: {problem.message}" for problem in loaded.problems]


@pytest.mark.parametrize(
    ("document", "key", "job_id"),
    [
        pytest.param(SETTINGS, "orders", None, id="bare settings"),
        pytest.param({"job_id": 7, "created_time": 1, "settings": SETTINGS}, "orders", 7, id="answer of GET"),
        pytest.param({"job_id": "7", "new_settings": SETTINGS}, "orders", 7, id="reset request"),
        pytest.param({"resources": {"jobs": {"daily": SETTINGS}}}, "daily", None, id="resources"),
    ],
)
def test_each_shape_of_json_gives_the_job(tmp_path: Path, document: Any, key: str, job_id: int | None) -> None:
    file = write(tmp_path / "orders.json", document)
    loaded = load(file)
    (definition,) = loaded.require()
    assert definition.job.to_json() == SETTINGS
    assert (definition.key, definition.job_id, definition.file, definition.root) == (key, job_id, file, tmp_path)
    assert (loaded.problems, loaded.read, definition.deployed) == ((), (file,), None)


@pytest.mark.parametrize(
    ("document", "path"),
    [
        pytest.param(SETTINGS | {"mystery": 1}, "$.mystery", id="bare settings"),
        pytest.param({"settings": SETTINGS | {"mystery": 1}}, "$.settings.mystery", id="envelope"),
        pytest.param({"settings": SETTINGS, "mystery": 1}, "$.mystery", id="beside the settings"),
        pytest.param(
            {"resources": {"jobs": {"j": SETTINGS | {"mystery": 1}}}}, "$.resources.jobs.j.mystery", id="resources"
        ),
    ],
)
def test_the_path_of_a_problem_starts_at_the_root_of_the_document(tmp_path: Path, document: Any, path: str) -> None:
    file = write(tmp_path / "j.json", document)
    (problem,) = load(file).problems
    text = file.read_text(encoding="utf-8")
    assert (problem.severity, problem.path, problem.line) == (Severity.WARNING, path, 1)
    assert problem.column == text.index('"mystery"') + 1


def test_what_the_bundle_tool_prints_is_read_with_its_own_folder(tmp_path: Path) -> None:
    (tmp_path / "databricks.yml").write_text("bundle: {name: b}\n", encoding="utf-8")
    (tmp_path / "out").mkdir()
    deployed = "/Workspace/Users/someone/.bundle/b/dev/files"
    task = {"task_key": "a", "run_if": "ODD", "notebook_task": {"notebook_path": f"{deployed}/src/n"}}
    call = {"task_key": "b", "run_job_task": {"job_id": "${resources.jobs.k.id}"}}
    file = write(
        tmp_path / "out" / "resolved.json",
        {
            "bundle": {"name": "b", "target": "dev"},
            "workspace": {"file_path": deployed},
            "resources": {"jobs": {"k": {"name": "k", "tasks": [task, call]}}, "pipelines": {"p": {"name": "p"}}},
        },
    )
    loaded = load(file)
    (definition,) = loaded.require()
    assert (definition.key, definition.root, definition.deployed) == ("k", tmp_path, deployed)
    assert loaded.resources == {"pipelines": {"p": {"name": "p"}}}
    assert [problem.severity for problem in loaded.problems] == [Severity.WARNING]


def test_a_job_with_an_error_is_left_out_and_the_others_are_there(tmp_path: Path) -> None:
    jobs = {"good": SETTINGS, "bad": SETTINGS | {"max_concurrent_runs": "x"}}
    loaded = load(write(tmp_path / "j.json", {"resources": {"jobs": jobs}}))
    assert [definition.key for definition in loaded.jobs] == ["good"]
    with pytest.raises(SpecError, match=r"resources\.jobs\.bad\.max_concurrent_runs"):
        loaded.require()


def test_references_to_resources_of_the_same_document_may_stand(tmp_path: Path) -> None:
    def calls(key: str) -> dict[str, Any]:
        call = {"task_key": "a", "run_job_task": {"job_id": f"${{resources.jobs.{key}.id}}"}}
        return {"name": key, "tasks": [call]}

    loaded = load(write(tmp_path / "j.json", {"resources": {"jobs": {"one": calls("two"), "two": calls("three")}}}))
    assert [(problem.path, problem.message) for problem in loaded.errors] == [
        (
            "$.resources.jobs.two.tasks[0].run_job_task.job_id",
            "the reference ${resources.jobs.three.id} is not resolved",
        )
    ]


def test_one_page_of_a_job_is_a_warning(tmp_path: Path) -> None:
    loaded = load(write(tmp_path / "j.json", {"job_id": 1, "has_more": True, "settings": SETTINGS}))
    assert texts(loaded) == ["warning $.has_more: this is one page of the job; the API has more tasks or clusters"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param("", "the file is empty", id="empty"),
        pytest.param("[1]", "a definition is a JSON object, not a list", id="list"),
        pytest.param("{}", "this is no job", id="nothing"),
        pytest.param('{"rows": [1]}', "this is no job", id="data"),
        pytest.param('{"resources": {"pipelines": {}}}', "resources holds no jobs", id="no jobs"),
        pytest.param('{"resources": 1}', "resources is no object", id="no resources"),
        pytest.param('{"settings": 1}', "a job is a JSON object, not 1", id="no settings"),
    ],
)
def test_what_is_no_job_is_an_error(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "j.json"
    file.write_text(content, encoding="utf-8")
    loaded = load(file)
    assert any(words in problem.message and problem.file == file for problem in loaded.errors)


def test_a_missing_file_names_its_neighbour(tmp_path: Path) -> None:
    write(tmp_path / "orders.json", SETTINGS)
    (problem,) = load(tmp_path / "order.json").problems
    assert (problem.message, problem.hint) == ("there is no such file", "did you mean orders.json?")
    (problem,) = load(tmp_path / "nowhere" / "order.json").problems
    assert problem.message == "there is no such file"


def test_a_folder_without_a_bundle_says_what_is_in_it(tmp_path: Path) -> None:
    (problem,) = load(tmp_path).problems
    assert (problem.message, problem.hint) == ("the folder has no databricks.yml", None)
    write(tmp_path / "orders.json", SETTINGS)
    (problem,) = load(tmp_path).problems
    assert problem.hint == f"it holds 1 definitions, such as {tmp_path / 'orders.json'}"


def test_a_yaml_file_of_a_bundle_says_which_bundle_to_load(tmp_path: Path) -> None:
    (tmp_path / "databricks.yml").write_text("bundle: {name: b}\n", encoding="utf-8")
    (tmp_path / "resources").mkdir()
    part = tmp_path / "resources" / "job.yml"
    part.write_text("resources: {}\n", encoding="utf-8")
    (problem,) = load(part).problems
    assert problem.hint == f"load {tmp_path / 'databricks.yml'}"


@pytest.mark.parametrize("as_file", [pytest.param(True, id="root file"), pytest.param(False, id="folder")])
def test_a_bundle_is_loaded_by_its_folder_or_its_root_file(tmp_path: Path, as_file: bool) -> None:
    root = tmp_path / "databricks.yml"
    text = (
        "bundle: {name: b}\n"
        "variables: {who: {default: nobody}}\n"
        "targets: {dev: {default: true}, prod: {}}\n"
        "resources: {jobs: {k: {name: 'for ${var.who} in ${bundle.target}',"
        " tasks: [{task_key: a, notebook_task: {notebook_path: /n}}]}}}\n"
    )
    root.write_text(text, encoding="utf-8")
    (definition,) = load(root if as_file else tmp_path, target="prod", variables={"who": "me"}).require()
    assert (definition.key, definition.job.name, definition.file) == ("k", "for me in prod", root)


def test_a_bundle_without_jobs_says_so(tmp_path: Path) -> None:
    (tmp_path / "databricks.yml").write_text("bundle: {name: b}\n", encoding="utf-8")
    (problem,) = load(tmp_path).problems
    assert (problem.severity, problem.message) == (Severity.NOTE, "the bundle has no jobs")


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    value=ANY_JSON
    | st.dictionaries(st.sampled_from(["tasks", "settings", "resources", "bundle", "workspace"]), ANY_JSON)
)
def test_no_document_breaks_loading(tmp_path: Path, value: Any) -> None:
    loaded = load(write(tmp_path / "j.json", value))
    assert loaded.jobs or loaded.errors


VIEW_AS_YAML = """\
resources:
  jobs:
    daily:
      name: Daily
      tasks:
        - task_key: a
          notebook_task:
            notebook_path: {path}
"""


def test_a_yaml_file_of_its_own_gives_its_jobs(tmp_path: Path) -> None:
    file = tmp_path / "view.yml"
    file.write_text(VIEW_AS_YAML.format(path="/n"), encoding="utf-8")
    loaded = load(file)
    (definition,) = loaded.require()
    assert (definition.key, definition.job.name, definition.file, definition.root) == ("daily", "Daily", file, tmp_path)
    assert (loaded.problems, loaded.read, definition.deployed) == ((), (file,), None)


@pytest.mark.parametrize(
    ("text", "severity", "message", "line"),
    [
        pytest.param(
            VIEW_AS_YAML.format(path='"${var.n}"'), "error", "${var.n} counts in a bundle only", 8, id="variable"
        ),
        pytest.param(VIEW_AS_YAML.format(path="/n") + "targets: {}\n", "warning", "counts in a bundle", 9, id="more"),
        pytest.param("a: 1\n", "error", "holds jobs under resources.jobs", None, id="no resources"),
        pytest.param("resources: {pipelines: {}}\n", "error", "holds jobs under resources.jobs", None, id="no jobs"),
        pytest.param("resources: {jobs: ]}\n", "error", "not YAML", 1, id="not YAML"),
        pytest.param("- 1\n", "error", "holds jobs under resources.jobs", None, id="list"),
        pytest.param("", "error", "holds jobs under resources.jobs", None, id="empty"),
        pytest.param("resources:\n  jobs: 3\n", "error", "resources holds no jobs", 2, id="jobs are a number"),
    ],
)
def test_a_yaml_file_says_what_keeps_it_from_being_a_job_file(
    tmp_path: Path, text: str, severity: str, message: str, line: int | None
) -> None:
    file = tmp_path / "view.yml"
    file.write_text(text, encoding="utf-8")
    problem = load(file).problems[0]
    assert (problem.severity, problem.line) == (severity, line), problem
    assert message in problem.message
    if "bundle only" in message or "resources.jobs" in message:
        assert "databricks.yml" in str(problem.hint)
        assert "include: ['view.yml']" in str(problem.hint)

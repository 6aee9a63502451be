"""Bundles with Python code, run by a stand-in that speaks the command line of databricks-bundles."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from medallion.spec.bundle import Resolved, resolve_bundle

BUILD = """
import argparse, importlib, json, sys
parser = argparse.ArgumentParser()
for name in ("phase", "input", "output", "diagnostics", "locations"):
    parser.add_argument("--" + name)
options = parser.parse_args()
data = json.load(open(options.input))
code = data["experimental"]["python"]
sys.path.insert(0, ".")
places = []
for name in code.get("resources" if options.phase == "load_resources" else "mutators") or []:
    module, function = name.split(":")
    getattr(importlib.import_module(module), function)(data, places)
with open(options.diagnostics, "w") as file:
    for line in data.pop("complaints", []):
        file.write(json.dumps(line) + "\\n")
with open(options.locations, "w") as file:
    for line in places:
        file.write(json.dumps(line) + "\\n")
json.dump(data, open(options.output, "w"))
"""
ROOT = """
    bundle: {name: x}
    python: {venv_path: env, resources: ["made:load"], mutators: ["made:change"]}
    resources: {jobs: {y: {name: yaml}}}
"""
CODE = """
    def load(data, places):
        task = {"task_key": "a", "notebook_task": {"notebook_path": "n.py"}}
        data["resources"]["jobs"]["p"] = {"name": "python", "tasks": [task]}
        places.append({"path": "resources.jobs.p", "file": "made.py", "line": 3, "column": 5})

    def change(data, places):
        for job in data["resources"]["jobs"].values():
            job["description"] = "changed"
"""


@pytest.fixture
def with_environment(write: Callable[..., Path]) -> Callable[..., Resolved]:
    """Writes a bundle with Python code beside an environment that has the stand-in."""

    def resolve(code: str, root: str = ROOT, environ: dict[str, str] | None = None) -> Resolved:
        folder = write(
            root, {"made.py": code, "env/lib/databricks/bundles/build.py": BUILD, "env/bin/python": "#!/bin/sh"}
        )
        python = folder / "env/bin/python"
        python.write_text(f'#!/bin/sh\nPYTHONPATH="{folder}/env/lib" exec {sys.executable} -S "$@"\n')
        python.chmod(0o755)
        return resolve_bundle(folder, environ={} if environ is None else environ)

    return resolve


def test_python_code_makes_and_changes_jobs(with_environment: Callable[..., Resolved]) -> None:
    resolved = with_environment(CODE)
    assert not resolved.problems
    jobs = resolved.resources["jobs"]
    assert {key: job["description"] for key, job in jobs.items()} == {"y": "changed", "p": "changed"}
    assert jobs["p"]["max_concurrent_runs"] == 1
    assert jobs["p"]["tasks"][0]["notebook_task"]["notebook_path"].endswith("/.bundle/x/default/files/n")
    assert [file.name for file in resolved.read] == ["databricks.yml", "made.py"]


def test_presets_reach_jobs_made_in_python_once(with_environment: Callable[..., Resolved]) -> None:
    resolved = with_environment(CODE, dedent(ROOT) + "targets: {dev: {mode: development}}\n")
    assert [job["name"] for job in resolved.resources["jobs"].values()] == [
        "[dev someone] yaml",
        "[dev someone] python",
    ]


def test_complaints_of_the_code_are_problems_at_its_lines(with_environment: Callable[..., Resolved]) -> None:
    code = """
        def load(data, places):
            where = {"file": "made.py", "line": 7, "column": 1}
            data["complaints"] = [{"severity": "error", "summary": "no such table", "location": where}]
        def change(data, places): pass
    """
    resolved = with_environment(code)
    problem = resolved.errors[0]
    assert (problem.message, problem.file.name, problem.line) == ("no such table", "made.py", 7)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def load(data, places): raise ValueError('boom')", "boom"),
        ("def other(): pass", "load"),
        ("def load(data, places):\n    data['resources'] = 5\ndef change(data, places): pass", "expected map"),
    ],
)
def test_code_that_fails_is_an_error(with_environment: Callable[..., Resolved], code: str, words: str) -> None:
    resolved = with_environment(code)
    assert any(words in problem.message for problem in resolved.problems)


def test_code_is_not_run_where_that_is_forbidden(with_environment: Callable[..., Resolved]) -> None:
    resolved = with_environment(CODE, environ={"DATABRICKS_BUNDLE_RESTRICTED_CODE_EXECUTION": "1"})
    assert "forbids" in resolved.errors[0].message


def test_without_an_environment_the_error_says_what_to_do(resolve: Callable[..., Resolved]) -> None:
    resolved = resolve("bundle: {name: x}\npython: {resources: ['made:load']}\nresources: {jobs: {j: {}}}")
    assert "databricks-bundles" in str(resolved.errors[0])
    assert (resolved.errors[0].line, list(resolved.resources["jobs"])) == (2, ["j"])


def test_an_environment_without_the_package_is_named(write: Callable[..., Path]) -> None:
    folder = write(ROOT, {"env/bin/python": ""})
    (folder / "env/bin/python").write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    (folder / "env/bin/python").chmod(0o755)
    resolved = resolve_bundle(folder, environ={})
    assert "has no databricks-bundles" in resolved.errors[0].message

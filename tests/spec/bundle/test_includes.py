from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medallion.spec.bundle import Resolved, resolve_bundle
from medallion.spec.bundle.includes import glob, go_pattern

Resolve = Callable[..., Resolved]


def job(name: str) -> str:
    return f"resources: {{jobs: {{{name}: {{}}}}}}"


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("r/*.yml", ["a.yml", "b.yml"]),
        ("r/**/*.yml", ["c.yml"]),
        ("r/*/*.yml", ["c.yml"]),
        ("r/[ab].yml", ["a.yml", "b.yml"]),
        ("r/[^a].yml", ["b.yml"]),
        ("r/?.yaml", ["d.yaml"]),
        ("./r/../r/a.yml", ["a.yml"]),
        ("r/\\a.yml", ["a.yml"]),
        ("r/x*.yml", []),
    ],
)
def test_patterns_match_as_go_matches_them(tmp_path: Path, pattern: str, names: list[str]) -> None:
    for name in ("r/b.yml", "r/a.yml", "r/deep/c.yml", "r/deep/er/e.yml", "r/d.yaml", "r/n.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [file.name for file in sorted(glob(tmp_path, pattern, []))] == names


def test_a_star_matches_names_with_a_dot_in_front_and_no_slash() -> None:
    assert go_pattern("*.yml").fullmatch(".hidden.yml")
    assert not go_pattern("*").fullmatch("a/b")


@given(st.text("ab*?.", max_size=10), st.text("ab.", max_size=12))
def test_a_pattern_is_what_its_parts_say(pattern: str, name: str) -> None:
    spelled = {"*": "[^/]*", "?": "[^/]"}
    plain = "".join(spelled.get(letter, re.escape(letter)) for letter in pattern)
    assert bool(go_pattern(pattern).fullmatch(name)) == bool(re.fullmatch(plain, name))


@pytest.mark.parametrize("pattern", ["*a" * 120 + "*b", "*" * 4000, "[" * 100_000, "*[a-z]" * 600])
def test_no_pattern_takes_long(pattern: str) -> None:
    begun = time.process_time()
    go_pattern(pattern).fullmatch("a" * 255)
    assert time.process_time() - begun < 1


def test_files_are_read_once_pattern_by_pattern_and_sorted(resolve: Resolve) -> None:
    files = {
        "r/b.yml": job("b"),
        "r/a.yml": job("a"),
        "first.yml": job("first"),
        "r/z.json": '{"resources": {"jobs": {"z": {}}}}',
    }
    resolved = resolve("bundle: {name: x}\ninclude: ['first.yml', 'r/*', '*.yml']", files)
    assert not resolved.problems
    assert list(resolved.resources["jobs"]) == ["first", "a", "b", "z"]
    read = [str(path.relative_to(resolved.root)) for path in resolved.read]
    assert read == ["databricks.yml", "first.yml", "r", "r/a.yml", "r/b.yml", "r/z.json", "."]


@pytest.mark.parametrize(
    ("include", "files", "words"),
    [
        pytest.param("/etc/*.yml", {}, "relative path", id="absolute"),
        pytest.param("nope.yml", {}, "nope.yml matches no file", id="a file that is not there"),
        pytest.param("*.py", {}, "n.py is included and is no YAML", id="neither YAML nor JSON"),
        pytest.param("a.yml", {"a.yml": "a: [1"}, "not YAML", id="a file that is no YAML"),
    ],
)
def test_errors(resolve: Resolve, include: str, files: dict[str, str], words: str) -> None:
    resolved = resolve(f"bundle: {{name: x}}\ninclude:\n  - '{include}'", files)
    assert words in resolved.errors[0].message


def test_a_pattern_without_a_match_is_no_error(resolve: Resolve) -> None:
    assert not resolve("bundle: {name: x}\ninclude: ['resources/*.yml']").problems


def test_a_file_outside_of_the_bundle_may_be_included(resolve: Resolve, write: Callable[..., Path]) -> None:
    folder = write("", {"shared.yml": job("s"), "in/databricks.yml": "bundle: {name: x}\ninclude: ['../shared.yml']"})
    assert list(resolve_bundle(folder / "in", environ={}).resources["jobs"]) == ["s"]


def test_an_include_in_an_included_file_is_not_followed(resolve: Resolve) -> None:
    files = {"a.yml": "include: ['b.yml']", "b.yml": job("b")}
    resolved = resolve("bundle: {name: x}\ninclude: ['a.yml']", files)
    assert not resolved.resources
    assert (resolved.problems[0].severity, resolved.problems[0].file.name) == ("warning", "a.yml")


def test_two_files_that_define_one_job_are_an_error_at_both_places(resolve: Resolve) -> None:
    files = {"a.yml": job("j"), "b.yml": job("j")}
    resolved = resolve("bundle: {name: x}\ninclude: ['*.yml']", files)
    assert [problem.file.name for problem in resolved.errors] == ["a.yml", "b.yml"]


def test_one_key_for_a_job_and_a_pipeline_is_an_error(resolve: Resolve) -> None:
    resolved = resolve("bundle: {name: x}\nresources: {jobs: {k: {}}, pipelines: {k: {}}}\nscripts: {k: {content: ls}}")
    assert [problem.path for problem in resolved.errors] == [
        "$.resources.jobs.k",
        "$.resources.pipelines.k",
        "$.scripts.k",
    ]


def test_a_file_named_for_one_job_should_define_one(resolve: Resolve) -> None:
    files = {"one.job.yml": job("a"), "two.job.yml": "resources: {jobs: {b: {}, c: {}}}"}
    resolved = resolve("bundle: {name: x}\ninclude: ['*.job.yml']", files)
    assert [(problem.severity, problem.file.name) for problem in resolved.problems] == [("note", "two.job.yml")]


@pytest.mark.parametrize("name", ["databricks.yml", "databricks.yaml", "bundle.yml", "bundle.yaml"])
def test_root_file_names(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("bundle: {name: x}")
    assert resolve_bundle(tmp_path, environ={}).file == tmp_path / name
    assert not resolve_bundle(tmp_path / name, environ={}).problems


def test_no_root_file_and_two_root_files_are_errors(tmp_path: Path) -> None:
    assert "no bundle's root file" in resolve_bundle(tmp_path, environ={}).errors[0].message
    for name in ("databricks.yml", "bundle.yml"):
        (tmp_path / name).write_text("bundle: {name: x}")
    assert "databricks.yml, bundle.yml" in resolve_bundle(tmp_path, environ={}).errors[0].message

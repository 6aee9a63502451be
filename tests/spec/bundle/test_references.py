from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from medallion.spec.bundle import Resolved
from medallion.spec.bundle.references import has_reference, is_whole_reference, number_text, reference_names, split_name

Resolve = Callable[..., Resolved]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        pytest.param("${var.a}", ["var.a"], id="one"),
        pytest.param("${a.b} and ${c}", ["a.b", "c"], id="two in a text"),
        pytest.param("${a.b[0].c[1][2]}", ["a.b[0].c[1][2]"], id="indexes"),
        pytest.param("${var.a-b_c}", ["var.a-b_c"], id="inner - and _"),
        pytest.param("${var.größe}", ["var.größe"], id="letters of any language"),
        pytest.param("$${var.a}", ["var.a"], id="there is no escape"),
        pytest.param("${var.a-}", [], id="no - at the end"),
        pytest.param("${var._a}", [], id="no _ at the start"),
        pytest.param("${1a}", [], id="no digit at the start"),
        pytest.param("${var.0}", [], id="no number as a segment"),
        pytest.param("${var a}", [], id="no blank"),
        pytest.param("${}", [], id="no name"),
        pytest.param("{{job.id}} ${HOME", [], id="not closed"),
        pytest.param("${var.a.${var.b}}", ["var.b"], id="the inner one counts"),
    ],
)
def test_what_a_reference_looks_like(text: str, names: list[str]) -> None:
    assert reference_names(text) == names
    assert has_reference(text) == bool(names)
    assert is_whole_reference(text) == (names != [] and text == "${" + names[0] + "}")


def test_a_long_text_that_is_almost_a_reference_is_read_fast() -> None:
    assert reference_names("${" + "a-" * 20_000) == []


def test_names_split_into_steps() -> None:
    assert split_name("a.b-c[0].d[1][2]") == ("a", "b-c", 0, "d", 1, 2)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e3, "1000"),
        (1.5, "1.5"),
        (1e21, "1e+21"),
        (1e20, "100000000000000000000"),
        (0.0001, "0.0001"),
        (1e-5, "1e-05"),
    ],
)
def test_numbers_inside_a_text_are_written_as_the_cli_writes_them(value: float, text: str) -> None:
    assert number_text(value) == text


BUNDLE = """
    bundle: {name: shop}
    variables:
      n: {default: 3}
      on: {default: true}
      half: {default: 1.50}
      day: {default: 2026-11-22}
      word: {default: "${bundle.name}_${var.n}"}
      deep: {type: complex, default: {list: [{name: x}, {name: "${var.word}"}]}}
    resources:
      jobs:
        j:
          name: %s
          max_concurrent_runs: ${var.n}
          tags: {v: "${var.n}"}
          tasks: [{task_key: a, sql_task: {warehouse_id: w, query: {query_id: q}}}]
"""


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("${var.n}", "3"),
        ("${var.on}", "true"),
        ("${var.half}", "1.5"),
        ("${var.day}", "2026-11-22"),
        ("'${var.n}/${var.on}/${var.half}/${var.day}'", "3/true/1.5/2026-11-22"),
        ("${var.word}", "shop_3"),
        ("${var.deep.list[1].name}", "shop_3"),
        ("${variables.n.value}", "3"),
        ("${bundle.target}/${bundle.environment}", "default/default"),
        ("${workspace.current_user.userName}", "anna.k@x.org"),
        ("${workspace.current_user.short_name}", "anna_k"),
        ("${workspace.current_user.domain_friendly_name}", "anna-k"),
        ("${workspace.file_path}", "/Workspace/Users/anna.k@x.org/.bundle/shop/default/files"),
        ("'[${bundle.git.origin_url}]'", "[]"),
        ("'[${workspace.host}]'", "[]"),
        ("'${resources.jobs.j.id} {{job.id}}'", "${resources.jobs.j.id} {{job.id}}"),
        ("$${var.n}", "$3"),
    ],
)
def test_references_in_a_job(resolve: Resolve, written: str, name: str) -> None:
    resolved = resolve(BUNDLE % written, user="anna.k@x.org")
    assert not resolved.problems
    job = resolved.resources["jobs"]["j"]
    assert (job["name"], job["max_concurrent_runs"], job["tags"]) == (name, 3, {"v": "3"})


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("${var.wrd}", "did you mean ${var.word}?"),
        ("${var.deep.lst}", "did you mean ${var.deep.list}?"),
        ("${var.deep.list[7].name}", "does not exist"),
        ("${var.word.x}", "does not exist"),
        ("${bundle.nam}", "did you mean ${bundle.name}?"),
        ("${workspace.current_user.shortname}", "did you mean ${workspace.current_user.short_name}?"),
        ("'x${var.deep}'", "cannot be put inside a text"),
        ("${variables.wrd.value}", "did you mean ${variables.word.value}?"),
    ],
)
def test_a_reference_that_leads_nowhere_is_an_error_at_its_place(resolve: Resolve, written: str, words: str) -> None:
    resolved = resolve(BUNDLE % written)
    problem = next(problem for problem in resolved.errors if problem.path == "$.resources.jobs.j.name")
    assert words in str(problem)
    assert (problem.line, problem.column) == (13, 13)


def test_all_errors_come_at_once(resolve: Resolve) -> None:
    resolved = resolve(
        """
        bundle: {name: x}
        variables: {a: {}, b: {}}
        resources:
          jobs:
            j: {name: "${var.c}", description: "${bundle.x}", tasks: [{task_key: t, notebook_task: {notebook_path: m.py}}]}
        """
    )
    assert len(resolved.errors) == 5


def test_a_cycle_is_an_error(resolve: Resolve) -> None:
    resolved = resolve("bundle: {name: x}\nvariables: {a: {default: 'x ${var.b}'}, b: {default: '${var.a}'}}")
    assert "var.b -> var.a -> var.b" in resolved.errors[0].message


def test_a_variable_that_holds_itself_ends_with_a_warning(resolve: Resolve) -> None:
    text = "bundle: {name: x}\nvariables: {a: {type: complex, default: {k: '${var.a}', l: '${var.a}'}}}"
    resolved = resolve(text)
    assert not resolved.errors
    assert "too deeply" in resolved.problems[0].message


def test_references_that_double_a_text_are_bounded(resolve: Resolve) -> None:
    doubled = "".join(f"  v{n}: {{default: '${{var.v{n - 1}}}${{var.v{n - 1}}}'}}\n" for n in range(1, 40))
    resolved = resolve(f"bundle: {{name: x}}\nvariables:\n  v0: {{default: abcdefgh}}\n{doubled}")
    assert any("longer than" in problem.message for problem in resolved.errors)


def test_eleven_rounds_are_enough_for_ten_levels_of_whole_references(resolve: Resolve) -> None:
    levels = "".join(f"  v{n}: {{default: {{k: '${{var.v{n - 1}}}'}}}}\n" for n in range(1, 9))
    resolved = resolve(
        f"bundle: {{name: x}}\nvariables:\n  v0: {{default: end}}\n{levels}"
        "resources: {jobs: {j: {name: '${var.v8.k.k.k.k.k.k.k.k}'}}}"
    )
    assert resolved.resources["jobs"]["j"]["name"] == "end"


@pytest.mark.parametrize(
    "text", ["${a.b" + "[0]" * 50_000, "${" * 50_000, "${" + "a.b-" * 50_000, "${a" + "-_" * 50_000]
)
def test_no_text_takes_long(text: str) -> None:
    begun = time.process_time()
    assert list(reference_names(text)) == []
    assert not has_reference(text)
    assert time.process_time() - begun < 1

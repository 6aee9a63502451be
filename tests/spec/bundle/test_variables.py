from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from medallion.spec.bundle import Resolved

Resolve = Callable[..., Resolved]
BUNDLE = """
    bundle: {name: x}
    variables:
      a: {default: default}
      c: {type: complex, default: {k: 1}}
    targets:
      dev: {variables: {a: target}}
      prod: {}
"""
OVERRIDES = {".databricks/bundle/dev/variable-overrides.json": json.dumps({"a": "file", "c": {"k": 2}})}


@pytest.mark.parametrize(
    ("target", "files", "environ", "given", "value"),
    [
        pytest.param("prod", {}, {}, {}, "default", id="default"),
        pytest.param("dev", {}, {}, {}, "target", id="the target beats the default"),
        pytest.param("dev", OVERRIDES, {}, {}, "file", id="the file beats the target"),
        pytest.param("prod", OVERRIDES, {}, {}, "default", id="the file is the target's own"),
        pytest.param("dev", OVERRIDES, {"BUNDLE_VAR_a": "env"}, {}, "env", id="the environment beats the file"),
        pytest.param("dev", OVERRIDES, {"BUNDLE_VAR_a": "env"}, {"a": "given"}, "given", id="--var beats all"),
        pytest.param("dev", {}, {"BUNDLE_VAR_a": ""}, {}, "", id="an empty text is a value"),
    ],
)
def test_precedence(
    resolve: Resolve, target: str, files: dict[str, str], environ: dict[str, str], given: dict[str, str], value: str
) -> None:
    resolved = resolve(BUNDLE, files, target=target, environ=environ, variables=given)
    assert not resolved.errors
    assert resolved.variables["a"] == value


def test_the_file_can_set_complex_variables_and_is_watched(resolve: Resolve) -> None:
    resolved = resolve(BUNDLE, OVERRIDES, target="dev")
    assert resolved.variables["c"] == {"k": 2}
    assert [file.name for file in resolved.read] == ["databricks.yml", "variable-overrides.json"]


@pytest.mark.parametrize(
    ("text", "arguments", "words"),
    [
        pytest.param("variables: {a: {}}", {}, "no value assigned to required variable a", id="no value"),
        pytest.param("variables: {a: }", {}, "no value assigned to required variable a", id="nothing at all"),
        pytest.param("variables: {a: {default: }}", {}, "required variable a", id="null is no value"),
        pytest.param(
            "variables: {abc: {default: 1}}", {"variables": {"abd": "1"}}, "did you mean abc?", id="--var of none"
        ),
        pytest.param(
            "variables: {a: {type: complex, default: {}}}",
            {"variables": {"a": "1"}},
            "--var cannot set it",
            id="complex --var",
        ),
        pytest.param(
            "variables: {a: {type: complex, default: {}}}",
            {"environ": {"BUNDLE_VAR_a": "1"}},
            "BUNDLE_VAR_a cannot set it",
            id="complex in the environment",
        ),
        pytest.param("targets: {t: {variables: {a: 1}}}", {}, "variable a is not defined", id="new in a target"),
        pytest.param("variables: {a: {lookup: {cluster: c}}}", {}, "no id is known for the cluster c", id="lookup"),
        pytest.param("variables: {a: {lookup: {cluster: c, job: j}}}", {}, "exactly one", id="two lookups"),
        pytest.param(
            "variables: {a: {lookup: {cluster: '${var.b}'}}, b: {lookup: {job: j}}}",
            {},
            "another variable",
            id="lookup in lookup",
        ),
    ],
)
def test_errors(resolve: Resolve, text: str, arguments: dict, words: str) -> None:
    resolved = resolve(f"bundle: {{name: x}}\n{text}", **arguments)
    assert any(words in str(problem) for problem in resolved.errors), resolved.problems


@pytest.mark.parametrize(
    ("value", "words"), [({"a": {"k": 1}}, "not complex"), ({"c": "text"}, "complex"), ([1], "object of values")]
)
def test_a_file_of_overrides_that_does_not_fit_is_an_error(resolve: Resolve, value: object, words: str) -> None:
    files = {".databricks/bundle/dev/variable-overrides.json": json.dumps(value)}
    resolved = resolve(BUNDLE, files, target="dev")
    assert words in resolved.errors[0].message
    assert resolved.errors[0].file.name == "variable-overrides.json"


def test_lookups_use_the_users_map(resolve: Resolve) -> None:
    text = """
        bundle: {name: x}
        variables:
          name: {default: Shared}
          w: {lookup: {warehouse: "${var.name}"}}
        resources: {jobs: {j: {tasks: [{task_key: a, sql_task: {warehouse_id: "${var.w}", query: {query_id: q}}}]}}}
    """
    resolved = resolve(text, lookups={"warehouse": {"Shared": "abc"}})
    assert not resolved.problems
    assert resolved.resources["jobs"]["j"]["tasks"][0]["sql_task"]["warehouse_id"] == "abc"


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("5", 5),
        ("{default: 6}", 6),
        ("{k: 1}", {"k": 1}),
        ("[1, 2]", [1, 2]),
        ("{default: {k: 2}, type: complex}", {"k": 2}),
        ("{lookup: {job: j}}", "7"),
    ],
)
def test_short_and_full_overrides_in_a_target(resolve: Resolve, override: str, value: object) -> None:
    text = f"bundle: {{name: x}}\nvariables: {{a: {{default: 0}}}}\ntargets: {{t: {{variables: {{a: {override}}}}}}}"
    resolved = resolve(text, lookups={"job": {"j": "7"}})
    assert not resolved.problems
    assert resolved.variables["a"] == value


def test_a_default_in_a_target_puts_a_lookup_out_of_force(resolve: Resolve) -> None:
    text = "bundle: {name: x}\nvariables: {a: {lookup: {job: j}}}\ntargets: {t: {variables: {a: id}}}"
    resolved = resolve(text)
    assert (resolved.problems, resolved.variables["a"]) == ((), "id")


def test_the_name_of_a_warehouse_stands_in_for_its_id(resolve: Resolve) -> None:
    """SQL runs on any driver, so a warehouse that no setting knows is no obstacle."""
    text = "bundle: {name: x}\nvariables: {w: {lookup: {warehouse: Shared}}}\n"
    text += "resources: {alerts: {a: {warehouse_id: '${var.w}'}}}"
    resolved = resolve(text)
    assert not resolved.errors
    assert any("no id is known for the warehouse Shared" in str(problem) for problem in resolved.problems)
    assert resolved.resources["alerts"]["a"]["warehouse_id"] == "Shared"
    known = resolve(text, lookups={"warehouse": {"Shared": "w1"}})
    assert known.resources["alerts"]["a"]["warehouse_id"] == "w1"

from __future__ import annotations

from collections.abc import Callable

import pytest

from medallion.spec.bundle import Resolved
from medallion.spec.bundle.normalize import normalize
from medallion.spec.bundle.report import Report
from medallion.spec.bundle.schema import BOOL, FLOAT, INT, TEXT, ListOf, MapOf, Schema, struct
from medallion.spec.bundle.tree import plain
from medallion.spec.bundle.yaml import parse_yaml

Resolve = Callable[..., Resolved]


def fit(schema: Schema, text: str) -> tuple[object, list[str]]:
    report = Report()
    node = normalize(schema, parse_yaml(text)[0], report)
    return (plain(node) if node is not None else "dropped"), [problem.message for problem in report.problems]


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        (TEXT, "5", "5"),
        (TEXT, "true", "true"),
        (TEXT, "1.50", "1.5"),
        (TEXT, "1e3", "1000"),
        (TEXT, "1e-7", "0.0000001"),
        (TEXT, ".inf", "+Inf"),
        (TEXT, "2026-11-22", "2026-11-22"),
        (BOOL, "yes", True),
        (BOOL, "'On'", True),
        (BOOL, "n", False),
        (BOOL, "OFF", False),
        (INT, "'12'", 12),
        (INT, "'-012'", -12),
        (INT, "2.0", 2),
        (INT, "1e3", 1000),
        (FLOAT, "3", 3.0),
        (FLOAT, "'0.5'", 0.5),
        (INT, "${var.x}", "${var.x}"),
        (BOOL, "${var.x}", "${var.x}"),
        (struct(a=TEXT), "${var.x}", "${var.x}"),
        (ListOf(INT), "${var.x}", "${var.x}"),
        (MapOf(TEXT), "{a: 1, b: no}", {"a": "1", "b": "no"}),
        (struct(a=TEXT), "null", None),
    ],
)
def test_values_are_made_to_fit(schema: Schema, text: str, value: object) -> None:
    assert fit(schema, text) == (value, [])


@pytest.mark.parametrize(
    ("schema", "text", "value", "words"),
    [
        (TEXT, "null", "dropped", "found null"),
        (TEXT, "[a]", "dropped", "expected string, found sequence"),
        (BOOL, "maybe", "dropped", "expected bool, found string"),
        (BOOL, "1", "dropped", "expected bool, found int"),
        (INT, "2.5", "dropped", "2.5"),
        (INT, "two", "dropped", '"two"'),
        (INT, "'x${var.x}'", "dropped", "integer"),
        (INT, "true", "dropped", "expected int, found bool"),
        (FLOAT, "much", "dropped", "number"),
        (struct(a=TEXT), "text", "dropped", "expected map, found string"),
        (ListOf(TEXT), "{a: 1}", "dropped", "expected sequence, found map"),
        (ListOf(INT), "[1, x, 3]", [1, 3], '"x"'),
        (MapOf(INT), "{a: 1, b: x}", {"a": 1}, '"x"'),
        (struct(a=INT), "{a: 1, aa: 2}", {"a": 1}, "unknown field: aa"),
    ],
)
def test_what_does_not_fit_is_dropped_with_a_warning(schema: Schema, text: str, value: object, words: str) -> None:
    found, messages = fit(schema, text)
    assert found == value
    assert len(messages) == 1
    assert words in messages[0]


def test_anchors_and_what_holds_only_anchors_are_no_unknown_fields() -> None:
    text = "{a: 1, base: &b {x: 1}, more: [&c {x: 1}, &d [2]], mixed: [&e {x: 1}, {y: 1}]}"
    assert fit(struct(a=INT), text) == ({"a": 1}, ["unknown field: mixed"])


def test_an_unknown_field_in_a_target_that_is_not_chosen_is_reported(resolve: Resolve) -> None:
    resolved = resolve("bundle: {name: x}\ntargets: {a: {default: true}, b: {resorces: {}}}")
    assert str(resolved.problems[0]).endswith("$.targets.b.resorces: unknown field: resorces (did you mean resources?)")


def test_empty_texts_in_optional_fields_are_dropped(resolve: Resolve) -> None:
    resolved = resolve(
        """
        bundle: {name: x}
        resources: {jobs: {j: {description: "", parameters: [{name: p, default: ""}], tags: {a: ""}}}}
        """
    )
    job = resolved.resources["jobs"]["j"]
    assert "description" not in job
    assert (job["parameters"], job["tags"]) == ([{"name": "p", "default": ""}], {"a": ""})


def test_resources_that_do_not_run_locally_are_kept_as_they_are(resolve: Resolve) -> None:
    resolved = resolve("bundle: {name: x}\nresources: {apps: {a: {name: d, own: [1, {b: null}]}}}")
    assert resolved.resources["apps"]["a"]["own"] == [1, {"b": None}]
    assert not resolved.problems

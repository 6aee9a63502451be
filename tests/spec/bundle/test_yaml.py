from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from medallion.spec.bundle.tree import TreePositions, plain
from medallion.spec.bundle.yaml import MAX_DEPTH, parse_yaml, read_yaml
from medallion.spec.source import SourceError


def read(text: str) -> object:
    return plain(parse_yaml(text)[0])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("", None, id="nothing"),
        pytest.param("# only words", None, id="comment"),
        pytest.param("a: no\nb: 010\nc: 12:30", {"a": "no", "b": 10, "c": "12:30"}, id="scalars"),
        pytest.param("a: 'no'\nb: \"010\"", {"a": "no", "b": "010"}, id="quoted scalars are text"),
        pytest.param("a: !!str 010\nb: !!int '7'", {"a": "010", "b": 7}, id="tags"),
        pytest.param("true_: x\nnull: y\n~: z", {"true_": "x", "null": "y", "~": "z"}, id="null keys keep their text"),
        pytest.param("on: x\nno: y", {"on": "x", "no": "y"}, id="on and no are text as keys"),
        pytest.param("a: &x {p: 1}\nb: *x", {"a": {"p": 1}, "b": {"p": 1}}, id="alias"),
        pytest.param(
            "a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}", {"a": {"p": 1, "q": 2}, "b": {"p": 1, "q": 3}}, id="merge key"
        ),
        pytest.param(
            "a: &x {p: 1}\nb: &y {p: 2, q: 2}\nc: {<<: [*x, *y]}",
            {"a": {"p": 1}, "b": {"p": 2, "q": 2}, "c": {"p": 2, "q": 2}},
            id="the last of several merged maps wins",
        ),
        pytest.param("'<<': x", {"<<": "x"}, id="a quoted << is a key"),
        pytest.param("a: |\n  x\n  y\nb: >-\n  x\n  y", {"a": "x\ny\n", "b": "x y"}, id="block scalars"),
        pytest.param("a: 1\n---\nb: 2", {"a": 1}, id="the first document counts"),
        pytest.param('{"a": [1, 2.5, null, true]}', {"a": [1, 2.5, None, True]}, id="JSON"),
    ],
)
def test_documents(text: str, value: object) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    ("text", "words", "place"),
    [
        pytest.param("a: &x {p: 1}\nb:\n  <<: *x\n  <<: *x", "<<", (4, 3), id="two merge keys"),
        pytest.param("a: {<<: 1}", "<<", (1, 9), id="merging a number"),
        pytest.param("a: {<<: {b: 1}}", "<<", (1, 9), id="merging a map in place"),
        pytest.param("a:\n  1: x", "1", (2, 3), id="a number as a key"),
        pytest.param("true: x", "true", (1, 1), id="a boolean as a key"),
        pytest.param("[a]: x", "key", (1, 1), id="a list as a key"),
        pytest.param("a: &x [*x]", "itself", (1, 8), id="an alias to itself"),
        pytest.param("a: *x", "x", (1, 4), id="an alias to nothing"),
        pytest.param("a: !!binary AA==", "binary", (1, 4), id="binary"),
        pytest.param("a: !own x", "own", (1, 4), id="a tag of one's own"),
        pytest.param("a: b: c", "YAML", (1, 5), id="two colons"),
        pytest.param("a: [1", "YAML", (1, 4), id="an open list"),
        pytest.param("a: 'x", "YAML", (1, 6), id="an open quote"),
        pytest.param("\ta: 1", "YAML", (1, 1), id="a tab"),
        pytest.param("a: \x01", "U+0001", (1, None), id="a control character"),
    ],
)
def test_what_is_refused_has_its_place(text: str, words: str, place: tuple[int, int | None]) -> None:
    with pytest.raises(SourceError) as caught:
        parse_yaml(text, Path("x.yml"))
    problem = caught.value.problem
    assert words in problem.message
    assert (problem.file, problem.line) == (Path("x.yml"), place[0])
    assert place[1] is None or problem.column == place[1]


def test_a_repeated_key_is_a_warning_and_the_last_one_counts() -> None:
    tree, warnings = parse_yaml("a: 1\nb: 2\na: 3")
    assert plain(tree) == {"a": 3, "b": 2}
    assert [(warning.line, warning.column) for warning in warnings] == [(3, 1)]


def test_values_and_keys_know_their_places() -> None:
    tree, _ = parse_yaml("jobs:\n  a:\n    tasks:\n      - {key: x}\n      - key: &k y\n", Path("f.yml"))
    positions = TreePositions(tree)
    assert positions.find(("jobs", "a"), key=True) == (Path("f.yml"), 2, 3)
    assert positions.find(("jobs", "a")) == (Path("f.yml"), 3, 5)
    assert positions.find(("jobs", "a", "tasks", 0, "key")) == (Path("f.yml"), 4, 15)
    assert positions.find(("jobs", "a", "tasks", 1, "key")) == (Path("f.yml"), 5, 14)
    assert positions.find(("jobs", "b")) is None


def test_an_alias_stands_where_its_anchor_stands() -> None:
    tree, _ = parse_yaml("a: &x 1\nb: *x")
    assert TreePositions(tree).find(("b",)) == (None, 1, 7 - 3)


def test_aliases_that_expand_to_millions_of_values_are_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    with pytest.raises(SourceError, match="aliases"):
        parse_yaml("\n".join(lines))


def test_nesting_is_bounded() -> None:
    assert parse_yaml("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    with pytest.raises(SourceError, match="deeper"):
        parse_yaml("[" * 5000 + "]" * 5000)


def test_text_in_another_encoding_is_refused_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "x.yml"
    file.write_bytes(b"a: 1\nb: \xff\xfe")
    with pytest.raises(SourceError) as caught:
        read_yaml(file)
    assert (caught.value.problem.line, caught.value.problem.column) == (2, 4)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200) | st.text(alphabet="ab:-&*<>[]{}!|?%@'\"#,\n \t0123.~=", max_size=200))
@example("&a [*a]")
@example("? x\n: y")
@example("%YAML 1.1\n---\na")
def test_no_text_crashes_the_reader(text: str) -> None:
    with suppress(SourceError):
        plain(parse_yaml(text, Path("x.yml"))[0])


TEXT = st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), max_size=40)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(TEXT, inside, max_size=4),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_json_reads_as_itself(value: object) -> None:
    assert read(json.dumps(value, ensure_ascii=False)) == value

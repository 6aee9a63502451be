"""Reading JSON: syntax errors with their place, limits, and the place of every part."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from job_strategies import ANY_JSON

from medallion.spec.positions import JsonPath, JsonPositions, format_path, locate
from medallion.spec.problems import Severity
from medallion.spec.source import MAX_BYTES, MAX_DEPTH, parse_json, read_json

FILE = Path("job.json")


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        pytest.param('{"a": 1,\n}', 2, 1, "is there a comma before it that should go?", id="comma too many"),
        pytest.param("{'a': 1}", 1, 2, "JSON wants double quotes", id="single quotes"),
        pytest.param('{\n  "a": 1\n  "b": 2}', 3, 3, "is a comma missing before it?", id="comma missing"),
        pytest.param('{"a": 1} // end', 1, 10, "JSON has no comments", id="comment"),
        pytest.param('{"a": ', 1, 7, "at the end of the text", id="cut off"),
        pytest.param("  \n", 1, 1, "the file is empty", id="empty"),
        pytest.param('{"a": NaN}', None, None, "NaN is not a JSON value", id="not a number"),
        pytest.param("[" * 100_000, None, None, f"deeper than {MAX_DEPTH}", id="far too deep"),
        pytest.param("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), None, None, "deeper than", id="too deep"),
        pytest.param('"\\ud800"', None, None, "half of a character", id="half a surrogate pair"),
        pytest.param("1" * 5000, None, None, "not JSON", id="number without end"),
    ],
)
def test_a_text_that_is_no_json_is_one_error_with_its_place(
    text: str, line: int | None, column: int | None, words: str
) -> None:
    document, problems = parse_json(text, FILE)
    assert document is None
    assert [(problem.severity, problem.line, problem.column) for problem in problems] == [
        (Severity.ERROR, line, column)
    ]
    assert words in str(problems[0])


def test_the_deepest_text_that_is_allowed_is_read() -> None:
    document, problems = parse_json("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert (document is not None, problems) == (True, [])


def test_a_key_that_stands_twice_is_a_warning_where_it_stands_again() -> None:
    text = '{"a": {"x": 1},\n "b": 2,\n "a": {"x": 2, "x": 3}}'
    document, problems = parse_json(text, FILE)
    assert document is not None
    assert document.value["a"] == {"x": 3}
    assert [(problem.path, problem.line, problem.column) for problem in problems] == [("$.a", 3, 2), ("$.a.x", 3, 16)]
    assert {problem.severity for problem in problems} == {Severity.WARNING}


def test_places_are_those_of_keys_and_values_in_characters() -> None:
    text = '{\n  "ź\\"ó": [1, {"k": "v"}],\n  "empty": {}, "list": []\n}'
    positions = JsonPositions(text, FILE)
    key = 'ź"ó'
    assert positions.find((key,), key=True) == (FILE, 2, 3)
    assert positions.find((key,)) == (FILE, 2, 11)
    assert positions.find((key, 1, "k")) == (FILE, 2, 21)
    assert positions.find(("empty",)) == (FILE, 3, 12)
    assert positions.find(("list",), key=True) == (FILE, 3, 16)
    assert positions.find(("nowhere",)) is None
    assert locate(positions, ("list", 4, "x")) == (FILE, 3, 24)


def parts(value: Any, path: JsonPath = ()) -> list[JsonPath]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for step, item in inner for found in parts(item, (*path, step)))]


@settings(max_examples=150, deadline=None)
@given(ANY_JSON, st.sampled_from([None, 0, 2]), st.booleans())
def test_the_text_at_the_place_of_any_part_is_that_part(value: Any, indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    positions = JsonPositions(text)
    lines = text.split("\n")
    for path in parts(value):
        place = positions.find(path)
        assert place is not None
        _, line, column = place
        part = value
        for step in path:
            part = part[step]
        rest = "\n".join([lines[line - 1][column - 1 :], *lines[line:]])
        assert json.JSONDecoder().raw_decode(rest)[0] == part


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from('{}[]:,"\\ \n01a-é'), max_size=40))
def test_no_text_breaks_the_reader(text: str) -> None:
    document, problems = parse_json(text)
    assert (document is None) == any(problem.severity is Severity.ERROR for problem in problems)
    if document is not None:
        assert document.positions.find(()) is not None


def test_a_text_of_many_repeated_keys_is_read_within_seconds() -> None:
    text = "{" + ",".join(f'"{number}":1,"a":{{"b":1}}' for number in range(50_000)) + "}"
    start = time.process_time()
    document, problems = parse_json(text)
    assert document is not None
    assert time.process_time() - start < 10
    assert len(problems) < 1000


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_a_file_is_read_in_the_encodings_that_editors_and_shells_write(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "job.json"
    file.write_bytes('{"name": "zamówienia"}'.encode(encoding))
    document, problems = read_json(file)
    assert document is not None
    assert (document.value, problems) == ({"name": "zamówienia"}, [])


def test_a_file_of_other_bytes_names_the_first_one(tmp_path: Path) -> None:
    file = tmp_path / "job.json"
    file.write_bytes('{\n "name": "zamówienia"}'.encode("latin-1"))
    document, problems = read_json(file)
    assert document is None
    assert (problems[0].line, problems[0].column, problems[0].hint) == (2, 14, "save it as UTF-8")


def test_a_file_that_is_too_big_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "job.json"
    with file.open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)
    document, problems = read_json(file)
    assert document is None
    assert "10,485,761 bytes" in problems[0].message


def test_what_is_no_file_is_an_error_and_does_not_block(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.json"
    os.mkfifo(pipe)
    for path in (tmp_path, pipe, tmp_path / "missing.json"):
        document, problems = read_json(path)
        assert document is None
        assert [problem.file for problem in problems] == [path]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        pytest.param((), "$", id="root"),
        pytest.param(("tasks", 3, "notebook_task", "a-b"), "$.tasks[3].notebook_task.a-b", id="plain"),
        pytest.param(("tags", "a b", 'q"'), '$.tags["a b"]["q\\""]', id="quoted"),
    ],
)
def test_a_path_is_written_as_people_read_it(path: JsonPath, text: str) -> None:
    assert format_path(path) == text


def test_a_text_without_its_opening_brace_is_told_so() -> None:
    document, (problem,) = parse_json('  "name": "j",\n  "tasks": []\n')
    assert document is None
    assert (problem.line, problem.column, problem.hint) == (1, 9, "a definition begins with {")

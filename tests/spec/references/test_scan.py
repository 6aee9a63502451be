"""Which texts hold references."""

from __future__ import annotations

from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medallion.spec.references import find


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        pytest.param("{{job.id}}", [("job", "id")], id="plain"),
        pytest.param("{{ job.id\t}}", [("job", "id")], id="white space"),
        pytest.param("a{{job.id}}b{{ task.name }}c", [("job", "id"), ("task", "name")], id="inside a longer text"),
        pytest.param("{{job.parameters.`p $@.x`}}", [("job", "parameters", "p $@.x")], id="back-ticks"),
        pytest.param("{{ job.parameters.[my name] }}", [("job", "parameters", "my name")], id="brackets after a dot"),
        pytest.param("{{job.parameters['my name']}}", [("job", "parameters", "my name")], id="brackets and quotes"),
        pytest.param("{{tasks.load-all.values.n}}", [("tasks", "load-all", "values", "n")], id="hyphen"),
        pytest.param("{{{job.id}}}", [("job", "id")], id="a brace on either side"),
        pytest.param("{{ {{job.id}} }}", [("job", "id")], id="only the inner one"),
        pytest.param("{{job.id", [], id="no end"),
        pytest.param("{{job.id}", [], id="one brace too few"),
        pytest.param("{{job..id}}", [], id="empty name"),
        pytest.param("{{job.id + 1}}", [], id="no expressions"),
        pytest.param("{{}} {{ }} { {job.id} }", [], id="nothing in braces"),
        pytest.param("{{job .id}}", [], id="white space inside"),
        pytest.param("${var.x}", [], id="a bundle's reference"),
    ],
)
def test_what_is_a_reference(text, segments):
    assert [reference.segments for reference in find(text)] == segments


def test_a_reference_knows_its_place():
    text = "x{{ job.id }}y"
    (reference,) = find(text)
    assert text[reference.start : reference.end] == reference.text == "{{ job.id }}"


@given(st.text("{}[]`. ab'-", max_size=200))
def test_places_never_overlap_and_hold_braces(text):
    end = 0
    for reference in find(text):
        assert reference.start >= end
        assert text[reference.start : reference.end] == reference.text
        assert reference.text.startswith("{{")
        assert reference.text.endswith("}}")
        assert all(reference.segments)
        end = reference.end


@pytest.mark.parametrize(
    "piece",
    ["{", "{{ ", "{{a.", "{{`a", "{{[a", "{{a", "}", "{{job.id}}", "{{a[b]", "{{a.`b`", "{{" + " " * 1000, "`{{["],
)
def test_long_texts_take_no_time(piece):
    begun = perf_counter()
    find(piece * (100_000 // len(piece)))
    find("{{" + piece.lstrip("{") * (100_000 // len(piece)))
    assert perf_counter() - begun < 1

"""The answers of Quartz 2.5.2 itself, in tests/data/quartz."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medallion.spec.quartz import Quartz, QuartzError

VECTORS = Path(__file__).parents[2] / "data" / "quartz"
COUNTS = {"vectors": 2243, "more": 1186}


def vectors() -> list[dict]:
    return [json.loads(line) for name in COUNTS for line in (VECTORS / f"{name}.jsonl").read_text("utf-8").splitlines()]


def test_there_are_as_many_vectors_as_there_should_be():
    assert len(vectors()) == sum(COUNTS.values())


def test_every_valid_expression_fires_when_quartz_fires():
    differing = []
    for vector in vectors():
        if "next" in vector:
            found = Quartz.parse(vector["expr"]).next_times(int(vector["after"] // 1), vector["tz"], 5)
            if found != vector["next"]:
                differing.append((vector, found))
    assert differing == []


def test_every_refused_expression_is_refused():
    accepted = []
    for vector in vectors():
        if "error" in vector:
            try:
                Quartz.parse(vector["expr"])
            except QuartzError:
                continue
            accepted.append(vector)
    assert accepted == []


def test_a_fire_time_is_found_from_just_before_and_not_from_itself():
    for vector in vectors()[::20]:
        for at in vector.get("next", []):
            quartz = Quartz.parse(vector["expr"])
            assert quartz.next_after(at, vector["tz"]) != at
            if at - 1 > vector["after"] and "W" not in vector["expr"].upper():
                assert quartz.next_after(at - 1, vector["tz"]) in {at, *vector["next"]}


@pytest.mark.parametrize("count", [0, 1, 3])
def test_next_times_gives_no_more_than_asked(count):
    assert len(Quartz.parse("* * * * * ?").next_times(0, "UTC", count)) == count

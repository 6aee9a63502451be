"""Values that pass from task to task by Airflow's database come back as they went, in SQLite and in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from factory.lab import Lab, Ran, ask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from postgres import postgres

from medallion.factory.operators.for_each import read_inputs

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]

TEXTS = st.text(st.characters(exclude_categories=()), max_size=20)  # halves of surrogate pairs and NUL among them
NUMBERS = st.integers() | st.integers(-(10**60), 10**60) | st.floats(allow_nan=False, allow_infinity=False)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)
ODD = [
    *(12.0, 1e2, -0.0, 0.1, 5e-324, 1.7976931348623157e308, 1e16, 2**53 + 1, 2**63, 2**64 - 1, -(2**63) - 1, 10**400),
    *(None, True, False, 0, "", "12.0", "null", "true", "NaN", "1e400", " ", "\r\n", "a\0b", "\udcff", "\ud83d", "🎉"),
    *([], {}, [None], [12.0, -0.0, 2**70], {"b": 1, "a": 2.0, "": None}, {"lakeflow_json": "12.0"}, {"input": "1.0"}),
    *({"__classname__": "x", "__data__": 1}, {"__type": "dict", "__var": {}}, [[[[]]]], {"\0": "\udc80"}),
]
KEYS = ["k", "with space", "a/b", "é", "%2F", "?x=1", "#", "..", ".", "a\\b", "{{x}}", "x" * 200]

SETS = """
import json, sys
values, keys = json.load(open(sys.argv[1]))
for number, text in enumerate(values):
    dbutils.jobs.taskValues.set(f"v{number}", json.loads(text))
for key in keys:
    dbutils.jobs.taskValues.set(key, f"of {key}")
dbutils.jobs.taskValues.set("odd", 12.0)
dbutils.jobs.taskValues.set("none", None)
dbutils.jobs.taskValues.set("big", 2**64 - 1)
dbutils.jobs.taskValues.set("loop", [12.0, -0.0, 10**30, None, "a\\0b", {"n": 1e2}])
"""
GETS = """
import json, sys
values, keys = json.load(open(sys.argv[1]))
for number, text in enumerate(values):
    found = json.dumps(dbutils.jobs.taskValues.get("sets", f"v{number}", default="lost"))
    assert found == text, (found, text)
for key in keys:
    assert dbutils.jobs.taskValues.get("sets", key) == f"of {key}", key
assert dbutils.jobs.taskValues.get("sets", "none") is None
print("all", len(values), "came back")
"""
TELLS = "import sys\nprint('|'.join(sys.argv[1:]))\n"


def script(key: str, file: str, *words: str, after: str = "") -> dict[str, Any]:
    task = {"task_key": key, "spark_python_task": {"python_file": f"{file}.py", "parameters": list(words)}}
    return {**task, **({"depends_on": [{"task_key": after}]} if after else {})}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def values_lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A laboratory whose Airflow has its database in one or the other."""
    if request.param == "sqlite":
        yield request.getfixturevalue("lab")
        return
    with postgres() as url:
        lab = Lab(tmp_path_factory.mktemp("lab") / "project", database=url)
        yield lab
        lab.close()


def run(lab: Lab, values: list[Any], *more: dict[str, Any]) -> Ran:
    jobs = lab.project / "jobs"
    for name, text in (("sets", SETS), ("gets", GETS), ("tells", TELLS)):
        (jobs / f"{name}.py").write_text(text)
    given = jobs / "given_values.txt"
    given.write_text(json.dumps([[json.dumps(value) for value in values], KEYS]))
    tasks = [script("sets", "sets", str(given)), script("gets", "gets", str(given), after="sets"), *more]
    return lab.run({"name": "values", "tasks": tasks})


def value(key: str) -> str:
    return f"{{{{tasks.sets.values.{key}}}}}"


def test_odd_values_come_back_and_stand_in_references_as_json_writes_them(values_lab: Lab) -> None:
    loop = {
        "task_key": "loop",
        "depends_on": [{"task_key": "sets"}],
        "for_each_task": {"inputs": value("loop"), "task": script("each", "tells", "{{input}}")},
    }
    ran = run(
        values_lab,
        ODD,
        script("tells", "tells", *map(value, ("odd", "none", "big", "loop")), after="sets"),
        ask("equal", value("odd"), "EQUAL_TO", "12.0", after=("sets",)),
        ask("more", value("big"), "GREATER_THAN", str(2**64 - 2), after=("sets",)),
        loop,
    )
    assert ran.states == dict.fromkeys(("sets", "gets", "tells", "equal", "more", "loop"), "SUCCESS"), ran.log(
        "sets"
    ) + ran.log("gets")
    assert f"all {len(ODD)} came back" in ran.log("gets")
    assert "12.0|null|18446744073709551615|[12.0,-0.0," in ran.log("tells")
    assert '"outcome": "true"' in json.dumps(json.loads((ran.folder("equal") / "1" / "result.json").read_text()))
    assert '"outcome": "true"' in json.dumps(json.loads((ran.folder("more") / "1" / "result.json").read_text()))
    told = [ran.log("loop.iteration", index).splitlines() for index in range(6)]
    expected = ["12.0", "-0.0", str(10**30), "null", "a\\x00b", '{"n":100.0}']
    assert all(word in lines for word, lines in zip(expected, told, strict=True)), told


@settings(max_examples=1, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(values=st.lists(VALUES, min_size=80, max_size=80))
def test_any_json_value_comes_back(values_lab: Lab, values: list[Any]) -> None:
    ran = run(values_lab, values)
    assert ran.result == "SUCCESS", ran.log("sets") + ran.log("gets")


def test_inputs_of_a_loop_may_hold_what_is_no_utf_8() -> None:
    assert read_inputs("loop", '["caf\udce9", "a\0b"]'.replace("\0", "\\u0000")) == ["caf\udce9", "a\0b"]

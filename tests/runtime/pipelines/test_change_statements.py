"""AUTO CDC and APPLY CHANGES as SQL states them, and what their options must be."""

from __future__ import annotations

from typing import Any

import pytest

from medallion.errors import MedallionError
from medallion.runtime.pipelines.changes import ALL, ChangeFlow, Columns, agree, change_flow
from medallion.runtime.pipelines.statements import statements
from medallion.runtime.pipelines.update import VIOLATED

FULL = """
-- the flow
CREATE FLOW users_flow COMMENT 'from the shop' AS AUTO CDC INTO main.silver.users
FROM stream(cdc_data.users)
KEYS (userId, `the region`)
IGNORE NULL UPDATES
APPLY AS DELETE WHEN operation = "DELETE" AND (CASE WHEN a THEN b END) /* COLUMNS */
APPLY AS TRUNCATE WHEN operation = 'TRUNCATE'
SEQUENCE BY struct(at, sequenceNum)
COLUMNS * EXCEPT (operation, sequenceNum)
STORED AS SCD TYPE 1;
"""


def flow_of(text: str) -> ChangeFlow:
    (found,) = statements(text)
    assert found.flow is not None
    return found.flow


def test_every_clause_is_read() -> None:
    flow = flow_of(FULL)
    assert (flow.name, flow.target, flow.source) == ("users_flow", "main.silver.users", "stream(cdc_data.users)")
    assert flow.is_query
    assert flow.keys == ("userId", "the region")
    assert flow.filled == ALL
    assert flow.deletes == 'operation = "DELETE" AND (CASE WHEN a THEN b END)'
    assert flow.truncates == "operation = 'TRUNCATE'"
    assert flow.sequence == "struct(at, sequenceNum)"
    assert flow.columns == Columns(("operation", "sequenceNum"))
    assert (flow.scd_type, flow.once) == (1, False)


@pytest.mark.parametrize(
    ("stated", "fields"),
    [
        pytest.param(
            "APPLY CHANGES INTO LIVE.t FROM STREAM(LIVE.s) KEYS (a) SEQUENCE BY n",
            {"name": "", "target": "t", "source": "STREAM(s)", "scd_type": 1, "columns": ALL},
            id="older words",
        ),
        pytest.param(
            "apply changes into t from stream s keys (a, b) sequence by n columns a, b, c stored as scd type 2 "
            "track history on * except (c)",
            {"keys": ("a", "b"), "columns": Columns(("a", "b", "c"), excluded=False), "tracked": Columns(("c",))},
            id="lower case, columns, history",
        ),
        pytest.param(
            "CREATE FLOW f AS AUTO CDC ONCE INTO t FROM s KEYS (a) SEQUENCE BY n",
            {"once": True, "target": "t", "source": "s"},
            id="once",
        ),
        pytest.param(
            "CREATE FLOW t AS AUTO CDC INTO t FROM STREAM s KEYS (a) SEQUENCE BY n",
            {"name": ""},
            id="named as the target",
        ),
        pytest.param(
            "AUTO CDC INTO t FROM STREAM s KEYS (a) IGNORE NULL UPDATES ON (b) SEQUENCE BY n COLUMNS * STORED AS SCD TYPE 2"
            " TRACK HISTORY ON (b)",
            {"filled": Columns(("b",), excluded=False), "tracked": Columns(("b",), excluded=False), "columns": ALL},
            id="lists",
        ),
    ],
)
def test_forms_of_a_flow(stated: str, fields: dict[str, Any]) -> None:
    flow = flow_of(stated)
    assert {name: getattr(flow, name) for name in fields} == fields


def test_a_table_with_a_flow_is_both() -> None:
    (found,) = statements(
        "CREATE OR REFRESH STREAMING TABLE t (a INT, CONSTRAINT c EXPECT (a > 0)) COMMENT 'x'\n"
        "FLOW AUTO CDC FROM STREAM s KEYS (a) SEQUENCE BY n STORED AS SCD TYPE 2"
    )
    assert found.dataset is not None
    assert (found.dataset.columns, found.dataset.clauses, found.dataset.query) == ("a INT", "COMMENT 'x'", None)
    assert len(found.dataset.rules) == 1
    assert found.flow is not None
    assert (found.flow.target, found.flow.source, found.flow.scd_type) == ("t", "STREAM s", 2)


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        pytest.param("APPLY CHANGES INTO t FROM STREAM s SEQUENCE BY n", "no KEYS", id="no keys"),
        pytest.param("APPLY CHANGES INTO t FROM STREAM s KEYS (a)", "no SEQUENCE BY", id="no sequence"),
        pytest.param("APPLY CHANGES INTO t KEYS (a) SEQUENCE BY n", "no FROM", id="no source"),
        pytest.param("APPLY CHANGES t FROM STREAM s KEYS (a) SEQUENCE BY n", "needs INTO", id="no into"),
        pytest.param(
            "APPLY CHANGES INTO t FROM s KEYS (a) KEYS (b) SEQUENCE BY n", "KEYS stands there twice", id="twice"
        ),
        pytest.param(
            "APPLY CHANGES INTO t FROM s KEYS (a) SEQUENCE BY n STORED AS TYPE 2", "SCD TYPE 1 or SCD TYPE 2", id="type"
        ),
        pytest.param(
            "APPLY CHANGES INTO t FROM s KEYS (a) SEQUENCE BY n STORED AS SCD TYPE 3", "is 1 or 2, not '3'", id="three"
        ),
        pytest.param("APPLY CHANGES INTO t WITH s KEYS (a) SEQUENCE BY n", "'WITH' is not known here", id="unknown"),
        pytest.param("APPLY CHANGES INTO t FROM s KEYS (a) b SEQUENCE BY n", r"after \(a\) comes no 'b'", id="more"),
        pytest.param("APPLY CHANGES INTO t FROM s KEYS (a SEQUENCE BY n", "no SEQUENCE BY", id="bracket"),
        pytest.param(
            "CREATE FLOW f AS AUTO CDC INTO t FROM SNAPSHOT (SELECT 1) KEYS (a)", "FROM SNAPSHOT", id="snapshot"
        ),
    ],
)
def test_wrong_statements_are_said(stated: str, words: str) -> None:
    with pytest.raises(MedallionError, match=words):
        list(statements(stated))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param({"keys": []}, "keys is empty", id="no key"),
        pytest.param({"keys": "id"}, "keys is a list of columns", id="text"),
        pytest.param({"keys": ["s.id"]}, "without qualifiers", id="qualified"),
        pytest.param({"keys": [3]}, "plain columns", id="number"),
        pytest.param({"sequence_by": None}, "sequence_by is missing", id="no sequence"),
        pytest.param({"target": None}, "target is the name", id="no target"),
        pytest.param({"stored_as_scd_type": 3}, "is 1 or 2", id="type 3"),
        pytest.param({"stored_as_scd_type": "2", "apply_as_truncates": "true"}, "SCD type 1 only", id="truncate of 2"),
        pytest.param({"track_history_column_list": ["a"]}, "SCD type 2 only", id="history of 1"),
        pytest.param({"column_list": ["id"], "except_column_list": ["a"]}, "do not go together", id="both lists"),
        pytest.param({"column_list": ["a"]}, "the key ID must be a column", id="key left out"),
        pytest.param({"except_column_list": ["id"]}, "the key ID must be a column", id="key excluded"),
        pytest.param(
            {"ignore_null_updates": True, "ignore_null_updates_column_list": ["a"]}, "do not go together", id="nulls"
        ),
        pytest.param({"keyz": ["a"]}, "option keyz is not available", id="misspelt"),
    ],
)
def test_wrong_options_are_said(given: dict[str, Any], words: str) -> None:
    call = {"target": "t", "source": "s", "keys": ["ID"], "sequence_by": "at", **given}
    first = (call.pop("target"), call.pop("source"), call.pop("keys"), call.pop("sequence_by"))
    with pytest.raises(MedallionError, match=words):
        change_flow("create_auto_cdc_flow", *first, call)


def test_flows_into_one_table_must_fit_together() -> None:
    one = change_flow("create_auto_cdc_flow", "t", "s", ["id"], "at", {})
    named = change_flow("create_auto_cdc_flow", "t", "r", ["id"], "at", {"name": "more"})
    agree("t", [one, named])
    other_keys = change_flow("create_auto_cdc_flow", "t", "r", ["key"], "at", {"name": "more"})
    with pytest.raises(MedallionError, match="differ in keys"):
        agree("t", [one, other_keys])
    with pytest.raises(MedallionError, match="give each flow a name"):
        agree("t", [one, one])


@pytest.mark.parametrize(
    ("told", "found"),
    [
        pytest.param(
            '[USER_RAISED] AUTO_CDC_VIOLATION: a change of a.b.c has no id: {"n":1}\nmore',
            'AUTO_CDC_VIOLATION: a change of a.b.c has no id: {"n":1}',
            id="row",
        ),
        pytest.param(
            'x: EXPECTATION_VIOLATION: a row of a.b.c breaks the expectation one, two: {"n":1}',
            'EXPECTATION_VIOLATION: a row of a.b.c breaks the expectation one, two: {"n":1}',
            id="expectation",
        ),
        pytest.param(
            "concat(AUTO_CDC_VIOLATION: a change of a.b.c has no id: , to_json(struct(n#1)))) AS n, map: {x}",
            None,
            id="plan",
        ),
    ],
)
def test_a_violation_is_told_from_a_plan_that_has_its_words(told: str, found: str | None) -> None:
    match = VIOLATED.search(told)
    assert (match and match[0]) == found

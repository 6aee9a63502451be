"""SQL of pipelines in open Spark's words; expectations read from it."""

from __future__ import annotations

import pytest

from medallion.errors import MedallionError
from medallion.runtime.pipelines.statements import clause_options, statements


@pytest.mark.parametrize(
    ("stated", "plain"),
    [
        pytest.param(
            "CREATE OR REFRESH STREAMING TABLE a AS SELECT * FROM STREAM(LIVE.b)",
            "CREATE STREAMING TABLE a AS SELECT * FROM STREAM(b)",
            id="refresh and live",
        ),
        pytest.param(
            "create streaming live table a as select 1",
            "CREATE STREAMING TABLE a as select 1",
            id="streaming live table",
        ),
        pytest.param("CREATE LIVE TABLE a AS SELECT 1", "CREATE MATERIALIZED VIEW a AS SELECT 1", id="live table"),
        pytest.param("CREATE TEMPORARY VIEW a AS SELECT 1", "CREATE TEMPORARY VIEW a AS SELECT 1", id="view"),
        pytest.param(
            "CREATE OR REPLACE MATERIALIZED VIEW c.s.`a b` (x INT COMMENT 'a, b') AS SELECT 1",
            "CREATE MATERIALIZED VIEW c.s.`a b` (x INT COMMENT 'a, b') AS SELECT 1",
            id="columns",
        ),
        pytest.param("CREATE FLOW f AS INSERT INTO a BY NAME SELECT 1", None, id="flow"),
        pytest.param("SET x = 1", None, id="set"),
        pytest.param("CREATE MATERIALIZED VIEW a AS SELECT 'LIVE.x' -- LIVE.y", None, id="text and comment"),
    ],
)
def test_words_of_databricks_become_sparks(stated: str, plain: str | None) -> None:
    (found,) = statements(stated)
    assert found.text == (plain or stated)
    assert found.dataset is None


def test_constraints_become_expectations() -> None:
    text = """
    -- one before
    SET a = b;
    CREATE OR REFRESH STREAMING TABLE orders (
      id INT,
      amount DECIMAL(10, 2),
      CONSTRAINT has_id EXPECT (id IS NOT NULL) ON VIOLATION DROP ROW,
      CONSTRAINT `is fine` EXPECT (amount IN (1, 2) AND note <> 'a)b'),
      CONSTRAINT sure EXPECT (id > 0) ON VIOLATION FAIL UPDATE
    )
    PARTITIONED BY (id) COMMENT 'all orders'
    TBLPROPERTIES ('quality' = 'silver')
    AS SELECT * FROM STREAM(raw)
    """
    _, found = statements(text)
    dataset = found.dataset
    assert dataset is not None
    assert (dataset.kind, dataset.name, dataset.columns) == (
        "STREAMING TABLE",
        "orders",
        "id INT, amount DECIMAL(10, 2)",
    )
    assert [(rule.name, rule.condition, rule.action) for rule in dataset.rules] == [
        ("has_id", "id IS NOT NULL", "DROP"),
        ("is fine", "amount IN (1, 2) AND note <> 'a)b'", "ALLOW"),
        ("sure", "id > 0", "FAIL"),
    ]
    assert dataset.query == "SELECT * FROM STREAM(raw)"
    assert clause_options(dataset.clauses) == {
        "partition_cols": ["id"],
        "comment": "all orders",
        "table_properties": {"quality": "silver"},
    }


@pytest.mark.parametrize(
    ("constraint", "words"),
    [
        pytest.param("CONSTRAINT a CHECK (b)", "an expectation is CONSTRAINT name EXPECT", id="check"),
        pytest.param("CONSTRAINT a EXPECT (b) ON VIOLATION DROP", "ON VIOLATION DROP ROW", id="half an action"),
        pytest.param("CONSTRAINT a EXPECT (b", "not closed", id="bracket"),
    ],
)
def test_wrong_constraints_are_said(constraint: str, words: str) -> None:
    with pytest.raises(MedallionError, match=words.replace("(", r"\(")):
        list(statements(f"CREATE STREAMING TABLE t ({constraint}) AS SELECT 1"))

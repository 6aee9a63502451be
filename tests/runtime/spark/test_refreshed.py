"""Streaming tables and materialized views of SQL, on a real Spark: made, refreshed, replaced, dropped."""

from __future__ import annotations

import json
from typing import Any

import pytest
from compute.catalog_spark import Lake, SparkFailure, SparkProcess

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module", autouse=True)
def schema(spark: SparkProcess) -> None:
    """A schema of these tests, with a table that views read."""
    spark.sql("CREATE SCHEMA IF NOT EXISTS main.rf")
    spark.sql("USE main.rf")
    spark.sql("CREATE TABLE base (id INT, name STRING)")
    spark.sql("INSERT INTO base VALUES (1, 'a'), (2, 'b')")


def rows(spark: SparkProcess, text: str) -> list[Any]:
    return sorted(spark.sql(text))


def test_a_materialized_view_keeps_its_rows_until_it_is_refreshed(spark: SparkProcess) -> None:
    spark.sql("CREATE MATERIALIZED VIEW counted COMMENT 'how many' AS SELECT count(*) AS n FROM base")
    spark.sql("INSERT INTO base VALUES (3, 'c')")
    assert rows(spark, "SELECT * FROM counted") == [(2,)]
    spark.sql("USE main.default")
    spark.sql("REFRESH MATERIALIZED VIEW rf.counted")
    spark.sql("USE main.rf")
    assert rows(spark, "SELECT * FROM counted") == [(3,)]
    with pytest.raises(SparkFailure, match="CREATE OR REPLACE MATERIALIZED VIEW counted"):
        spark.sql("CREATE MATERIALIZED VIEW counted AS SELECT 1 AS n")
    spark.sql("CREATE MATERIALIZED VIEW IF NOT EXISTS counted AS SELECT 1 AS n")
    assert rows(spark, "SELECT * FROM counted") == [(3,)]
    spark.sql("CREATE OR REPLACE MATERIALIZED VIEW counted (many BIGINT) AS SELECT max(id) FROM base")
    assert rows(spark, "SELECT many FROM counted") == [(3,)]
    spark.sql("DROP MATERIALIZED VIEW counted")
    assert rows(spark, "SHOW TABLES LIKE 'counted'") == []


def test_a_streaming_table_takes_what_is_new(spark: SparkProcess, lake: Lake) -> None:
    landing = lake.volumes / "main" / "rf" / "in"
    landing.mkdir(parents=True)
    (landing / "a.json").write_text(json.dumps({"id": 1, "at": "x"}) + "\n")
    made = (
        "CREATE OR REFRESH STREAMING TABLE taken (CONSTRAINT good EXPECT (id > 0) ON VIOLATION DROP ROW) "
        "SCHEDULE EVERY 1 HOUR AS SELECT id, upper(at) AS at "
        "FROM STREAM read_files('/Volumes/main/rf/in', format => 'json')"
    )
    spark.sql(made)
    (landing / "b.json").write_text(json.dumps({"id": 2, "at": "y"}) + "\n" + json.dumps({"id": -1, "at": "z"}) + "\n")
    spark.sql(made)
    assert rows(spark, "SELECT * FROM taken") == [(1, "X"), (2, "Y")]
    (landing / "a.json").unlink()
    (landing / "c.json").write_text(json.dumps({"id": 3, "at": "w"}) + "\n")
    spark.sql("REFRESH STREAMING TABLE taken")
    assert rows(spark, "SELECT * FROM taken") == [(1, "X"), (2, "Y"), (3, "W")]
    spark.sql("REFRESH STREAMING TABLE taken FULL")
    assert rows(spark, "SELECT * FROM taken") == [(2, "Y"), (3, "W")]
    spark.sql("CREATE MATERIALIZED VIEW over AS SELECT count(*) AS n FROM taken")
    assert rows(spark, "SELECT * FROM over") == [(2,)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("CREATE STREAMING TABLE s AS SELECT * FROM base", "reads no stream", id="no stream"),
        pytest.param("CREATE MATERIALIZED VIEW s AS SELECT * FROM STREAM base", "reads a stream", id="a stream"),
        pytest.param("CREATE STREAMING TABLE s", "has no query", id="no query"),
        pytest.param("CREATE MATERIALIZED VIEW", "needs a name", id="no name"),
        pytest.param("REFRESH MATERIALIZED VIEW base", "is no materialized view", id="a plain table"),
        pytest.param("CREATE MATERIALIZED VIEW s (a, b) AS SELECT 1", "names 2 columns", id="columns"),
    ],
)
def test_what_cannot_be_one_is_told(spark: SparkProcess, text: str, said: str) -> None:
    with pytest.raises(SparkFailure, match=said):
        spark.sql(text)


def test_a_stream_is_written_by_the_older_name_too(spark: SparkProcess) -> None:
    def write(session: Any) -> list[Any]:
        writer = session.readStream.table("main.rf.base").writeStream.trigger(availableNow=True)
        writer.option("checkpointLocation", "dbfs:/rf/checkpoint").table("main.rf.by_stream").awaitTermination()
        return [row[0] for row in session.table("main.rf.by_stream").selectExpr("count(*) > 0").collect()]

    assert spark.call(write) == [True]

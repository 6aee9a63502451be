"""COPY INTO, read_files, Query Watchdog and Databricks' statements on tables, on a real Spark."""

from __future__ import annotations

import json
from typing import Any

import pytest
from compute.catalog_spark import Lake, SparkFailure, SparkProcess

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module", autouse=True)
def schema(spark: SparkProcess) -> None:
    """A schema of these tests."""
    spark.sql("CREATE SCHEMA IF NOT EXISTS main.st")
    spark.sql("USE main.st")


class Landing:
    """A folder of a volume."""

    def __init__(self, lake: Lake, name: str) -> None:
        self.path = f"/Volumes/main/st/{name}"
        self.local = lake.volumes / "main" / "st" / name
        self.local.mkdir(parents=True)

    def put(self, name: str, text: str) -> None:
        (self.local / name).write_text(text)


@pytest.fixture
def landing(lake: Lake, request: pytest.FixtureRequest) -> Landing:
    return Landing(lake, "".join(mark if mark.isalnum() else "_" for mark in request.node.name))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("-- copy into is not used here\nSELECT 1", id="line comment"),
        pytest.param("/* read_files( */ SELECT 1", id="block comment"),
        pytest.param("SELECT 1 -- STREAM(read_files('x'", id="comment at the end"),
        pytest.param("SELECT length('cloud_files(') - 11", id="string"),
    ],
)
def test_words_of_ours_in_comments_and_strings_are_none(spark: SparkProcess, text: str) -> None:
    assert spark.sql(text) == [(1,)]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("-- copy into is not used here", id="nothing but a comment"),
        pytest.param("/* read_files( */", id="nothing but a block comment"),
        pytest.param("SELECT * FROM STREAM(read_files('x')", id="STREAM without an end"),
        pytest.param("SELECT * FROM read_files('x'", id="read_files without an end"),
        pytest.param("COPY INTO", id="COPY INTO alone"),
        pytest.param("COPY INTO t FROM", id="COPY INTO without a source"),
        pytest.param("LIST", id="LIST alone"),
    ],
)
def test_what_is_not_whole_is_a_statement_error(spark: SparkProcess, text: str) -> None:
    with pytest.raises(SparkFailure) as raised:
        spark.sql(text)
    assert "IndexError" not in str(raised.value)


def test_copy_into_loads_each_file_once(spark: SparkProcess, landing: Landing) -> None:
    spark.sql("CREATE TABLE copied (id INT, name STRING)")
    copy = f"COPY INTO copied FROM '{landing.path}' FILEFORMAT = CSV FORMAT_OPTIONS ('header' = 'true')"
    landing.put("a.csv", "id,name\n1,Ann\n")
    assert spark.sql(copy) == [(1, 1, 0)]
    landing.put("a.csv", "id,name\n9,changed\n")
    landing.put("b.csv", "name,id\nBea,2\nCy,3\n")
    assert spark.sql(copy) == [(2, 2, 0)]
    assert spark.sql(copy) == [(0, 0, 0)]
    assert spark.sql("SELECT * FROM copied ORDER BY id") == [(1, "Ann"), (2, "Bea"), (3, "Cy")]
    assert spark.sql(f"{copy} COPY_OPTIONS ('force' = 'true')") == [(3, 3, 0)]


def test_copy_into_selects_files_by_name_and_expressions(spark: SparkProcess, landing: Landing) -> None:
    for name in ("a1", "a2", "b1"):
        landing.put(f"{name}.json", json.dumps({"id": name, "n": "4", "more": 1}) + "\n")
    spark.sql("CREATE TABLE picked (id STRING, n BIGINT)")
    select = f"(SELECT id, n::BIGINT + 1 AS n FROM '{landing.path}')"
    assert spark.sql(f"COPY INTO st.picked FROM {select} FILEFORMAT = JSON FILES = ('b1.json')") == [(1, 1, 0)]
    assert spark.sql(f"COPY INTO picked FROM {select} FILEFORMAT = JSON PATTERN = 'a*.json'") == [(2, 2, 0)]
    assert spark.sql("SELECT * FROM picked ORDER BY id") == [("a1", 5), ("a2", 5), ("b1", 5)]


def test_copy_into_adds_columns_when_asked(spark: SparkProcess, landing: Landing) -> None:
    spark.sql("CREATE TABLE grown")
    landing.put("a.json", '{"id": 1}\n')
    source = f"COPY INTO grown FROM '{landing.path}' FILEFORMAT = JSON"
    with pytest.raises(SparkFailure, match="mergeSchema"):
        spark.sql(source)
    merge = f"{source} COPY_OPTIONS ('mergeSchema' = 'true')"
    spark.sql(merge)
    landing.put("b.json", '{"id": 2, "city": "Oslo"}\n')
    spark.sql(merge)
    assert spark.sql("SELECT id, city FROM grown ORDER BY id") == [(1, None), (2, "Oslo")]


def test_two_copies_at_once_load_each_file_once(spark: SparkProcess, landing: Landing) -> None:
    spark.sql("CREATE TABLE raced (id BIGINT)")
    for number in range(6):
        landing.put(f"{number}.json", f'{{"id": {number}}}\n')
    copy = f"COPY INTO main.st.raced FROM '{landing.path}' FILEFORMAT = JSON"

    def race(session: Any) -> list[str]:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(3) as pool:
            found = [pool.submit(lambda: session.sql(copy).collect()) for _ in range(3)]
            return [str(item.exception()) for item in found if item.exception()]

    assert spark.call(race) == []
    assert spark.sql("SELECT id FROM raced ORDER BY id") == [(number,) for number in range(6)]


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        pytest.param("COPY INTO t FROM 'x' FILEFORMAT = JSON VALIDATE ALL", "VALIDATE is not supported", id="clause"),
        pytest.param("COPY INTO t FROM 'x' FILEFORMT = JSON", "FILEFORMAT", id="misspelt"),
        pytest.param("COPY INTO t FROM 'x'", "needs FILEFORMAT", id="no format"),
        pytest.param("COPY INTO t FROM 'x' FILEFORMAT = JSON COPY_OPTIONS ('a' = 'b')", "option a", id="option"),
        pytest.param("SELECT * FROM read_files()", "needs a path", id="no path"),
        pytest.param("SELECT * FROM read_files('/Volumes/main/nowhere')", "does not exist", id="no folder"),
    ],
)
def test_the_error_names_what_is_wrong(spark: SparkProcess, statement: str, words: str) -> None:
    with pytest.raises(SparkFailure, match=words):
        spark.sql(statement)


def test_read_files_finds_format_header_and_types(spark: SparkProcess, landing: Landing) -> None:
    landing.put("a.csv", "id,at\n1,2025-01-02\n")
    landing.put("b.csv", "at,id\n2025-01-03,2\n")
    rows = spark.sql(f"SELECT id + 1, cast(at AS string), _rescued_data FROM read_files('{landing.path}') ORDER BY 1")
    assert rows == [(2, "2025-01-02", None), (3, "2025-01-03", None)]
    typed = "read_files(:path, format => 'csv', schema => 'id STRING, at DATE', header => true) AS f"
    assert spark.sql(f"SELECT f.id FROM {typed} WHERE f.at > '2025-01-02'", path=landing.path) == [("2",)]
    spark.sql(f"CREATE TABLE of_files AS SELECT id FROM read_files('{landing.path}', pathGlobFilter => 'b*')")
    assert spark.sql("SELECT * FROM of_files") == [(2,)]


def test_read_files_and_cloud_files_are_streams_too(spark: SparkProcess, landing: Landing) -> None:
    landing.put("a.json", '{"id": 1}\n')
    path = landing.path

    def run(session: Any) -> list[Any]:
        texts = [
            f"SELECT id FROM STREAM read_files('{path}', format => 'json')",
            f"SELECT id FROM cloud_files('{path}', 'json', map('cloudFiles.inferColumnTypes', 'true'))",
        ]
        rows: list[Any] = []
        for text in texts:
            frame = session.sql(text)
            assert frame.isStreaming
            writer = frame.writeStream.foreachBatch(lambda batch, _: rows.extend(batch.collect()))
            writer.trigger(availableNow=True).start().awaitTermination()
        return [row.id for row in rows]

    assert spark.call(run) == [1, 1]


@pytest.mark.slow
def test_a_query_that_multiplies_its_rows_is_cancelled_by_name_of_the_setting(spark: SparkProcess) -> None:
    def run(session: Any) -> str:
        prefix = "spark.databricks.queryWatchdog."
        session.conf.set(f"{prefix}outputRatioThreshold", "10")
        session.conf.set(f"{prefix}minTimeSecs", "1")
        session.conf.set(f"{prefix}minOutputRows", "1000")
        session.conf.set(f"{prefix}enabled", "true")
        try:
            session.sql("SELECT count(*) FROM range(100) WHERE id > 3").collect()
            big = session.range(200_000)
            big.crossJoin(big.withColumnRenamed("id", "other")).selectExpr("max(hash(id, other))").collect()
        except Exception as error:  # noqa: BLE001  the test looks at it
            return str(error)
        finally:
            session.conf.set(f"{prefix}enabled", "false")
        return "was not cancelled"

    text = spark.call(run)
    assert "Query Watchdog" in text
    assert "spark.databricks.queryWatchdog.outputRatioThreshold = 10" in text


STATEMENTS = {
    "zorder": "CREATE TABLE z (a INT, b INT); INSERT INTO z VALUES (1, 2); OPTIMIZE z ZORDER BY (a)",
    "clustering": "CREATE TABLE cl (a INT, b INT) CLUSTER BY (a); OPTIMIZE cl FULL; ALTER TABLE cl CLUSTER BY (b)",
    "clustering auto": "CREATE TABLE ca (a INT) CLUSTER BY AUTO; ALTER TABLE ca CLUSTER BY AUTO",
    "clustering none": "CREATE TABLE al (a INT); ALTER TABLE al CLUSTER BY NONE",
    "history": "CREATE TABLE h (a INT); DESCRIBE HISTORY h LIMIT 1; DESCRIBE DETAIL h; VACUUM h; VACUUM h LITE",
    "column mapping": "CREATE TABLE cm (a INT) TBLPROPERTIES ('delta.columnMapping.mode' = 'name'); "
    "ALTER TABLE cm RENAME COLUMN a TO b; ALTER TABLE cm DROP COLUMN IF EXISTS c",
    "by name": "CREATE TABLE bn (a INT, b INT); INSERT INTO bn BY NAME SELECT 1 AS b, 2 AS a; COMMENT ON TABLE bn IS 'x'",
    "merge": "CREATE TABLE me (a INT); MERGE WITH SCHEMA EVOLUTION INTO me USING (SELECT 1 AS a, 2 AS b) s ON me.a = s.a "
    "WHEN NOT MATCHED THEN INSERT *; SELECT a, b FROM me",
    "qualify": "SELECT * FROM VALUES (1), (2) t(a) QUALIFY row_number() OVER (ORDER BY a) = 1",
    "names": "SELECT current_catalog(), current_schema(), current_user(), session_user(); SHOW CATALOGS",
    "information schema": "SELECT table_name FROM main.information_schema.tables WHERE table_schema = 'st'",
    "json path": "SELECT c:a.b::int FROM (SELECT parse_json('{\"a\": {\"b\": 1}}') AS c)",
    "settings": "SET spark.databricks.delta.optimizeWrite.enabled = true; SET spark.databricks.io.cache.enabled = true; "
    "SET spark.databricks.any.name = 1; SET spark.databricks.any.name",
    "properties": "CREATE TABLE pr (a INT) TBLPROPERTIES ('delta.autoOptimize.optimizeWrite' = 'true'); REFRESH TABLE pr",
    "reorg": "CREATE TABLE ro (a INT); REORG TABLE ro APPLY (PURGE)",
    "cache": "CACHE SELECT * FROM range(3)",
    "keys": "CREATE TABLE k (a INT NOT NULL PRIMARY KEY, b INT DEFAULT 3) "
    "TBLPROPERTIES ('delta.feature.allowColumnDefaults' = 'supported'); INSERT INTO k (a) VALUES (1)",
    "function": "CREATE TEMPORARY FUNCTION f(x INT) RETURNS INT RETURN x + 1; SELECT f(1)",
    "variant": "SELECT try_variant_get(parse_json('{}'), '$.a', 'int')",
    "variables": "DECLARE OR REPLACE VARIABLE v INT = 5; SET VAR v = 6; SELECT v",
    "immediate": "EXECUTE IMMEDIATE 'SELECT 1'",
    "predictive": "CREATE TABLE po (a INT); ALTER TABLE po ENABLE PREDICTIVE OPTIMIZATION",
    "clone": "CREATE TABLE ori (a INT); CREATE TABLE cln SHALLOW CLONE ori; SELECT * FROM cln",
    "restore": "CREATE TABLE re (a INT); INSERT INTO re VALUES (1); RESTORE TABLE re TO VERSION AS OF 0",
    "replace where": "CREATE TABLE rw (a INT); INSERT INTO rw REPLACE WHERE a > 0 SELECT 1 AS a",
    "grants": "CREATE TABLE gr (a INT); GRANT SELECT ON TABLE gr TO `x`; SHOW GRANTS; REVOKE SELECT ON TABLE gr FROM `x`",
    "volume": "CREATE VOLUME main.st.vol; DESCRIBE VOLUME main.st.vol; DROP VOLUME main.st.vol",
    "list": "LIST '/Volumes/main/st'",
    "described": "CREATE TABLE ds (a INT); SHOW TBLPROPERTIES ds; DESCRIBE TABLE EXTENDED ds; SHOW COLUMNS IN ds",
}  # fmt: skip


REFUSED = {
    "persistent function": ("CREATE FUNCTION main.st.f(x INT) RETURNS INT RETURN x + 1", "does not support CREATE FUNCTION"),
    "deep clone": ("CREATE TABLE dc DEEP CLONE main.st.any", "DEEP CLONE does not work here"),
    "replace using": ("CREATE TABLE ru (a INT); INSERT INTO ru REPLACE USING (a) SELECT 1 AS a", "REPLACE ON/USING"),
    "create table": ("CREATE TABLE sc (a INT); SHOW CREATE TABLE sc", "`SHOW CREATE TABLE` is not supported"),
    "path in text": ("SELECT c:a FROM VALUES ('{}') t(c)", "COLUMN_IS_NOT_VARIANT_TYPE"),
}  # fmt: skip


@pytest.mark.slow
def test_the_information_schema_lists_what_there_is(spark: SparkProcess) -> None:
    spark.sql("CREATE TABLE informed (a INT COMMENT 'first', b STRING)")
    spark.sql("CREATE VIEW seen AS SELECT a FROM informed")
    where = "WHERE table_schema = 'st' AND tables.table_name IN ('informed', 'seen') ORDER BY 1"
    kinds = spark.sql(f"SELECT table_name, table_type FROM main.information_schema.tables {where}")
    assert kinds == [("informed", "MANAGED"), ("seen", "VIEW")]
    columns = (
        "SELECT c.column_name, c.data_type, c.comment FROM information_schema.columns c WHERE c.table_name = 'informed'"
    )
    assert spark.sql(columns) == [("a", "int", "first"), ("b", "string", None)]
    assert ("main", "st") in spark.sql("SELECT * FROM system.information_schema.schemata")
    with pytest.raises(SparkFailure, match="there are catalogs, schemata"):
        spark.sql("SELECT * FROM information_schema.nothing")
    with pytest.raises(SparkFailure, match="UNDROP does not work"):
        spark.sql("UNDROP TABLE gone")


@pytest.mark.slow
@pytest.mark.parametrize("statements", [pytest.param(text, id=name) for name, text in STATEMENTS.items()])
def test_statements_of_databricks_on_tables(spark: SparkProcess, statements: str) -> None:
    for statement in statements.split("; "):
        spark.sql(statement)


@pytest.mark.slow
@pytest.mark.parametrize(("statements", "words"), [pytest.param(*each, id=name) for name, each in REFUSED.items()])
def test_a_statement_that_does_not_work_says_so(spark: SparkProcess, statements: str, words: str) -> None:
    *before, last = statements.split("; ")
    for statement in before:
        spark.sql(statement)
    with pytest.raises(SparkFailure, match=words):
        spark.sql(last)


def test_a_batch_begins_where_its_session_is(spark: SparkProcess) -> None:
    """The session of a batch is a clone: it keeps the schema that USE chose, and what the function chooses itself."""

    def run(session: Any) -> list[Any]:
        session.sql("CREATE SCHEMA IF NOT EXISTS main.st_batches")
        session.sql("CREATE TABLE main.st_batches.target (id INT)")
        session.sql("CREATE TABLE main.st_batches.source AS SELECT 1 AS id UNION ALL SELECT 2")
        session.sql("USE main.st_batches")
        seen = []

        def take(batch: Any, _number: int) -> None:
            batch.createOrReplaceTempView("updates")
            batch.sparkSession.sql(
                "MERGE INTO target USING updates ON target.id = updates.id WHEN NOT MATCHED THEN INSERT *"
            )
            seen.append(batch.sparkSession.catalog.currentDatabase())

        try:
            writer = session.readStream.table("source").writeStream.foreachBatch(take).trigger(availableNow=True)
            writer.option("checkpointLocation", "dbfs:/st_batches").start().awaitTermination()
            return [*seen, session.table("target").count()]
        finally:
            session.sql("USE main.st")

    assert spark.call(run) == ["st_batches", 2]

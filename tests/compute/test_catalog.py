"""Tables, views and schemas by three-level names, on a real Spark with Delta."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from compute.catalog_spark import Lake, SparkFailure, SparkProcess, open_lake

from medallion.compute.catalog import JAR, catalog_conf

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    with open_lake(tmp_path_factory.mktemp("catalog")) as lake:
        yield lake


@pytest.fixture(scope="module")
def shared(lake: Lake) -> SparkProcess:
    return lake.spark()


@pytest.fixture
def spark(shared: SparkProcess, lake: Lake) -> Iterator[SparkProcess]:
    """The shared session with a fresh catalog c and schema c.s."""
    shared.sql("USE CATALOG main")
    shared.sql("DROP CATALOG IF EXISTS c CASCADE")
    shutil.rmtree(lake.volumes / "c", ignore_errors=True)
    shared.sql("CREATE CATALOG c")
    shared.sql("CREATE SCHEMA c.s")
    yield shared
    shared.sql("USE main.default")


def fails(spark: SparkProcess, work: str | Callable[[Any], Any]) -> str:
    """The message of what goes wrong."""
    with pytest.raises(SparkFailure) as caught:
        _ = spark.sql(work) if isinstance(work, str) else spark.call(work)
    return str(caught.value)


def stream_to_table(source: str, target: str, checkpoint: str) -> Callable[[Any], int]:
    def work(spark: Any) -> int:
        writer = spark.readStream.table(source).writeStream.option("checkpointLocation", checkpoint)
        query = writer.trigger(availableNow=True).toTable(target)
        query.awaitTermination(120)
        assert query.exception() is None
        return spark.table(target).count()

    return work


# ---- streams


def test_a_stream_goes_from_table_to_table_and_reads_only_what_is_new(spark: SparkProcess) -> None:
    spark.sql("CREATE TABLE c.s.source AS SELECT id FROM range(5)")
    stream = stream_to_table("c.s.source", "c.s.target", "/Volumes/c/s/v/checkpoint")
    assert spark.call(stream) == 5
    spark.sql("INSERT INTO c.s.source VALUES (5), (6)")
    assert spark.call(stream) == 7
    assert spark.sql("SELECT count(DISTINCT id) FROM c.s.target") == [(7,)]


def test_a_batch_function_of_a_stream_merges_into_a_table(spark: SparkProcess) -> None:
    spark.sql("CREATE TABLE c.s.source AS SELECT id FROM range(5)")
    spark.sql("CREATE TABLE c.s.target AS SELECT 4L AS id")

    def work(session: Any) -> None:
        def batch(frame: Any, number: int) -> None:
            frame.createOrReplaceTempView("changes")
            frame.sparkSession.sql(
                "MERGE INTO c.s.target t USING changes s ON t.id = s.id WHEN NOT MATCHED THEN INSERT *"
            )

        writer = session.readStream.table("c.s.source").writeStream.foreachBatch(batch)
        query = writer.option("checkpointLocation", "/Volumes/c/s/v/merge").trigger(availableNow=True).start()
        query.awaitTermination(120)
        assert query.exception() is None

    spark.call(work)
    assert spark.sql("SELECT count(*) FROM c.s.target") == [(5,)]


# ---- columns and constraints


def test_generated_identity_and_default_columns_fill_themselves(spark: SparkProcess) -> None:
    spark.sql("""CREATE TABLE c.s.t (
        k BIGINT GENERATED ALWAYS AS IDENTITY (START WITH 10 INCREMENT BY 10),
        day DATE, year INT GENERATED ALWAYS AS (year(day)), state STRING DEFAULT 'new'
    ) TBLPROPERTIES ('delta.feature.allowColumnDefaults' = 'supported')""")
    spark.sql("INSERT INTO c.s.t (day) VALUES (DATE'2024-02-03')")
    assert spark.sql("SELECT k, year, state FROM c.s.t") == [(10, 2024, "new")]


def test_constraints_are_enforced_and_keys_are_kept(spark: SparkProcess) -> None:
    spark.sql("""CREATE TABLE c.s.t (id INT NOT NULL, v INT, CONSTRAINT positive CHECK (v > 0),
        CONSTRAINT key PRIMARY KEY (id) NOT ENFORCED)""")
    assert "positive" in fails(spark, "INSERT INTO c.s.t VALUES (1, -1)")
    assert "NOT NULL" in fails(spark, "INSERT INTO c.s.t VALUES (NULL, 1)")
    properties = dict(spark.sql("SHOW TBLPROPERTIES c.s.t"))
    assert "PRIMARY KEY (id)" in properties["medallion.constraint.key"]
    spark.sql("ALTER TABLE c.s.t DROP CONSTRAINT positive")
    spark.sql("ALTER TABLE c.s.t DROP CONSTRAINT key")
    spark.sql("INSERT INTO c.s.t VALUES (1, -1)")
    assert "medallion.constraint.key" not in dict(spark.sql("SHOW TBLPROPERTIES c.s.t"))


def test_delta_tables_by_its_own_api(spark: SparkProcess) -> None:
    def work(session: Any) -> list[tuple[Any, ...]]:
        from delta.tables import DeltaTable, IdentityGenerator

        builder = DeltaTable.createIfNotExists(session).tableName("c.s.t").comment("made by the builder")
        builder = builder.addColumn("id", "BIGINT", generatedAlwaysAs=IdentityGenerator())
        builder.addColumn("a", "INT").addColumn("b", "INT", generatedAlwaysAs="a + 1").execute()
        session.sql("INSERT INTO c.s.t (a) VALUES (4)")
        session.sql("USE c.s")
        for name in ("c.s.t", "s.t", "t", "C.S.T"):
            table = DeltaTable.forName(session, name)
            assert table.toDF().count() == 1, name
            assert table.detail().first()["format"] == "delta"
        new = session.sql("SELECT 7 AS a")
        (table.alias("t").merge(new.alias("n"), "t.a = n.a").whenNotMatchedInsert(values={"a": "n.a"}).execute())
        table.delete("a = 4")
        assert table.history(1).first()["operation"] == "DELETE"
        return [tuple(row) for row in session.sql("SELECT a, b FROM t").collect()]

    assert spark.call(work) == [(7, 8)]


# ---- writing


def test_every_writer_writes_by_name(spark: SparkProcess) -> None:
    def work(session: Any) -> dict[str, int]:
        frame = session.range(3)
        frame.write.saveAsTable("c.s.one")
        frame.write.mode("append").saveAsTable("c.s.one")
        frame.write.insertInto("c.s.one")
        frame.write.mode("overwrite").saveAsTable("c.s.two")
        frame.write.mode("overwrite").saveAsTable("c.s.two")
        frame.writeTo("c.s.three").using("delta").create()
        frame.writeTo("c.s.three").append()
        frame.writeTo("c.s.three").createOrReplace()
        wider = session.sql("SELECT 9L AS id, 'x' AS note")
        wider.write.mode("append").option("mergeSchema", "true").saveAsTable("c.s.three")
        session.sql("CREATE OR REPLACE TABLE c.s.four AS SELECT * FROM c.s.one UNION ALL SELECT * FROM c.s.two")
        session.sql("CREATE OR REPLACE TABLE c.s.four AS SELECT * FROM c.s.four WHERE id = 0")
        return {name: session.table(f"c.s.{name}").count() for name in ("one", "two", "three", "four")}

    assert spark.call(work) == {"one": 9, "two": 3, "three": 4, "four": 4}


def test_history_time_travel_restore_and_change_feed(spark: SparkProcess) -> None:
    spark.sql("CREATE TABLE c.s.t (id INT) TBLPROPERTIES (delta.enableChangeDataFeed = true)")
    spark.sql("INSERT INTO c.s.t VALUES (1)")
    spark.sql("INSERT INTO c.s.t VALUES (2)")
    assert [row[0] for row in spark.sql("DESCRIBE HISTORY c.s.t")] == [2, 1, 0]
    assert spark.sql("SELECT * FROM c.s.t VERSION AS OF 1") == [(1,)]
    assert spark.sql("SELECT x.id FROM c.s.t@v1 AS x WHERE x.id > :low", low=0) == [(1,)]
    assert spark.call(lambda s: s.read.option("versionAsOf", 1).table("c.s.t").count()) == 1
    assert spark.sql("SELECT id, _change_type FROM table_changes('c.s.t', 2)") == [(2, "insert")]
    spark.sql("RESTORE TABLE c.s.t TO VERSION AS OF 1")
    assert spark.sql("SELECT * FROM c.s.t") == [(1,)]


def test_clone_and_like(spark: SparkProcess) -> None:
    spark.sql("CREATE TABLE c.s.t (id INT, p INT) PARTITIONED BY (p) TBLPROPERTIES (delta.appendOnly = true)")
    spark.sql("INSERT INTO c.s.t VALUES (1, 2)")
    spark.sql("CREATE TABLE c.s.cloned SHALLOW CLONE c.s.t")
    assert spark.sql("SELECT * FROM c.s.cloned") == [(1, 2)]
    spark.sql("CREATE TABLE c.s.alike LIKE c.s.t")
    assert spark.sql("SELECT * FROM c.s.alike") == []
    assert dict(spark.sql("SHOW TBLPROPERTIES c.s.alike"))["delta.appendOnly"] == "true"
    assert spark.call(lambda s: s.sql("DESCRIBE DETAIL c.s.alike").first()["partitionColumns"]) == ["p"]


def test_altering_describing_and_listing(spark: SparkProcess) -> None:
    spark.sql("USE c.s")
    spark.sql("CREATE TABLE t (id INT) COMMENT 'first'")
    spark.sql("COMMENT ON TABLE t IS 'second'")
    spark.sql("ALTER TABLE t ADD COLUMN note STRING COMMENT 'text'")
    spark.sql("ALTER TABLE c.s.t SET TBLPROPERTIES ('made.by' = 'test')")
    spark.sql("ALTER TABLE t RENAME TO c.s.u")
    assert spark.sql("DESCRIBE u") == [("id", "int", None), ("note", "string", "text")]
    assert ("Comment", "second", "") in spark.sql("DESCRIBE EXTENDED u")
    assert dict(spark.sql("SHOW TBLPROPERTIES u"))["made.by"] == "test"
    assert spark.sql("SHOW COLUMNS IN c.s.u") == [("id",), ("note",)]
    assert spark.sql("SHOW TABLES") == [("s", "u", False)]
    assert ("s",) in spark.sql("SHOW SCHEMAS IN c")
    assert spark.sql("ANALYZE TABLE u COMPUTE STATISTICS FOR ALL COLUMNS")[0][0].startswith("Delta")
    assert [t.name for t in spark.call(lambda s: s.catalog.listTables("s"))] == ["u"]
    assert spark.call(lambda s: (s.catalog.tableExists("c.s.u"), s.catalog.tableExists("c.s.t"))) == (True, False)
    assert "stays in its catalog" in fails(spark, "ALTER TABLE u RENAME TO main.default.u")


def test_vacuum_takes_seconds_not_a_minute(spark: SparkProcess) -> None:
    spark.sql("CREATE TABLE c.s.t AS SELECT id FROM range(10)")
    spark.sql("DELETE FROM c.s.t WHERE id < 5")
    began = time.monotonic()
    spark.sql("VACUUM c.s.t")
    assert time.monotonic() - began < 40  # 69 s before, on an idle machine; this one may be busy
    assert spark.sql("SELECT count(*) FROM c.s.t") == [(5,)]


# ---- views


def test_views_are_made_replaced_listed_and_dropped(spark: SparkProcess, lake: Lake) -> None:
    spark.sql("CREATE TABLE c.s.t AS SELECT id FROM range(4)")
    spark.sql("USE c.s")
    spark.sql("CREATE VIEW v (n COMMENT 'number') COMMENT 'about' AS SELECT id FROM t WHERE id > 1")
    spark.sql("USE main.default")
    assert sorted(spark.sql("SELECT n FROM c.s.v")) == [(2,), (3,)]
    assert spark.sql("SHOW VIEWS IN c.s") == [("s", "v", False)]
    assert spark.sql("SHOW TABLES IN c.s") == [("s", "t", False), ("s", "v", False)]
    assert spark.sql("DESCRIBE c.s.v") == [("n", "bigint", "number")]
    assert "id > 1" in spark.sql("SHOW CREATE TABLE c.s.v")[0][0]
    spark.sql("CREATE OR REPLACE VIEW c.s.v AS SELECT 1 AS k")
    assert spark.sql("SELECT * FROM c.s.v") == [(1,)]
    spark.sql("ALTER VIEW c.s.v AS SELECT 2 AS k")
    spark.sql("ALTER VIEW c.s.v RENAME TO c.s.w")
    assert spark.sql("SELECT * FROM c.s.w") == [(2,)]
    assert "VIEW" in fails(spark, "DROP TABLE c.s.w")
    assert "ALREADY_EXISTS" in fails(spark, "CREATE VIEW c.s.t AS SELECT 1")
    assert "ALREADY_EXISTS" in fails(spark, "CREATE TABLE c.s.w (id INT)")
    spark.sql("DROP VIEW c.s.w")
    spark.sql("DROP VIEW IF EXISTS c.s.w")
    assert spark.sql("SHOW VIEWS IN c.s") == []
    assert [path.name for path in (lake.path / "c" / "s").iterdir() if path.name[0] != "."] == ["t"]


def test_temporary_views_work_in_every_catalog(spark: SparkProcess) -> None:
    spark.sql("USE CATALOG c")
    spark.call(lambda s: s.range(3).createOrReplaceTempView("temporary"))
    spark.call(lambda s: s.range(3).createOrReplaceGlobalTempView("everywhere"))
    assert spark.sql("SELECT count(*) FROM temporary") == [(3,)]
    assert spark.call(lambda s: s.table("temporary").count()) == 3
    assert spark.sql("SELECT count(*) FROM global_temp.everywhere") == [(3,)]


# ---- external tables


def test_an_external_delta_table_keeps_its_data_when_dropped(spark: SparkProcess, lake: Lake) -> None:
    spark.sql("CREATE TABLE c.s.made (id INT) USING DELTA LOCATION '/Volumes/c/s/v/data'")
    spark.sql("INSERT INTO c.s.made VALUES (1)")
    spark.sql("CREATE TABLE c.s.found USING DELTA LOCATION '/Volumes/c/s/v/data'")
    spark.sql("CREATE TABLE c.s.written LOCATION '/Volumes/c/s/v/query' AS SELECT 5 AS id")
    spark.call(lambda s: s.range(2).write.option("path", "/Volumes/c/s/v/frame").saveAsTable("c.s.saved"))
    spark.sql("DROP TABLE c.s.made")
    assert spark.sql("SELECT * FROM c.s.found") == [(1,)]
    assert spark.sql("SELECT * FROM c.s.written") == [(5,)]
    assert spark.call(stream_to_table("c.s.saved", "c.s.copied", "/Volumes/c/s/v/checkpoint")) == 2
    spark.sql("ALTER TABLE c.s.found RENAME TO c.s.again")
    spark.sql("DROP SCHEMA c.s CASCADE")
    folders = lake.volumes / "c" / "s" / "v"
    assert all((folders / name / "_delta_log").is_dir() for name in ("data", "query", "frame"))


@pytest.mark.parametrize("form", ["parquet", "json", "csv", "orc"])
def test_external_tables_of_other_formats(spark: SparkProcess, lake: Lake, form: str) -> None:
    spark.sql(f"CREATE TABLE c.s.t (id INT, p INT) USING {form} PARTITIONED BY (p) LOCATION '/Volumes/c/s/v/{form}'")
    spark.sql("INSERT INTO c.s.t VALUES (1, 2), (3, 4)")
    assert spark.sql("SELECT id FROM c.s.t WHERE p = 4") == [(3,)]
    assert spark.call(lambda s: s.read.format(form).load(f"/Volumes/c/s/v/{form}").count()) == 2
    spark.sql("DROP TABLE c.s.t")
    assert (lake.volumes / "c" / "s" / "v" / form / "p=2").is_dir()


def test_files_that_another_session_adds_are_read_without_a_refresh(spark: SparkProcess, lake: Lake) -> None:
    other = lake.spark()
    spark.sql("CREATE TABLE c.s.t (id INT) USING parquet LOCATION '/Volumes/c/s/v/data'")
    assert spark.sql("SELECT * FROM c.s.t") == []
    other.sql("INSERT INTO c.s.t VALUES (1)")
    assert spark.sql("SELECT * FROM c.s.t") == [(1,)]
    other.end()


def test_columns_of_files_are_found_and_options_kept(spark: SparkProcess, lake: Lake) -> None:
    folder = lake.volumes / "c" / "s" / "v"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text("id;name\n1;x\n")
    spark.sql("CREATE TABLE c.s.t USING csv OPTIONS (header 'true', sep ';') LOCATION '/Volumes/c/s/v/a.csv'")
    assert spark.sql("SELECT id, name FROM c.s.t") == [("1", "x")]


def test_what_cannot_be_a_table_is_refused_in_plain_words(spark: SparkProcess, lake: Lake) -> None:
    assert "must be a Delta table, not parquet" in fails(spark, "CREATE TABLE c.s.t (id INT) USING parquet")
    inside = lake.path / "c" / "s" / "x"
    assert "lies in the lake" in fails(spark, f"CREATE TABLE c.s.t (id INT) LOCATION '{inside}'")
    assert "must be an absolute path" in fails(spark, "CREATE TABLE c.s.t (id INT) LOCATION 'here'")
    assert "SCHEMA_NOT_FOUND" in fails(spark, "CREATE TABLE c.nowhere.t (id INT)")


# ---- names


def test_names_are_the_same_in_any_case(spark: SparkProcess, lake: Lake) -> None:
    spark.sql("CREATE SCHEMA C.Silver")
    spark.sql("CREATE TABLE C.SILVER.Orders AS SELECT 1 AS id")
    assert spark.sql("SELECT * FROM c.silver.orders") == [(1,)]
    assert spark.call(lambda s: s.table("c.Silver.ORDERS").count()) == 1
    assert (lake.path / "c" / "silver" / "orders" / "_delta_log").is_dir()
    assert "ALREADY_EXISTS" in fails(spark, "CREATE TABLE c.silver.ORDERS (id INT)")


@pytest.mark.parametrize("name", ["../x", "..", ".", "a/b", "/abs", "a b", "a.b", "a\\\\b", "x:y", "*"])
def test_names_that_are_paths_never_leave_the_lake(spark: SparkProcess, lake: Lake, name: str) -> None:
    before = sorted(path.name for path in lake.path.parent.iterdir())
    spark.sql("CREATE TABLE c.s.kept AS SELECT 1 AS id")
    for statement in (
        f"CREATE TABLE c.s.`{name}` (id INT)",
        f"CREATE VIEW c.s.`{name}` AS SELECT 1 AS id",
        f"CREATE SCHEMA c.`{name}`",
        f"DROP SCHEMA c.`{name}` CASCADE",
        f"DROP TABLE c.s.`{name}`",
        f"SELECT * FROM c.s.`{name}`",
        f"ALTER TABLE c.s.kept RENAME TO c.s.`{name}`",
        f"CREATE CATALOG `{name}`",
        f"DROP CATALOG `{name}` CASCADE",
        f"CREATE VOLUME c.s.`{name}`",
    ):
        assert fails(spark, statement)
    assert sorted(path.name for path in lake.path.parent.iterdir()) == before
    assert spark.sql("SELECT * FROM c.s.kept") == [(1,)]


def test_tables_by_path_work_beside_names(spark: SparkProcess) -> None:
    spark.sql("CREATE TABLE delta.`/Volumes/c/s/v/p` (id INT) USING DELTA")
    spark.sql("INSERT INTO delta.`/Volumes/c/s/v/p` VALUES (1)")
    assert spark.sql("SELECT * FROM delta.`/Volumes/c/s/v/p`") == [(1,)]
    spark.call(lambda s: s.range(2).write.parquet("/Volumes/c/s/v/q"))
    assert spark.sql("SELECT count(*) FROM parquet.`/Volumes/c/s/v/q`") == [(2,)]


def test_a_cascade_deletes_links_and_not_what_they_point_to(spark: SparkProcess, lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    spark.sql("CREATE TABLE c.s.t AS SELECT 1 AS id")
    (lake.path / "c" / "s" / "link").symlink_to(tmp_path)
    (lake.path / "c" / "s" / "t" / "link").symlink_to(tmp_path)
    assert "NOT_EMPTY" in fails(spark, "DROP SCHEMA c.s")
    spark.sql("DROP SCHEMA c.s CASCADE")
    assert not (lake.path / "c" / "s").exists()
    assert (tmp_path / "precious").read_text() == "x"


# ---- settings


def test_nothing_is_left_in_the_working_directory(spark: SparkProcess, lake: Lake) -> None:
    spark.sql("CREATE TABLE spark_catalog.default.legacy AS SELECT 1 AS id")
    spark.sql("CREATE TABLE hive_metastore.default.legacy AS SELECT 1 AS id")
    spark.sql("DROP TABLE spark_catalog.default.legacy")
    spark.sql("DROP TABLE hive_metastore.default.legacy")
    assert spark.call(lambda _: os.listdir(".")) == [".medallion"]  # noqa: PTH208


def test_the_conf_names_the_lake_and_only_the_default_catalog(tmp_path: Path) -> None:
    conf = catalog_conf(tmp_path / "a lake", tmp_path, default_catalog="work")
    assert conf["spark.medallion.lake"] == f"{tmp_path.as_uri()}/a%20lake"
    named = [key for key in conf if key.startswith("spark.sql.catalog.")]
    assert named == ["spark.sql.catalog.spark_catalog", "spark.sql.catalog.work"]
    assert JAR.is_file()


# ---- what a writer that died leaves, and what one does that is late


@pytest.mark.parametrize("log", [True, False], ids=["with a log folder", "without a log folder"])
@pytest.mark.parametrize(
    "statement",
    ["CREATE TABLE c.s.t (id BIGINT)", "CREATE TABLE c.s.t AS SELECT id FROM range(0)"],
    ids=["plain", "with a query"],
)
def test_a_table_is_made_where_a_writer_has_died(spark: SparkProcess, lake: Lake, statement: str, *, log: bool) -> None:
    folder = lake.path / "c" / "s" / "t"
    (folder / "_delta_log" if log else folder).mkdir(parents=True)
    (folder / "part-0.snappy.parquet").write_bytes(b"half")
    spark.sql(statement)
    spark.sql("INSERT INTO c.s.t VALUES (1)")
    assert spark.sql("SELECT * FROM c.s.t") == [(1,)]
    assert list(folder.parent.glob(".new*")) == []


def test_a_commit_after_the_drop_is_no_table(spark: SparkProcess, lake: Lake) -> None:
    spark.sql("CREATE TABLE c.s.t AS SELECT 1 AS id")
    log = lake.path / "c" / "s" / "t" / "_delta_log"
    commit = (log / f"{0:020}.json").read_text()
    spark.sql("DROP TABLE c.s.t")
    log.mkdir(parents=True)
    (log / f"{7:020}.json").write_text(commit)
    assert spark.sql("SHOW TABLES IN c.s") == []
    assert "TABLE_OR_VIEW_NOT_FOUND" in fails(spark, "SELECT * FROM c.s.t")
    spark.sql("CREATE TABLE c.s.t (id BIGINT)")
    assert spark.sql("SELECT count(*) FROM c.s.t") == [(0,)]


def test_a_late_writer_does_not_bring_a_dropped_schema_back(spark: SparkProcess, lake: Lake) -> None:
    place = (lake.path / "c" / "s" / "t").as_uri()
    spark.sql("DROP SCHEMA c.s CASCADE")
    assert "There is no catalog or schema c.s" in fails(spark, lambda it: it.range(3).write.parquet(place))
    assert spark.sql("SHOW SCHEMAS IN c") == [("default",)]


def test_of_a_schema_and_catalog_made_twice_the_second_is_refused(spark: SparkProcess) -> None:
    assert "SCHEMA_ALREADY_EXISTS" in fails(spark, "CREATE SCHEMA c.s")
    assert "already exists" in fails(spark, "CREATE CATALOG c")
    spark.sql("CREATE SCHEMA IF NOT EXISTS c.s COMMENT 'other'")
    spark.sql("CREATE CATALOG IF NOT EXISTS c")

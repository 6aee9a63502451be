"""Several JVMs on one lake, and a JVM that dies in the middle of a statement."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest
from compute.catalog_spark import Lake, SparkFailure, SparkProcess, open_lake

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    with open_lake(tmp_path_factory.mktemp("sharing")) as lake:
        yield lake


@pytest.fixture(scope="module")
def one(lake: Lake) -> SparkProcess:
    return lake.spark("one")


@pytest.fixture(scope="module")
def two(lake: Lake, one: SparkProcess) -> SparkProcess:
    return lake.spark("two")


def test_what_one_jvm_makes_the_other_sees(one: SparkProcess, two: SparkProcess) -> None:
    one.sql("CREATE CATALOG c")
    one.sql("CREATE SCHEMA c.s")
    one.sql("CREATE TABLE c.s.t AS SELECT 1 AS id")
    one.sql("CREATE VIEW c.s.v AS SELECT id + 1 AS next FROM c.s.t")
    assert two.sql("SELECT * FROM c.s.v") == [(2,)]
    two.sql("INSERT INTO c.s.t VALUES (2)")
    assert sorted(one.sql("SELECT * FROM c.s.v")) == [(2,), (3,)]
    one.sql("CREATE OR REPLACE VIEW c.s.v AS SELECT 'x' AS x")
    assert two.sql("SELECT * FROM c.s.v") == [("x",)]


def test_a_table_that_one_jvm_makes_anew_is_new_for_the_other(one: SparkProcess, two: SparkProcess) -> None:
    one.sql("CREATE TABLE main.default.again AS SELECT 1 AS old")
    one.sql("INSERT INTO main.default.again VALUES (2)")
    assert two.sql("SELECT count(*) FROM main.default.again") == [(2,)]
    one.sql("DROP TABLE main.default.again")
    with pytest.raises(SparkFailure, match="TABLE_OR_VIEW_NOT_FOUND"):
        two.sql("SELECT * FROM main.default.again")
    one.sql("CREATE TABLE main.default.again AS SELECT 'n' AS fresh")
    assert two.sql("SELECT fresh FROM main.default.again") == [("n",)]
    two.sql("INSERT INTO main.default.again VALUES ('m')")
    assert sorted(one.sql("SELECT fresh FROM main.default.again")) == [("m",), ("n",)]


def test_of_two_jvms_that_create_a_table_at_once_one_wins_whole(one: SparkProcess, two: SparkProcess) -> None:
    def create(name: str):
        return lambda spark: spark.sql(
            f"CREATE TABLE main.default.race AS SELECT '{name}' AS who FROM range(100)"
        ).count()

    outcomes = []
    for process, name in ((one, "one"), (two, "two")):
        process.send(create(name))
    for process in (one, two):
        try:
            outcomes.append(process.receive())
        except SparkFailure as error:
            outcomes.append(error)
    assert len([outcome for outcome in outcomes if not isinstance(outcome, SparkFailure)]) == 1
    assert one.sql("SELECT count(*), count(DISTINCT who) FROM main.default.race") == [(100, 1)]


def test_a_crash_in_the_middle_of_a_table_leaves_nothing_visible(lake: Lake, one: SparkProcess) -> None:
    doomed = lake.spark("doomed")
    pid = doomed.call(lambda spark: spark.sparkContext._jvm.java.lang.ProcessHandle.current().pid())

    def slow(spark: object) -> None:
        def wait(batches):
            for batch in batches:
                if batch["id"].max() > 50:
                    time.sleep(600)
                yield batch

        rows = spark.range(100, numPartitions=2).mapInPandas(wait, "id long")  # type: ignore[attr-defined]
        rows.write.saveAsTable("main.default.half")

    doomed.send(slow)
    folder = lake.path / "main" / "default" / "half"
    deadline = time.monotonic() + 120
    while not list(folder.glob("**/*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert list(folder.glob("**/*.parquet")), "the statement has begun to write"
    os.kill(pid, signal.SIGKILL)
    assert one.sql("SHOW TABLES IN main.default LIKE 'half'") == []
    assert not one.call(lambda spark: spark.catalog.tableExists("main.default.half"))
    one.sql("DROP TABLE IF EXISTS main.default.half")
    one.sql("CREATE TABLE main.default.half AS SELECT 7 AS id")
    assert one.sql("SELECT * FROM main.default.half") == [(7,)]

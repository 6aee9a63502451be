"""A write whose driver is killed in the middle leaves the table at its old version, for each kind of write.

All writes run at once in one driver. Each stops at a gate once some of its data files are written; then the driver's JVM
gets SIGKILL. A second driver reads the tables: they are as they were. Done again, each write does what it says.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from compute.catalog_spark import Lake, SparkProcess, open_lake

pytestmark = [pytest.mark.spark, pytest.mark.slow]

ROWS, GATED = 3000, 1000
PATIENCE = 180.0


@dataclass(frozen=True)
class Write:
    """A kind of write: its table, its statement, and the table's rows after it. The function `slow` waits at the gate."""

    name: str
    statement: str
    rows: int


def rows_of(name: str) -> str:
    return f"(SELECT id, slow('{name}', id) AS n FROM range(0, {ROWS}, 1, 1))"


WRITES = (
    Write("append", f"INSERT INTO main.k.append SELECT * FROM {rows_of('append')}", 2 * ROWS),
    Write("overwrite", f"INSERT OVERWRITE main.k.overwrite SELECT * FROM {rows_of('overwrite')} LIMIT 2000", 2000),
    Write(
        "merge",
        f"MERGE INTO main.k.merge t USING (SELECT id + 1 AS id, 7L AS n FROM range({ROWS})) s ON t.id = s.id "
        "WHEN MATCHED THEN UPDATE SET t.n = slow('merge', t.id) WHEN NOT MATCHED THEN INSERT *",
        ROWS + 1,
    ),
    Write("update", "UPDATE main.k.update SET n = slow('update', id) + 1", ROWS),
    Write("delete", "DELETE FROM main.k.delete WHERE slow('delete', id) >= 2000", 2000),
    Write("ctas", f"CREATE TABLE main.k.ctas AS SELECT * FROM {rows_of('ctas')}", ROWS),
    Write("replace", f"CREATE OR REPLACE TABLE main.k.replace AS SELECT * FROM {rows_of('replace')} LIMIT 2000", 2000),
    Write(
        "copied",
        "COPY INTO main.k.copied FROM (SELECT id, slow('copied', id) AS n FROM '/Volumes/main/k/in') FILEFORMAT = JSON",
        2 * ROWS,
    ),
    Write("loader", "stream", 2 * ROWS),
)
OPTIMIZE = Write("optimize", "OPTIMIZE main.k.optimize", 150)
EVERY = (*WRITES, OPTIMIZE)


def prepare(lake: str, gate: str) -> Callable[[Any], None]:
    """In a session: what a task has, and the function that waits at the gate."""

    def work(spark: Any) -> None:
        from medallion.runtime.spark.install import install

        def slow(table: str, number: int | None) -> int:
            import time
            from pathlib import Path

            folder, twice = Path(lake, "main", "k", table), table == "delete"
            if twice and not Path(gate).exists():
                time.sleep(0.002)  # DELETE looks at the rows once more, before it writes
            while number is not None and number >= GATED and not Path(gate).exists():
                if twice and len(list(folder.glob("*.parquet"))) == 1:
                    break
                time.sleep(0.1)
            return number or 0

        install(spark)
        spark.udf.register("slow", slow, "bigint")
        spark.conf.set("spark.sql.files.maxRecordsPerFile", "200")

    return work


def run(statement: str) -> Callable[[Any], None]:
    """Runs a write in a session."""

    def work(spark: Any) -> None:
        if statement != "stream":
            spark.sql(statement)
            return
        reader = spark.readStream.format("cloudFiles").option("cloudFiles.format", "json").schema("id BIGINT")
        rows = reader.load("/Volumes/main/k/in").selectExpr("id", "slow('loader', id) AS n")
        writer = rows.writeStream.option("checkpointLocation", "/Volumes/main/k/checkpoint").trigger(availableNow=True)
        writer.toTable("main.k.loader").awaitTermination()

    return work


def make_tables(spark: Any) -> None:
    """Each table in one file, with its first version."""
    spark.sql("CREATE SCHEMA main.k")
    for write in WRITES:
        if write.name != "ctas":
            spark.range(ROWS).selectExpr("id", "0L AS n").coalesce(1).write.saveAsTable(f"main.k.{write.name}")
    spark.range(0, 150, 1, 50).selectExpr("id", "0L AS n").write.saveAsTable("main.k.optimize")


def begin(statements: list[str]) -> Callable[[Any], None]:
    """Starts the writes, each in a thread; does not wait for them."""

    def work(spark: Any) -> None:
        import threading

        for statement in statements:
            threading.Thread(target=run(statement), args=(spark,), daemon=True).start()

    return work


@dataclass
class Tables:
    """The folders of the tables, looked at without Spark."""

    lake: Path

    def files(self, name: str) -> int:
        return len(list((self.lake / "main" / "k" / name).glob("*.parquet")))

    def versions(self, name: str) -> int:
        return len(list((self.lake / "main" / "k" / name / "_delta_log").glob("*.json")))


def wait_until(what: Callable[[], bool], every: float) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, "the writes did not come to their middle"
        time.sleep(every)


@dataclass
class Killed:
    """What there is after the kill: the tables' versions before it, and a session in a new driver."""

    tables: Tables
    before: dict[str, int]
    spark: SparkProcess
    gate: Path


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killed]:
    with open_lake(tmp_path_factory.mktemp("kill")) as lake:
        gate = lake.folder / "gate"
        landing = lake.volumes / "main" / "k" / "in"
        landing.mkdir(parents=True)
        (landing / "a.json").write_text("".join(f'{{"id": {number}}}\n' for number in range(ROWS)))
        spark = lake.spark(master="local[12]")
        spark.call(make_tables)
        spark.call(prepare(str(lake.path), str(gate)))
        tables = Tables(lake.path)
        before = {write.name: tables.versions(write.name) for write in EVERY}
        files = {write.name: tables.files(write.name) for write in EVERY}
        kill_in_the_middle(lake, spark, tables, files)
        other = lake.spark("two", master="local[4]")
        other.call(prepare(str(lake.path), str(gate)))
        yield Killed(tables, before, other, gate)


def kill_in_the_middle(lake: Lake, spark: SparkProcess, tables: Tables, files: dict[str, int]) -> None:
    """Begin every write and kill the JVM when each has written some of its files."""
    jvm = json.loads(spark.connection_file.read_text())["pid"]
    spark.call(begin([write.statement for write in WRITES]))
    wait_until(lambda: all(tables.files(write.name) > files[write.name] for write in WRITES), 0.1)
    spark.call(begin([OPTIMIZE.statement]))
    wait_until(lambda: tables.files("optimize") > files["optimize"], 0.002)
    os.kill(jvm, signal.SIGKILL)
    spark.process.kill()
    spark.process.wait()


@pytest.mark.parametrize("write", [pytest.param(write, id=write.name) for write in EVERY])
def test_a_killed_write_leaves_the_old_version_and_works_again(killed: Killed, write: Write) -> None:
    table = f"main.k.{write.name}"
    assert killed.tables.versions(write.name) == killed.before[write.name]
    if write.name == "ctas":
        assert ("k", "ctas", False) not in killed.spark.sql("SHOW TABLES IN main.k")
    else:
        rows = 150 if write is OPTIMIZE else ROWS
        assert killed.spark.sql(f"SELECT count(*), sum(n), sum(id) FROM {table}") == [(rows, 0, rows * (rows - 1) // 2)]
    killed.gate.touch()
    killed.spark.call(run(write.statement))
    assert killed.spark.sql(f"SELECT count(*) FROM {table}") == [(write.rows,)]
    assert killed.tables.versions(write.name) > killed.before[write.name]
    if write.name in {"copied", "loader"}:
        killed.spark.call(run(write.statement))
        assert killed.spark.sql(f"SELECT count(*) FROM {table}") == [(write.rows,)]

"""Notebooks with streams: a task waits for them, fails with them, and shows them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from compute.catalog_spark import Lake, SparkProcess

pytestmark = pytest.mark.spark


@pytest.fixture
def spark_cells(run_cells: Callable[..., Any], spark: SparkProcess, lake: Lake) -> Callable[..., Any]:
    """Runs cells with a session in the driver that these tests share."""
    from medallion.runtime.protocol import Places

    places = Places(str(lake.path), str(lake.volumes), str(lake.settings.dbfs))

    def go(*cells: str) -> Any:
        # A tag of its own for each: whoever clears up after an ended process ends what has its tag.
        return run_cells(*cells, driver=str(spark.connection_file), tag=f"test-{uuid4().hex}", places=places)

    return go


LANDING = """
import json, os
os.makedirs("/Volumes/main/default/nb/in", exist_ok=True)
def put(name, *rows):
    with open(f"/Volumes/main/default/nb/in/{name}", "w") as out:
        out.writelines(json.dumps(row) + "\\n" for row in rows)
def stream():
    return (spark.readStream.format("cloudFiles").option("cloudFiles.format", "json")
            .option("cloudFiles.schemaLocation", "/Volumes/main/default/nb/state").load("/Volumes/main/default/nb/in"))
def start():
    writer = stream().writeStream.option("checkpointLocation", "/Volumes/main/default/nb/state")
    return writer.option("mergeSchema", "true").trigger(availableNow=True).toTable("main.default.nb")
"""


def test_a_task_waits_for_its_stream_fails_with_it_and_works_when_tried_again(
    spark_cells: Callable[..., Any], as_magic: Callable[[str], str]
) -> None:
    ran = spark_cells(LANDING, "put('a.json', {'id': 1}, {'id': 2})", "query = start()")
    assert ran.result.success, ran.text
    ran = spark_cells(
        LANDING, "print(spark.table('main.default.nb').count())\nput('b.json', {'id': 3, 'x': 1})\nstart()"
    )
    assert ran.lines[0] == "2", ran.text
    assert not ran.result.success
    assert "UNKNOWN_FIELD_EXCEPTION" in ran.result.failure.message
    assert "Start the stream again" in ran.text
    ran = spark_cells(
        LANDING,
        "start()",
        "spark.streams.awaitAnyTermination()",
        as_magic("%sql\nSELECT id, x FROM main.default.nb ORDER BY id"),
        "display(stream())",
        "display(stream().groupBy().count())",
        "display(spark.readStream.format('rate').option('rowsPerSecond', 5000).load().select('value'))",
    )
    assert ran.result.success, ran.text
    assert "| 3  | 1    |" in ran.lines
    shown = [cell.outputs[0].data["text/html"] for cell in ran.cells[4:]]
    assert "<td>3</td>" in shown[0]
    assert "<td>3</td>" in shown[1]
    assert "<th>value</th>" in shown[2]


def test_a_failure_that_the_code_has_handled_is_no_failure_of_the_task(spark_cells: Callable[..., Any]) -> None:
    ran = spark_cells(
        "bad = spark.readStream.format('rate').load().selectExpr('raise_error(\"broken\") AS x')\n"
        "query = bad.writeStream.format('noop').start()\n"
        "try:\n    query.awaitTermination()\nexcept Exception as error:\n"
        "    print(type(error).__name__, 'broken' in str(error))"
    )
    assert ran.result.success, ran.text
    assert ran.lines == ["StreamingQueryException True"]


def test_dbutils_fs_reads_and_writes_on_schemes_of_the_driver(spark_cells: Callable[..., Any], tmp_path: Path) -> None:
    ran = spark_cells(
        f"root = 'viewfs://lake{tmp_path}/far'\n"
        "dbutils.fs.mkdirs(root)\ndbutils.fs.put(root + '/a.txt', 'hello')\n"
        "dbutils.fs.cp(root + '/a.txt', 'dbfs:/near.txt')\ndbutils.fs.mv('dbfs:/near.txt', root + '/b.txt')\n"
        "print([(f.name, f.size) for f in dbutils.fs.ls(root)], dbutils.fs.head(root + '/b.txt', 4))\n"
        "print(dbutils.fs.rm(root, True), dbutils.fs.rm(root, True))",
        "dbutils.fs.ls('abfss://box@account.dfs.core.windows.net/x')",
    )
    assert ran.lines[:3] == ["Wrote 5 bytes.", "[('a.txt', 5), ('b.txt', 5)] hell", "True False"]
    assert "Spark's driver cannot open abfss://" in ran.text

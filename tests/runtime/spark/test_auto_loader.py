"""Auto Loader on a real Spark: formats, schemas that are found and grow, rescued data, each file once."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from compute.catalog_spark import Lake, SparkFailure, SparkProcess

pytestmark = pytest.mark.spark


class Folder:
    """A landing folder of one test, and streams from it into a table."""

    def __init__(self, spark: SparkProcess, lake: Lake, name: str) -> None:
        self.spark, self.name = spark, name
        self.path = f"/Volumes/main/default/{name}"
        self.local = lake.volumes / "main" / "default" / name
        (self.local / "in").mkdir(parents=True)

    def put(self, name: str, text: str | list[dict[str, Any]]) -> None:
        """Write a file; a list of objects becomes lines of JSON."""
        file = self.local / "in" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text if isinstance(text, str) else "".join(json.dumps(row) + "\n" for row in text))

    def load(self, form: str, schema: str | None = None, **options: Any) -> int:
        """Run an availableNow stream to the end. Gives the number of its micro-batches with rows."""
        path, table = self.path, f"main.default.{self.name}"
        every = {"cloudFiles.format": form, **{key.replace("__", "."): value for key, value in options.items()}}
        if schema is None:
            every["cloudFiles.schemaLocation"] = f"{path}/state"

        def run(spark: Any) -> int:
            reader = spark.readStream.format("cloudFiles").options(**every)
            frame = (reader if schema is None else reader.schema(schema)).load(f"{path}/in")
            writer = frame.writeStream.option("checkpointLocation", f"{path}/state").option("mergeSchema", "true")
            query = writer.trigger(availableNow=True).toTable(table)
            query.awaitTermination()
            return sum(1 for progress in query.recentProgress if progress.numInputRows)

        return int(self.spark.call(run))

    def rows(self, columns: str = "*") -> list[tuple[Any, ...]]:
        """The table's rows, in the order of the first column."""
        return self.spark.sql(f"SELECT {columns} FROM main.default.{self.name} ORDER BY 1")

    def columns(self) -> dict[str, str]:
        """The table's columns and their types."""
        return {name: kind for name, kind, _ in self.spark.sql(f"DESCRIBE main.default.{self.name}") if name[:1] != "#"}


@pytest.fixture
def folder(spark: SparkProcess, lake: Lake, request: pytest.FixtureRequest) -> Folder:
    name = "".join(mark if mark.isalnum() else "_" for mark in request.node.name.removeprefix("test_"))[:40]
    return Folder(spark, lake, name)


def test_json_is_text_by_default_and_each_file_is_taken_once(folder: Folder) -> None:
    folder.put("a.json", [{"id": 1, "who": {"name": "Ann"}}, {"id": 2, "who": None}])
    assert folder.load("json") == 1
    assert folder.load("json") == 0
    folder.put("b.json", [{"id": 3, "who": {"name": "Cy"}}])
    folder.put("_hidden.json", [{"id": 4}])
    assert folder.load("json") == 1
    assert folder.columns() == {"id": "string", "who": "string", "_rescued_data": "string"}
    assert folder.rows() == [("1", '{"name": "Ann"}', None), ("2", None, None), ("3", '{"name": "Cy"}', None)]


def test_a_new_column_fails_the_stream_once_and_is_there_after_a_restart(folder: Folder) -> None:
    options = {"cloudFiles__inferColumnTypes": True}
    folder.put("a.json", [{"id": 1}])
    folder.load("json", **options)
    folder.put("b.json", [{"id": 2, "city": "Oslo"}, {"id": 3, "n": 5}])
    with pytest.raises(SparkFailure, match=r"UNKNOWN_FIELD_EXCEPTION.*automatic retry: true"):
        folder.load("json", **options)
    folder.load("json", **options)
    assert folder.columns() == {"id": "bigint", "_rescued_data": "string", "city": "string", "n": "bigint"}
    assert folder.rows("id, city, n, _rescued_data") == [
        (1, None, None, None),
        (2, "Oslo", None, None),
        (3, None, 5, None),
    ]


def test_values_of_other_types_and_unknown_columns_are_rescued(folder: Folder) -> None:
    folder.put("a.json", [{"id": 1, "at": "2025-01-02"}])
    options = {"cloudFiles__schemaHints": "id INT, at DATE", "cloudFiles__schemaEvolutionMode": "rescue"}
    folder.load("json", **options)
    folder.put("b.json", '{"id": "two", "at": "2025-01-03", "x": {"y": [1, 2]}}\n{"id": 3, "ID": 9}\n{broken\n')
    folder.load("json", **options)
    rows = folder.rows("coalesce(id, -1) AS id, cast(at AS string), _rescued_data")
    rescued = [(number, at, json.loads(text) if text else None) for number, at, text in rows]
    for _, _, kept in rescued:
        if kept is not None:
            assert kept.pop("_file_path").endswith("/in/b.json")
    two = (-1, "2025-01-03", {"id": "two", "x": '{"y":[1,2]}'})
    assert (1, "2025-01-02", None) in rescued
    assert two in rescued or (-1, "2025-01-03", {"id": "two", "x": {"y": [1, 2]}}) in rescued
    assert (3, None, {"ID": 9}) in rescued
    assert (-1, None, {"_corrupt_record": "{broken"}) in rescued


def test_rescued_data_is_whole_when_no_other_column_is_asked_for(folder: Folder, spark: SparkProcess) -> None:
    folder.put("a.json", '{"id": "two", "n": 1}\n[{"id": 3, "m": 4}, {"id": 5}]\n{"id": 6, "n": {"p": 7}}\n')
    options = "format => 'json', schema => 'id INT, n INT', rescuedDataColumn => 'rest'"
    source = f"read_files('{folder.path}/in', {options})"
    found = [row for (row,) in spark.sql(f"SELECT rest FROM {source}")]
    kept = [{key: value for key, value in json.loads(text or "{}").items() if key != "_file_path"} for text in found]
    assert kept == [{"id": "two"}, {"m": 4}, {}, {"n": {"p": 7}}]
    assert spark.sql(f"SELECT count(*), count(rest), sum(id) FROM {source}") == [(4, 3, 14)]
    assert spark.sql(f"SELECT n, id FROM {source} WHERE n = 1") == [(1, None)]


def test_csv_columns_are_found_by_each_file_s_header(folder: Folder) -> None:
    options = {"header": True, "cloudFiles__inferColumnTypes": True}
    folder.put("2019-Oct.csv", 'event_time,price,brand\n2019-10-01 00:00:00,1.5,"a, b"\n')
    folder.put("2019-Nov.csv", "brand,event_time,price\nacme,2019-11-01 00:00:00,2.5\n")
    folder.load("csv", **options)
    folder.put("2019-Dec.csv", "event_time,brand,price,color\n2019-12-01 00:00:00,zeta,none,red\n")
    with pytest.raises(SparkFailure, match=r"unknown fields during parsing: \[color\]"):
        folder.load("csv", **options)
    folder.load("csv", **options)
    rows = folder.rows("cast(event_time AS string), price, brand, color, get_json_object(_rescued_data, '$.price')")
    assert rows == [
        ("2019-10-01 00:00:00", 1.5, "a, b", None, None),
        ("2019-11-01 00:00:00", 2.5, "acme", None, None),
        ("2019-12-01 00:00:00", None, "zeta", "red", "none"),
    ]


def test_fail_on_new_columns_keeps_failing_and_none_leaves_them_out(folder: Folder) -> None:
    folder.put("a.csv", "id\n1\n")
    folder.load("csv", header=True, cloudFiles__schemaEvolutionMode="failOnNewColumns")
    folder.put("b.csv", "id,more\n2,x\n")
    for _ in range(2):
        with pytest.raises(SparkFailure, match="automatic retry: false"):
            folder.load("csv", header=True, cloudFiles__schemaEvolutionMode="failOnNewColumns")
    folder.load("csv", header=True, cloudFiles__schemaEvolutionMode="none", rescuedDataColumn="rest")
    assert [row[0] for row in folder.rows("id")] == ["1", "2"]


def test_a_given_schema_needs_no_location_and_folders_give_columns(folder: Folder) -> None:
    folder.put("day=2025-01-01/a.json", [{"id": 1, "x": 9}])
    folder.put("day=2025-01-02/b.json", [{"id": 2}])
    folder.load("json", schema="id INT, day DATE", cloudFiles__maxFilesPerTrigger=1)
    assert folder.rows("id, cast(day AS string)") == [(1, "2025-01-01"), (2, "2025-01-02")]


def test_files_per_trigger_and_the_file_s_metadata(folder: Folder, spark: SparkProcess) -> None:
    for number in range(5):
        folder.put(f"{number}.txt", f"line {number}\n")
    path = folder.path

    def run(spark: Any) -> Any:
        batches: list[int] = []
        frame = (
            spark.readStream.format("cloudFiles")
            .option("cloudFiles.format", "text")
            .option("cloudFiles.maxFilesPerTrigger", 2)
            .load(f"{path}/in")
            .select("value", "_metadata.file_name", "_metadata.file_path")
        )
        names: list[tuple[str, str, str]] = []

        def take(batch: Any, _number: int) -> None:
            rows = batch.collect()
            batches.append(len(rows))
            names.extend(tuple(row) for row in rows)

        writer = frame.writeStream.foreachBatch(take).option("checkpointLocation", f"{path}/state")
        writer.trigger(availableNow=True).start().awaitTermination()
        return batches, sorted(names)

    batches, names = spark.call(run)
    assert batches == [2, 2, 1]
    assert names[3][:2] == ("line 3", "3.txt")
    assert names[3][2].endswith(f"{path}/in/3.txt")


def test_parquet_grows_and_binary_files_come_whole(folder: Folder, spark: SparkProcess) -> None:
    path = folder.path
    spark.call(lambda s: s.sql("SELECT 1 AS id").write.parquet(f"{path}/in/a"))
    folder.load("parquet")
    spark.call(lambda s: s.sql("SELECT 2 AS id, 'x' AS more").write.parquet(f"{path}/in/b"))
    with pytest.raises(SparkFailure, match="unknown fields"):
        folder.load("parquet")
    folder.load("parquet")
    assert folder.rows("id, more") == [(1, None), (2, "x")]
    count = spark.call(
        lambda s: s.readStream.format("cloudFiles").option("cloudFiles.format", "binaryFile").load(f"{path}/in").columns
    )
    assert count == ["path", "modificationTime", "length", "content"]


def test_files_from_before_the_first_start_may_be_left_out(folder: Folder) -> None:
    folder.put("old.json", [{"id": 1}])
    folder.load("json", cloudFiles__includeExistingFiles=False)
    folder.put("new.json", [{"id": 2}])
    folder.load("json", cloudFiles__includeExistingFiles=False)
    assert folder.rows("id") == [("2",)]


def test_a_file_with_an_old_time_is_taken_when_it_comes_late(folder: Folder) -> None:
    folder.put("new.json", [{"id": 1}])
    folder.load("json")
    folder.put("old.json", [{"id": 2}])
    os.utime(folder.local / "in" / "old.json", (1_000_000_000, 1_000_000_000))  # as an unpacked archive leaves it
    folder.load("json")
    assert folder.rows("id") == [("1",), ("2",)]


@pytest.mark.slow
def test_a_hundred_thousand_files_are_taken_once(folder: Folder) -> None:
    for number in range(100_000):
        day = folder.local / "in" / f"day={number % 10}"
        if number < 10:
            day.mkdir()
        (day / f"{number}.json").write_text(f'{{"id": {number}}}\n')
    options = {"cloudFiles__inferColumnTypes": True, "cloudFiles__maxFilesPerTrigger": 25_000}
    assert folder.load("json", **options) == 4
    assert folder.load("json", **options) == 0
    assert folder.rows("count(*), count(DISTINCT id), count(DISTINCT day)") == [(100_000, 100_000, 10)]

"""Schemas of samples, without Spark: hints, partition folders, headers that differ."""

from __future__ import annotations

import pytest
from pyspark.sql.types import DoubleType, IntegerType, LongType, StringType, StructType

from medallion.runtime.spark.files import FileEntry
from medallion.runtime.spark.inference import hinted, merged, partition_columns, split_hints


@pytest.mark.parametrize(
    ("path", "root", "names"),
    [
        pytest.param("file:/v/in/a.json", "/v/in", [], id="none"),
        pytest.param("file:/v/in/day=1/hour=2/a.json", "/v/in", ["day", "hour"], id="two"),
        pytest.param("file:/v/x=1/in/day=1/a.json", "/v/x=1/in", ["day"], id="below the root only"),
        pytest.param("file:/v/in/a%20b=1/c.json", "/v/in", ["a b"], id="encoded"),
    ],
)
def test_folders_name_columns(path: str, root: str, names: list[str]) -> None:
    assert partition_columns([FileEntry(path, 1, 1)], root) == names


def test_hints_are_split_at_commas_outside_of_types() -> None:
    hints = "a INT, b.c MAP<STRING, INT>, `d e` DECIMAL(10, 2)"
    assert [hint.strip() for hint in split_hints(hints)] == ["a INT", "b.c MAP<STRING, INT>", "`d e` DECIMAL(10, 2)"]


def test_a_hint_sets_a_member_or_adds_it() -> None:
    schema = StructType().add("A", StringType()).add("s", StructType().add("x", StringType()))
    made = hinted(hinted(hinted(schema, ["a"], LongType()), ["s", "y"], IntegerType()), ["z"], DoubleType())
    assert made.simpleString() == "struct<A:bigint,s:struct<x:string,y:int>,z:double>"


def test_schemas_of_files_become_one() -> None:
    first = StructType().add("id", IntegerType()).add("price", LongType()).add("at", IntegerType())
    second = StructType().add("PRICE", DoubleType()).add("at", StringType()).add("more", LongType())
    assert merged(first, second).simpleString() == "struct<id:int,price:double,at:string,more:bigint>"

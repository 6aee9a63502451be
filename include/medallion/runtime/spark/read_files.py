"""`read_files` and `cloud_files`, the table functions over files. Runs in the task process.

Names and defaults: docs.databricks.com, sql/language-manual/functions/read_files.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from medallion.runtime.spark.auto_loader import batch_plan, stream_plan
from medallion.runtime.spark.files import list_files
from medallion.runtime.spark.options import PREFIX, TAKEN, AutoLoaderError, parse_options, text_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from medallion.runtime.spark.columns import Plan

BY_SUFFIX = {
    **dict.fromkeys((".json", ".jsonl", ".ndjson"), "json"),
    **dict.fromkeys((".csv", ".tsv"), "csv"),
    **dict.fromkeys((".txt", ".text", ".log"), "text"),
    ".parquet": "parquet",
    ".orc": "orc",
    ".xml": "xml",
}
PACKED = {".gz", ".bz2", ".zst", ".snappy", ".lz4", ".deflate"}
OF_LOADER = {name.lower() for name in TAKEN if name != "rescuedDataColumn"}


def read_files(
    spark: SparkSession, path: str, given: Mapping[str, Any], *, stream: bool, location: str | None = None
) -> Plan:
    """How to read `read_files(path, name => value, …)`, or `STREAM read_files(…)`.

    :param location: the schema location of a stream whose options name none.
    :raises AutoLoaderError: an option is wrong, or the format cannot be told from the files' names.
    """
    from medallion.runtime.spark.streams import as_schema

    options = {name.lower(): text_of(value) for name, value in given.items()}
    schema = as_schema(spark, options.pop("schema", None))
    if "filenamepattern" in options:
        options["pathglobfilter"] = options.pop("filenamepattern")
    if "format" not in options:
        options["format"] = format_by_name(spark, path, options.get("pathglobfilter", ""))
    options.setdefault("infercolumntypes", "true")
    if options["format"].lower() == "csv" and schema is None:
        options.setdefault("header", "true")
    if stream and schema is None and location is None and "schemalocation" not in options:
        options.setdefault("schemaevolutionmode", "rescue")
    every = {(PREFIX if name in OF_LOADER else "") + name: value for name, value in options.items()}
    if stream:
        return stream_plan(spark, path, every, schema, found_each_time=True, location=location)
    return batch_plan(spark, path, parse_options(every), schema)


def cloud_files(
    spark: SparkSession, path: str, form: str | None = None, options: Any = None, *, location: str | None = None
) -> Plan:
    """How to read `cloud_files(path, format, map(…))`, a stream."""
    every = {**(options or {}), **({f"{PREFIX}format": form} if form else {})}
    schema = every.pop("schema", None)
    from medallion.runtime.spark.streams import as_schema

    return stream_plan(spark, path, every, as_schema(spark, schema), found_each_time=True, location=location)


def format_by_name(spark: SparkSession, path: str, glob: str) -> str:
    """The format that the first file's name tells.

    :raises AutoLoaderError: there is no file, or its name tells nothing.
    """
    for entry in list_files(spark, path, glob)[:1]:
        suffixes = [suffix.lower() for suffix in PurePosixPath(entry.path).suffixes if suffix.lower() not in PACKED]
        if suffixes and suffixes[-1] in BY_SUFFIX:
            return BY_SUFFIX[suffixes[-1]]
    raise AutoLoaderError(
        f"read_files cannot tell the format of the files in {path!r}", hint="give it: format => 'csv'"
    )

"""Finds the columns of files from a sample of them. Runs in the task process; Spark reads the sample.

The sample is smaller than Databricks' 50 GB or 1,000 files, because what it misses is not lost: the evolution mode and
the rescued data column say what becomes of it. `SAMPLE_FILES` and `SAMPLE_BYTES` are Databricks' names for its size.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from medallion.runtime.spark.files import FileEntry, csv_headers, java_class
from medallion.runtime.spark.options import AutoLoaderError, LoaderOptions, size_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql.types import DataType, StructType

SAMPLE_BYTES = "spark.databricks.cloudFiles.schemaInference.sampleSize.numBytes"
SAMPLE_FILES = "spark.databricks.cloudFiles.schemaInference.sampleSize.numFiles"
DEFAULT_BYTES, DEFAULT_FILES = "8mb", "1000"
LINES_OF_A_LARGE_FILE = 20_000
CORRUPT = "_corrupt_record"
PARTITION = re.compile(r"/([^/=]+)=([^/]*)(?=/)")
HINT = re.compile(r"\s*((?:`[^`]+`|[\w-]+)(?:\.(?:`[^`]+`|[\w-]+))*)\s*:?\s+(.+)", re.DOTALL)


def sample(spark: SparkSession, files: Sequence[FileEntry]) -> list[FileEntry]:
    """The first of the files, within the sample's size; at least one."""
    most_bytes = size_of(str(spark.conf.get(SAMPLE_BYTES, DEFAULT_BYTES)))
    most_files = int(str(spark.conf.get(SAMPLE_FILES, DEFAULT_FILES)))
    chosen: list[FileEntry] = []
    total = 0
    for entry in files[:most_files]:
        total += entry.size
        if chosen and total > most_bytes:
            break
        chosen.append(entry)
    return chosen


def infer(spark: SparkSession, files: Sequence[FileEntry], options: LoaderOptions) -> StructType:
    """The columns of a sample of the files, without partition columns and hints.

    :raises AutoLoaderError: there is no file.
    """
    chosen = sample(spark, files)
    if not chosen:
        raise AutoLoaderError(
            "Auto Loader cannot infer a schema: there is no file", hint="give a schema, or wait for the first file"
        )
    schema = INFERENCES.get(options.format, infer_by_footers)(spark, chosen, options)
    if options.format in {"json", "csv"} and not options.infer_types:
        return as_text(schema)
    return schema


def is_large(spark: SparkSession, files: Sequence[FileEntry]) -> bool:
    """Whether the sample is one file over the sample's size."""
    return files[0].size > size_of(str(spark.conf.get(SAMPLE_BYTES, DEFAULT_BYTES)))


def infer_json(spark: SparkSession, files: Sequence[FileEntry], options: LoaderOptions) -> StructType:
    """Columns of JSON files; types by Spark's own inference."""
    reader = spark.read.options(**options.reader)
    if not is_large(spark, files) or options.reader.get("multiline") == "true":
        return reader.json([entry.path for entry in files]).schema
    return reader_of_lines(spark, files[0], options).json(first_lines(spark, files[0]))


def first_lines(spark: SparkSession, file: FileEntry) -> Any:
    """The first lines of a file, as the JVM's Dataset of texts."""
    encoders = java_class(spark, "org.apache.spark.sql.Encoders")
    return getattr(spark.read.text(file.path).limit(LINES_OF_A_LARGE_FILE)._jdf, "as")(encoders.STRING())


class JavaReader:
    """The JVM's reader over lines: pyspark's takes RDDs only, which go through Python."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def json(self, lines: Any) -> StructType:
        """Columns of lines of JSON."""
        return schema_from(self._reader.json(lines))

    def csv(self, lines: Any) -> StructType:
        """Columns of lines of CSV."""
        return schema_from(self._reader.csv(lines))


def reader_of_lines(spark: SparkSession, file: FileEntry, options: LoaderOptions) -> JavaReader:
    """A reader of the first lines of a file."""
    java = spark._jsparkSession.read()
    for name, value in options.reader.items():
        java = java.option(name, value)
    return JavaReader(java.option("inferSchema", "true"))


def schema_from(frame: Any) -> StructType:
    """pyspark's schema of a frame of the JVM."""
    from pyspark.sql.types import StructType

    return StructType.fromJson(json.loads(frame.schema().json()))


def infer_csv(spark: SparkSession, files: Sequence[FileEntry], options: LoaderOptions) -> StructType:
    """Columns of CSV files: each group of files with one header by itself, then all together."""
    groups: dict[tuple[str, ...], list[str]] = {}
    headers = csv_headers(spark, [entry.path for entry in files], options.reader)
    for entry, names in zip(files, headers, strict=True):
        groups.setdefault(tuple(names), []).append(entry.path)
    found: StructType | None = None
    for header, paths in groups.items():
        if not header:
            continue
        if not options.infer_types:
            part = text_columns(header)
        elif is_large(spark, files):
            part = reader_of_lines(spark, files[0], options).csv(first_lines(spark, files[0]))
        else:
            part = spark.read.options(**{**options.reader, "inferschema": "true"}).csv(paths).schema
        found = part if found is None else merged(found, part)
    if found is None:
        raise AutoLoaderError("Auto Loader cannot infer a schema: the files are empty")
    return found


def infer_by_footers(spark: SparkSession, files: Sequence[FileEntry], options: LoaderOptions) -> StructType:
    """Columns of files that state them: Parquet, ORC; and of XML."""
    options_of_reader = {"mergeschema": "true", **options.reader}
    return spark.read.format(options.format).options(**options_of_reader).load([entry.path for entry in files]).schema


INFERENCES = {"json": infer_json, "csv": infer_csv}


def text_columns(names: Iterable[str]) -> StructType:
    """Columns of type string."""
    from pyspark.sql.types import StringType, StructField, StructType

    return StructType([StructField(name, StringType()) for name in names])


def as_text(schema: StructType) -> StructType:
    """The same columns, all of them text."""
    return text_columns(schema.names)


def merged(first: StructType, second: StructType) -> StructType:
    """The columns of both; one that differs in its type becomes the wider number, else text."""
    from pyspark.sql.types import StructField, StructType

    types = {field.name.lower(): field.dataType for field in second.fields}
    fields = [StructField(item.name, wider(item.dataType, types.get(item.name.lower()))) for item in first.fields]
    known = {field.name.lower() for field in fields}
    return StructType([*fields, *(field for field in second.fields if field.name.lower() not in known)])


def wider(first: DataType, second: DataType | None) -> DataType:
    """The type that holds both."""
    from pyspark.sql.types import DoubleType, IntegerType, LongType, StringType

    if second is None or first == second:
        return first
    order: list[DataType] = [IntegerType(), LongType(), DoubleType()]
    if first in order and second in order:
        return max(first, second, key=order.index)
    return StringType()


def partition_columns(files: Sequence[FileEntry], root: str) -> list[str]:
    """Names of the `name=value` folders below the root, in order."""
    base = root.rstrip("/").rpartition("=")[0] if "=" in root else root
    names: dict[str, None] = {}
    for entry in files[:1000]:
        tail = entry.path.rpartition(base.rstrip("/"))[2] if base else entry.path
        names.update(dict.fromkeys(unquote(name) for name, _ in PARTITION.findall(tail)))
    return list(names)


def with_hints(spark: SparkSession, schema: StructType, hints: str) -> StructType:
    """The schema with the types of `schemaHints`; a dotted name is a member of a struct.

    :raises AutoLoaderError: a hint cannot be read.
    """
    for hint in split_hints(hints):
        found = HINT.fullmatch(hint)
        if found is None:
            raise AutoLoaderError(f"cloudFiles.schemaHints: {hint.strip()!r} is no column with a type")
        path = [part.strip("`") for part in re.findall(r"`[^`]+`|[^.`]+", found[1])]
        schema = hinted(schema, path, data_type(spark, found[2].strip()))
    return schema


def data_type(spark: SparkSession, text: str) -> DataType:
    """The type that a DDL text states."""
    from pyspark.errors import ParseException
    from pyspark.sql.types import _parse_datatype_json_string

    try:
        java = java_class(spark, "org.apache.spark.sql.types.DataType").fromDDL(text)
        return _parse_datatype_json_string(java.json())
    except ParseException:
        raise AutoLoaderError(f"cloudFiles.schemaHints: {text!r} is no type") from None


def split_hints(hints: str) -> list[str]:
    """The hints of a text: commas within brackets belong to types."""
    parts, depth, start = [], 0, 0
    for position, mark in enumerate(hints):
        depth += {"<": 1, "(": 1, ">": -1, ")": -1}.get(mark, 0)
        if mark == "," and depth == 0:
            parts.append(hints[start:position])
            start = position + 1
    parts.append(hints[start:])
    return [part for part in parts if part.strip()]


def hinted(schema: StructType, path: Sequence[str], kind: DataType) -> StructType:
    """The schema with one column's type set; a column that is not there is added."""
    from pyspark.sql.types import StructField, StructType

    name, *rest = path
    fields = list(schema.fields)
    places = [place for place, field in enumerate(fields) if field.name.lower() == name.lower()]
    if not places:
        if rest:
            kind = hinted(StructType([]), rest, kind)
        return StructType([*fields, StructField(name, kind)])
    old = fields[places[0]]
    if rest:
        inner = old.dataType if isinstance(old.dataType, StructType) else StructType([])
        kind = hinted(inner, rest, kind)
    fields[places[0]] = StructField(old.name, kind)
    return StructType(fields)

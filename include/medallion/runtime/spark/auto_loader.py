"""Auto Loader: `spark.readStream.format("cloudFiles")`. Runs in the task process.

Spark's own file stream does the work and, with the checkpoint, takes each file once. What is added: the schema that is
found, kept and grown in the schema location, rescued data, columns by name. Rules: docs.databricks.com,
ingestion/cloud-object-storage/auto-loader/schema.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from medallion.runtime.spark.columns import Plan
from medallion.runtime.spark.files import FileEntry, list_files
from medallion.runtime.spark.inference import infer, partition_columns, text_columns, with_hints
from medallion.runtime.spark.location import SchemaLocation
from medallion.runtime.spark.options import RESCUED, AutoLoaderError, LoaderOptions, parse_options

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql.types import StructType

FIXED = ("text", "binaryFile")


@dataclass(frozen=True, slots=True)
class Source:
    """A stream of this process whose schema grows."""

    spark: SparkSession
    path: str
    options: LoaderOptions
    location: SchemaLocation


growing: list[Source] = []


def stream_plan(
    spark: SparkSession,
    path: str,
    given: Mapping[str, Any],
    schema: StructType | None,
    *,
    found_each_time: bool = False,
    location: str | None = None,
) -> Plan:
    """How to read a stream of files.

    :param given: the reader's options.
    :param schema: the user's schema, or None to find one.
    :param found_each_time: without a schema location the schema is found anew at each start.
    :param location: the schema location where the options name none.
    :raises AutoLoaderError: an option is missing or wrong; names it.
    :raises UnsupportedError: an option that does not work here; names it.
    """
    options = parse_options(given)
    if options.schema_location is None:
        options = replace(options, schema_location=location)
    kept = SchemaLocation(spark, options.schema_location) if options.schema_location else None
    if schema is None and kept is None and options.format not in FIXED and not found_each_time:
        raise AutoLoaderError(
            "Auto Loader needs the option cloudFiles.schemaLocation to find and keep the schema",
            hint="the folder of the checkpoint will do; or give the schema by .schema(…)",
        )
    mode = evolution_mode(options, schema)
    columns = schema_of(spark, path, options, schema, kept)
    plan = Plan(path, options, *columns, rescued(options, schema), mode, stream=True)
    if not options.existing:
        plan = replace(plan, since=first_start(kept))
    if mode == "addNewColumns" and kept is not None:
        growing.append(Source(spark, path, options, kept))
    return plan


def batch_plan(
    spark: SparkSession,
    source: str | Sequence[FileEntry],
    options: LoaderOptions,
    schema: StructType | None,
    *,
    rescued_column: bool = True,
) -> Plan:
    """How to read files that are there now, in the same way.

    :param source: a path, or the files themselves.
    :param rescued_column: whether a schema that is found has a rescued data column.
    """
    path = source if isinstance(source, str) else [file.path for file in source]
    files = None if isinstance(source, str) else source
    found, partitions = schema_of(spark, path, options, schema, None, files)
    column = rescued(options, schema) if rescued_column else None
    return Plan(path, options, found, partitions, column, options.mode or "none")


def evolution_mode(options: LoaderOptions, schema: StructType | None) -> str:
    """What happens to columns that the schema lacks."""
    if options.format in FIXED:
        return "none"
    if schema is not None and options.mode == "addNewColumns":
        raise AutoLoaderError(
            "cloudFiles.schemaEvolutionMode = addNewColumns is not allowed when the schema is given",
            hint="leave out .schema(…), give what you know by cloudFiles.schemaHints",
        )
    return options.mode or ("addNewColumns" if schema is None else "none")


def rescued(options: LoaderOptions, schema: StructType | None) -> str | None:
    """Name of the rescued data column; there is one when the schema was found, or when it is asked for."""
    if options.format in FIXED:
        return None
    return options.rescued or (RESCUED if schema is None else None)


def first_start(location: SchemaLocation | None) -> int:
    """When the stream first started; files that are older are left out."""
    if location is None:
        raise AutoLoaderError(
            "cloudFiles.includeExistingFiles = false needs cloudFiles.schemaLocation here",
            hint="the time of the first start is kept there; the checkpoint's folder will do",
        )
    return location.first_start()


def schema_of(
    spark: SparkSession,
    path: str | list[str],
    options: LoaderOptions,
    schema: StructType | None,
    location: SchemaLocation | None,
    files: Sequence[FileEntry] | None = None,
) -> tuple[StructType, StructType]:
    """Columns of the files, and columns of the folders' names."""
    if options.format in FIXED:
        return fixed_schema(options), text_columns(options.partitions or ())
    if schema is not None:
        if options.partitions is None and isinstance(path, str):
            listed = partition_columns(list_files(spark, path, options.glob), path)
        else:
            listed = list(options.partitions or ())
        return parted(with_hints(spark, schema, options.hints), {name.lower() for name in listed})
    found = location.read() if location is not None else None
    if found is None:
        there = list_files(spark, path, options.glob) if isinstance(path, str) else files or ()
        found, names = discovered(spark, there, path, options)
        if location is not None:
            location.write(marked(found, names))
        return parted(found, names)
    return parted(with_hints(spark, found, options.hints), marks(found) | set(options.partitions or ()))


def discovered(
    spark: SparkSession, files: Sequence[FileEntry], path: str | list[str], options: LoaderOptions
) -> tuple[StructType, set[str]]:
    """The schema of the files that are there, and which of its columns are folders' names."""
    from pyspark.sql.types import StructType

    found = infer(spark, files, options)
    listed = partition_columns(files, path) if isinstance(path, str) else []
    names = listed if options.partitions is None else list(options.partitions)
    lowered = {name.lower() for name in names}
    fields = [field for field in found.fields if field.name.lower() not in lowered]
    schema = StructType([*fields, *text_columns(names).fields])
    return with_hints(spark, schema, options.hints), lowered


PARTITION_MARK = "medallion.partition"


def marked(schema: StructType, names: set[str]) -> StructType:
    """The schema with a note on the columns that are folders' names."""
    from pyspark.sql.types import StructField, StructType

    return StructType(
        [
            StructField(item.name, item.dataType, metadata={PARTITION_MARK: True} if item.name.lower() in names else {})
            for item in schema.fields
        ]
    )


def marks(schema: StructType) -> set[str]:
    """Names of the columns that have the note, in lower case."""
    return {field.name.lower() for field in schema.fields if field.metadata.get(PARTITION_MARK)}


def parted(schema: StructType, names: set[str]) -> tuple[StructType, StructType]:
    """Columns of the files and columns of the folders' names."""
    from pyspark.sql.types import StructType

    inside = [field for field in schema.fields if field.name.lower() not in names]
    folders = [field for field in schema.fields if field.name.lower() in names]
    return StructType(inside), StructType(folders)


def fixed_schema(options: LoaderOptions) -> StructType:
    """The columns of a format whose columns never differ."""
    from pyspark.sql.types import BinaryType, LongType, StringType, StructField, StructType, TimestampType

    if options.format == "text":
        return StructType([StructField("value", StringType())])
    return StructType(
        [
            StructField("path", StringType()),
            StructField("modificationTime", TimestampType()),
            StructField("length", LongType()),
            StructField("content", BinaryType()),
        ]
    )


def grow(message: str) -> list[str]:
    """After a stream failed on unknown fields: add the new columns to the schema locations of this process's streams.

    The newest files are looked at first, so that one restart is enough for a batch with several new columns.

    :param message: the failure's text, which names the fields of the first record.
    :returns: the columns that were added.
    """
    from pyspark.sql.types import StructType

    added: list[str] = []
    for source in growing:
        known = source.location.read()
        if known is None:
            continue
        files = list_files(source.spark, source.path, source.options.glob)
        files.sort(key=lambda entry: (entry.path not in message, -entry.modified))
        found, _ = discovered(source.spark, files, source.path, source.options)
        names = {field.name.lower() for field in known.fields}
        new = [field for field in found.fields if field.name.lower() not in names]
        if new:
            source.location.write(StructType([*known.fields, *new]))
            added += [field.name for field in new]
    return added

"""COPY INTO: loads the files of a folder that the table has not had yet. Runs in the task process.

Rules: docs.databricks.com, sql/language-manual/delta-copy-into. A file that was loaded is skipped, changed or not.
"""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from medallion.core.sql_names import quoted
from medallion.errors import MedallionError
from medallion.runtime.spark.auto_loader import batch_plan
from medallion.runtime.spark.columns import frame
from medallion.runtime.spark.copy_log import APPLICATION, CopyLog, with_load
from medallion.runtime.spark.copy_text import Copy
from medallion.runtime.spark.files import FileEntry, list_files
from medallion.runtime.spark.options import LoaderOptions, format_of

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession
    from pyspark.sql.types import StructType

TRIES = 10
USER_METADATA = "spark.databricks.delta.commitInfo.userMetadata"
RACES = ("ConcurrentTransaction", "ConcurrentAppend", "ConcurrentWrite", "MetadataChanged")


class CopyIntoError(MedallionError):
    """COPY INTO cannot load the files into the table."""


def copy_into(spark: SparkSession, copy: Copy) -> DataFrame:
    """Load what is new; a frame with the number of rows.

    :raises CopyIntoError: the columns do not fit, or others load into the table all the time.
    """
    location = str(spark.sql(f"DESCRIBE DETAIL {copy.target}").first()["location"])  # type: ignore[index]
    log = CopyLog(spark, location)
    for _ in range(TRIES):
        number, loaded = log.loaded()
        files = [file for file in source_files(spark, copy) if copy.force or file.path not in loaded]
        if not files:
            return result(spark, 0)
        names = {file.path for file in files}
        load = log.begin(number + 1, names)
        rows = fitted(spark, copy, files, spark.read.format("delta").load(location).schema)
        writer = rows.write.format("delta").mode("append").option("mergeSchema", str(copy.merge_schema).lower())
        writer = writer.option("txnAppId", APPLICATION).option("txnVersion", str(load.number))
        writer = writer.option("userMetadata", with_load(spark.conf.get(USER_METADATA, None), load))
        try:
            writer.save(location)
        except Exception as error:
            if not any(word in str(error) for word in RACES):
                raise
        if log.end(load, loaded | names):
            return result(spark, rows_written(spark, location, load.id))
    raise CopyIntoError(f"COPY INTO {copy.target}: other loads into the table came first {TRIES} times")


def source_files(spark: SparkSession, copy: Copy) -> list[FileEntry]:
    """The files that the statement names.

    :raises FileReadError: a file of FILES is not there.
    """
    if copy.files is not None:
        return [entry for name in copy.files for entry in list_files(spark, f"{copy.source.rstrip('/')}/{name}")]
    listed = list_files(spark, copy.source)
    if not copy.pattern:
        return listed
    return [entry for entry in listed if matches(entry.path, copy.pattern)]


def matches(path: str, pattern: str) -> bool:
    """Whether a file's path ends as the pattern says. Braces are alternatives: {a,b}."""
    head, brace, rest = pattern.partition("{")
    if brace:
        inner, _, tail = rest.partition("}")
        return any(matches(path, head + choice + tail) for choice in inner.split(","))
    depth = pattern.count("/") + 1
    return fnmatch("/".join(PurePosixPath(path).parts[-depth:]), pattern)


def fitted(spark: SparkSession, copy: Copy, files: list[FileEntry], table: StructType) -> DataFrame:
    """The rows of the files as columns of the table.

    :raises CopyIntoError: a column that the table does not have, without mergeSchema.
    """
    rows = read(spark, copy, files)
    if copy.select is not None:
        rows = rows.selectExpr(*top_level(copy.select))
    names = list(copy.columns) or (table.names if copy.by_position else [])
    if names:
        if len(names) != len(rows.columns):
            raise CopyIntoError(f"COPY INTO {copy.target}: {len(rows.columns)} columns for {len(names)} of the table")
        rows = rows.toDF(*names)
    return rows.select(*casts(rows, copy, table))


def read(spark: SparkSession, copy: Copy, files: list[FileEntry]) -> DataFrame:
    """The rows of the files. A column that the sample missed is an error, so none is lost."""
    options = {name.lower(): value for name, value in copy.format_options.items()}
    form = format_of(copy.format)
    infer = options.pop("inferschema", "false") == "true" or form == "json"
    options.pop("mergeschema", None)
    mode = "failOnNewColumns" if form in {"json", "csv", "parquet"} else "none"
    loader = LoaderOptions(format=form, infer_types=infer, mode=mode, reader=options)
    return frame(spark, batch_plan(spark, files, loader, None, rescued_column=False))


def top_level(select: str) -> list[str]:
    """The expressions of a SELECT list."""
    from medallion.runtime.spark.statements import groups
    from medallion.runtime.sql_text import read_tokens

    return [select[group[0].start : group[-1].end] for group in groups(read_tokens(select))]


def casts(rows: DataFrame, copy: Copy, table: StructType) -> list[Column]:
    """The columns in the table's spelling and types."""
    from pyspark.sql import functions as F  # noqa: N812

    known = {field.name.lower(): field for field in table.fields}
    extra = [name for name in rows.columns if name.lower() not in known]
    if extra and not copy.merge_schema:
        raise CopyIntoError(
            f"COPY INTO {copy.target}: the table has no column {', '.join(extra)}",
            hint="COPY_OPTIONS ('mergeSchema' = 'true') adds columns; a SELECT leaves them out",
        )
    columns = []
    for field in rows.schema.fields:
        column = F.col(quoted(field.name))
        there = known.get(field.name.lower())
        columns.append(column if there is None else column.cast(there.dataType).alias(there.name))
    return columns


def rows_written(spark: SparkSession, location: str, load: str) -> int:
    """The rows of the load's commit."""
    from delta.tables import DeltaTable

    for row in DeltaTable.forPath(spark, location).history(20).collect():
        if load in (row.userMetadata or ""):
            return int((row.operationMetrics or {}).get("numOutputRows", 0))
    return 0


def result(spark: SparkSession, rows: int) -> DataFrame:
    """What the statement gives."""
    return spark.sql(
        f"SELECT {rows}L AS num_affected_rows, {rows}L AS num_inserted_rows, 0L AS num_skipped_corrupt_files"
    )

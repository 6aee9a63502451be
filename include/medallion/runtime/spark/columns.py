"""The frame of Auto Loader, read_files and COPY INTO over Spark's own readers. Runs in the task process.

JSON, CSV and Parquet are read by the driver's `Named…` readers (`jvm/`): columns by name in each file. Of JSON the reader
makes the rescued data column and the error of the evolution mode, so that the plan is as cheap as that of a plain read. CSV
comes as text, with what the schema lacks as a JSON object; the expressions here make the same of that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medallion.core.sql_names import quoted
from medallion.runtime.spark.inference import CORRUPT
from medallion.runtime.spark.options import LoaderOptions
from medallion.runtime.spark.streams import MARK

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession
    from pyspark.sql.types import DataType, StructField, StructType

UNKNOWN, RAW = "__medallion_unknown", "__medallion_raw"
READERS = {
    "json": "medallion.files.NamedJson",
    "csv": "medallion.files.NamedCsv",
}
STRICT_PARQUET = "medallion.files.NamedParquet"
NO_AGE = "36500d"
"""Spark's stream passes over a new file that was changed a week before the newest it has seen. Auto Loader takes it."""
FAILING = {"addNewColumns", "failOnNewColumns"}
RETRY = {"addNewColumns": "true", "failOnNewColumns": "false"}


@dataclass(frozen=True, slots=True)
class Plan:
    """What to read and how.

    :param path: a path, or several for a batch.
    :param schema: the columns, without partitions and rescued data.
    :param partitions: columns from the folders' names, with their types.
    :param rescued: name of the rescued data column, or None.
    :param mode: the evolution mode.
    :param stream: whether a stream is read, or the files that are there now.
    :param since: milliseconds since 1970; only files that changed later are read.
    """

    path: str | list[str]
    options: LoaderOptions
    schema: StructType
    partitions: StructType
    rescued: str | None
    mode: str
    stream: bool = False
    since: int | None = None


def frame(spark: SparkSession, plan: Plan) -> DataFrame:
    """The frame that the plan describes; nothing is read yet. The session may be one of Spark Connect."""
    source: Any = spark.readStream if plan.stream else spark.read
    reader = source.format(reader_of(plan)).options(**reader_options(plan)).schema(read_schema(plan))
    rows = reader.load(plan.path)
    rows = in_time(rows, plan)
    if plan.options.format == "csv" and plan.mode in FAILING:
        rows = rows.where(no_unknown(plan))
    return rows.select(*output(plan))


def reader_of(plan: Plan) -> str:
    """Spark's name of the reader."""
    if plan.options.format == "parquet" and plan.mode in FAILING:
        return STRICT_PARQUET
    return READERS.get(plan.options.format, plan.options.format)


def reader_options(plan: Plan) -> dict[str, str]:
    """Options of Spark's reader."""
    options = plan.options
    made = {"recursiveFileLookup": "true", **({"maxfileage": NO_AGE} if plan.stream else {}), **options.reader}
    if options.format in READERS:
        made.update({"medallion.unknown": UNKNOWN, "columnNameOfCorruptRecord": RAW})
    if plan.mode in FAILING:
        made.update({"medallion.fail": RETRY[plan.mode], "medallion.folders": "\n".join(plan.partitions.names)})
    if options.glob:
        made["pathGlobFilter"] = options.glob
    if plan.stream and options.files is not None:
        made["maxFilesPerTrigger"] = str(options.files)
    if plan.stream and options.size is not None:
        made["maxBytesPerTrigger"] = str(options.size)
    return made


def read_schema(plan: Plan) -> StructType:
    """What Spark's reader is asked for. CSV comes as text: only then a wrong value can be kept."""
    from pyspark.sql.types import StringType, StructField, StructType

    fields = [field for field in plan.schema.fields if field.name != CORRUPT]
    if plan.options.format == "csv":
        fields = [StructField(field.name, StringType()) for field in fields]
    csv, json = plan.options.format == "csv", plan.options.format == "json"
    if csv or (json and plan.rescued is not None):
        fields.append(StructField(UNKNOWN, StringType()))
    if csv or (json and CORRUPT in plan.schema.names):
        fields.append(StructField(RAW, StringType()))
    return StructType(fields)


def in_time(rows: DataFrame, plan: Plan) -> DataFrame:
    """Only rows of files within the times asked for."""
    from pyspark.sql import functions as F  # noqa: N812  everybody's name for it

    changed = F.col("_metadata.file_modification_time")
    if plan.since is not None:
        rows = rows.where(F.unix_millis(changed) > plan.since)
    if plan.options.after is not None:
        rows = rows.where(changed > F.lit(plan.options.after).cast("timestamp"))
    if plan.options.before is not None:
        rows = rows.where(changed < F.lit(plan.options.before).cast("timestamp"))
    return rows


def output(plan: Plan) -> list[Column]:
    """The columns of the frame."""
    from pyspark.sql import functions as F  # noqa: N812

    columns = [value(field, plan).alias(field.name) for field in plan.schema.fields]
    columns += [partition(field.name, field.dataType).alias(field.name) for field in plan.partitions.fields]
    if plan.rescued is not None:
        made = {"json": lambda: F.col(UNKNOWN), "csv": lambda: rescue(plan)}
        rescued = made.get(plan.options.format, lambda: F.lit(None).cast("string"))()
        columns.append(rescued.alias(plan.rescued))
    return columns


def value(field: StructField, plan: Plan) -> Column:
    """A column in its type; null where the text is no value of it."""
    from pyspark.sql import functions as F  # noqa: N812
    from pyspark.sql.types import StringType

    if field.name == CORRUPT and plan.options.format in READERS:
        return F.col(RAW)
    column = F.col(quoted(field.name))
    if plan.options.format != "csv" or isinstance(field.dataType, StringType):
        return column
    return from_text(column, field.dataType, plan.options)


def from_text(column: Column, kind: DataType, options: LoaderOptions) -> Column:
    """A value of CSV in its type, null when it is none."""
    from pyspark.sql import functions as F  # noqa: N812

    pattern = options.reader.get({"date": "dateformat", "timestamp": "timestampformat"}.get(kind.typeName(), ""))
    if pattern is not None:
        return F.try_to_timestamp(column, F.lit(pattern)).cast(kind)
    if kind.typeName() in {"array", "map", "struct"}:
        return F.from_json(column, kind.simpleString())
    return column.try_cast(kind)


def partition(name: str, kind: DataType) -> Column:
    """The value of a `name=value` folder of the row's file."""
    import re

    from pyspark.sql import functions as F  # noqa: N812

    path = F.col("_metadata.file_path")
    found = F.url_decode(F.regexp_extract(path, f"/{re.escape(name)}=([^/]*)/", 1))
    return F.when(~found.isin("", "__HIVE_DEFAULT_PARTITION__"), found).try_cast(kind)


def no_unknown(plan: Plan) -> Column:
    """True; raises when the record of CSV has a column that the schema lacks in any spelling."""
    from pyspark.sql import functions as F  # noqa: N812

    known = [F.lit(name.lower()) for name in (*plan.schema.names, *plan.partitions.names)]
    names = F.array_distinct(F.json_object_keys(F.col(UNKNOWN)))
    new = F.filter(names, lambda name: ~F.lower(name).isin(*known))
    text = F.concat(
        F.lit(f"[{MARK}.NEW_FIELDS_IN_RECORD_WITH_FILE_PATH] Encountered unknown fields during parsing: ["),
        F.concat_ws(", ", new),
        F.lit(f"], which can be fixed by an automatic retry: {RETRY[plan.mode]}. File: "),
        F.col("_metadata.file_path"),
    )
    failing = F.when(F.size(new) > 0, F.raise_error(text).cast("boolean")).otherwise(True)  # noqa: FBT003
    return F.when(F.col(UNKNOWN).isNull(), True).otherwise(failing)  # noqa: FBT003


def rescue(plan: Plan) -> Column:
    """Everything of a record of CSV that is in no column, with the file's path; null when there is nothing."""
    from pyspark.sql import functions as F  # noqa: N812

    broken = F.when(F.col(RAW).isNotNull(), F.to_json(F.struct(F.col(RAW).alias(CORRUPT))))
    kept = joined(F.col(UNKNOWN), mismatched(plan), broken)
    path = F.to_json(F.struct(F.col("_metadata.file_path").alias("_file_path")))
    return F.when(kept.isNotNull(), joined(kept, path))


def mismatched(plan: Plan) -> Column | None:
    """Texts that are no value of their column's type, as a JSON object, or null."""
    from pyspark.sql import functions as F  # noqa: N812
    from pyspark.sql.types import StringType

    parts = []
    for field in plan.schema.fields:
        if not isinstance(field.dataType, StringType):
            text = F.col(quoted(field.name))
            parts.append(F.when(value(field, plan).isNull() & text.isNotNull(), text).alias(field.name))
    if not parts:
        return None
    wrong = F.to_json(F.struct(*parts))
    return F.when(wrong != "{}", wrong)


def joined(*objects: Column | None) -> Column:
    """One JSON object with the members of several; null when all are."""
    from pyspark.sql import functions as F  # noqa: N812

    there = [item for item in objects if item is not None]
    members = [F.substring(item, F.lit(2), F.length(item) - 2) for item in there]
    inner = F.concat_ws(",", *members)
    return F.when(inner != "", F.concat(F.lit("{"), inner, F.lit("}")))

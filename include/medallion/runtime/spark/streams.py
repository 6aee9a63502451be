"""Streams of a task: readers of `cloudFiles`, and the queries that were started. Runs in the task process.

A task does not end while its streams run, and fails when one of them failed (docs.databricks.com,
structured-streaming/production: a job's run goes on while a streaming query is active, without awaitTermination).
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql.streaming.query import StreamingQuery

    from medallion.runtime.spark.columns import Plan

LOADER = "cloudfiles"
MARK = "UNKNOWN_FIELD_EXCEPTION"
"""What Databricks calls the failure of a stream on a column that its schema lacks."""
UNKNOWN_FIELDS = re.compile(rf"\[{MARK}\.[^\n]*")
DRAFT = "_medallion_draft"
SNAPSHOT_SECONDS = 10.0
started: list[StreamingQuery] = []
answered: set[str] = set()
"""Run ids of queries whose end the user's code has asked for."""


def install_reader() -> None:
    """Teach pyspark's stream reader the format `cloudFiles`."""
    from pyspark.sql.streaming.readwriter import DataStreamReader

    teach_reader(DataStreamReader, lambda reader, *given: load_files(reader._spark, *given))


def teach_reader(owner: Any, load_loader: Callable[[Any, str | None, dict[str, Any], Any], Any]) -> None:
    """Teach a class of stream readers the format `cloudFiles`. On the class: user code makes readers as it likes.

    :param load_loader: makes the frame of such a reader from the reader, path, options and schema.
    """
    make_format, set_option, set_options = owner.format, owner.option, owner.options
    set_schema, load_plain = owner.schema, owner.load

    def draft(reader: Any) -> dict[str, Any]:
        found: dict[str, Any] = reader.__dict__.setdefault(DRAFT, {"options": {}, "format": None, "schema": None})
        return found

    def format(self: Any, source: str) -> Any:  # noqa: A001  pyspark's name
        draft(self)["format"] = source
        return self if source.lower() == LOADER else make_format(self, source)

    def option(self: Any, key: str, value: Any) -> Any:
        draft(self)["options"][key] = value
        return set_option(self, key, value)

    def options(self: Any, **options: Any) -> Any:
        draft(self)["options"].update(options)
        return set_options(self, **options)

    def schema(self: Any, schema: Any) -> Any:
        draft(self)["schema"] = schema
        return set_schema(self, schema)

    def load(
        self: Any,
        path: str | None = None,
        format: str | None = None,  # noqa: A002  pyspark's name
        schema: Any = None,
        **options: Any,
    ) -> Any:
        made = draft(self)
        if (format or made["format"] or "").lower() != LOADER:
            return load_plain(self, path, format, schema, **options)
        every = {**made["options"], **options}
        return load_loader(self, path or every.pop("path", None), every, schema or made["schema"])

    replaced: list[Callable[..., Any]] = [format, option, options, schema, load]
    for method in replaced:
        setattr(owner, method.__name__, method)


def load_files(spark: Any, path: str | None, options: dict[str, Any], schema: Any) -> Any:
    """The frame of `readStream.format("cloudFiles")…load(path)`."""
    from medallion.runtime.spark.columns import frame

    return frame(spark, loader_plan(spark, path, options, schema))


def loader_plan(
    spark: Any, path: str | None, options: dict[str, Any], schema: Any, *, location: str | None = None
) -> Plan:
    """How to read what `readStream.format("cloudFiles")…load(path)` asks for."""
    from medallion.runtime.spark.auto_loader import stream_plan
    from medallion.runtime.spark.options import AutoLoaderError

    if not path:
        raise AutoLoaderError("Auto Loader needs a path", hint="give it to load(…)")
    return stream_plan(spark, str(path), options, as_schema(spark, schema), location=location)


def as_schema(spark: Any, schema: Any) -> Any:
    """A schema from its DDL text."""
    from pyspark.sql.types import StructType

    if schema is None or isinstance(schema, StructType):
        return schema
    return StructType.fromDDL(str(schema))


def install_queries() -> None:
    """Keep the started queries, and let schemas grow when one failed on unknown fields."""
    from pyspark.sql.streaming import query as queries
    from pyspark.sql.streaming.readwriter import DataStreamWriter

    make = DataStreamWriter._sq

    def made(self: DataStreamWriter, java: Any) -> StreamingQuery:
        query = make(self, java)
        started.append(query)
        return query

    DataStreamWriter._sq = made  # type: ignore[method-assign, assignment]
    if not hasattr(DataStreamWriter, "table"):
        setattr(DataStreamWriter, "table", DataStreamWriter.toTable)  # noqa: B010  Databricks' older name
    for name in ("awaitTermination", "processAllAvailable"):
        setattr(queries.StreamingQuery, name, growing(getattr(queries.StreamingQuery, name)))
    any_of = queries.StreamingQueryManager.awaitAnyTermination
    queries.StreamingQueryManager.awaitAnyTermination = growing(any_of)  # type: ignore[method-assign]


def growing(wait: Callable[..., Any]) -> Callable[..., Any]:
    """The waiting method, which looks at the failure that it raises."""

    def waited(self: Any, *arguments: Any, **options: Any) -> Any:
        from pyspark.errors import StreamingQueryException

        try:
            answer = wait(self, *arguments, **options)
        except StreamingQueryException as error:
            mark_answered(self)
            found = unknown_fields(error)
            if found is not None:
                grow_after(found)
                vars(error)["_desc"] = f"[STREAM_FAILED] the stream ended with: {found}"  # Spark hides it in the causes
            raise
        mark_answered(self)
        return answer

    waited.__name__, waited.__doc__ = wait.__name__, wait.__doc__
    return waited


def unknown_fields(error: Any) -> str | None:
    """What a failed stream says of unknown fields, by the deepest of its causes; None when it failed otherwise."""
    found = None
    java = error._origin
    while java is not None:
        match = UNKNOWN_FIELDS.search(java.getMessage() or "")
        found = match[0] if match else found
        java = java.getCause()
    return found


def mark_answered(waiter: Any) -> None:
    """The user's code knows how the query ended; a manager's answer is about any of them."""
    for query in [waiter] if hasattr(waiter, "runId") else started:
        if not query.isActive:
            answered.add(query.runId)


def grow_after(message: str) -> None:
    """Add the columns that a stream failed on to its schema location, so that its next start has them."""
    from medallion.runtime.spark.auto_loader import grow

    added = grow(message)
    if added:
        print(f"Auto Loader: new columns in the schema location: {', '.join(added)}. Start the stream again.")  # noqa: T201


def wait_for_all() -> None:
    """Wait until every stream of the task has ended.

    :raises StreamingQueryException: one failed, and the user's code has not asked for its end.
    """
    for query in started:
        if query.isActive:
            print(f"waiting for the stream {query.name or query.id}")  # noqa: T201  the task's log
        elif query.runId in answered:
            continue
        query.awaitTermination()


def snapshot(frame: Any, most: int, seconds: float = SNAPSHOT_SECONDS) -> list[Any]:
    """Rows of a streaming frame for `display`: what is there now, up to `most` rows; sources without an end are left
    after `seconds`. On Databricks the table in the notebook goes on growing; in a job nobody looks at it.
    """
    from pyspark.errors import AnalysisException

    rows: list[Any] = []

    def take(batch: Any, _number: int) -> None:
        if whole:
            rows.clear()
        if len(rows) < most:
            rows.extend(batch.take(most - len(rows)))

    whole = False
    try:
        query = frame.writeStream.foreachBatch(take).trigger(availableNow=True).start()
    except AnalysisException:  # an aggregation without a watermark has no rows to append
        whole = True
        query = frame.writeStream.outputMode("complete").foreachBatch(take).trigger(availableNow=True).start()
    started.remove(query)
    deadline = time.monotonic() + seconds
    while not query.awaitTermination(1) and len(rows) < most and time.monotonic() < deadline:
        pass
    query.stop()
    return rows

"""Collects what pipeline code defines and hands it to Spark's registry. Runs in the task process.

Spark asks for two decorators, `table` for streaming queries and `materialized_view` for the others; on Databricks `table`
serves both. So a table waits here until its query is known. Expectations become a part of the query.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.errors import MedallionError, UnsupportedError
from medallion.runtime.pipelines import expectations
from medallion.runtime.pipelines.expectations import Expectation

if TYPE_CHECKING:
    from medallion.runtime.pipelines.changes import ChangeFlow
    from medallion.runtime.pipelines.file_reading import FileReading
    from medallion.runtime.pipelines.spec import Pipeline
    from medallion.runtime.pipelines.statements import SqlStatement

STREAM = re.compile(r"\bSTREAM\b", re.IGNORECASE)
KINDS = {
    "StreamingTable": "STREAMING_TABLE",
    "MaterializedView": "MATERIALIZED_VIEW",
    "TemporaryView": "VIEW",
    "Sink": "SINK",
}


@dataclass(frozen=True, slots=True)
class Watched:
    """A flow whose rows are counted: its dataset and rules, in the order of the counts."""

    flow: str
    dataset: str
    rules: tuple[Expectation, ...]


@dataclass
class Book:
    """What the code of a pipeline defined.

    :param kinds: kind by full name of the dataset.
    :param rules: expectations of tables that have several flows, by full name.
    :param watched: flows with expectations, by the name of their counts.
    :param streams: views that read a stream, by full name.
    :param changes: flows of changes.
    :param backing: tables that keep the changes of such a flow's target, by the target's full name.
    :param changed: targets, by the name of the counts of changes.
    :param once: files that note that a flow has run, by the full name of a flow that runs once and has not.
    """

    pipeline: Pipeline
    update: str
    kinds: dict[str, str] = field(default_factory=dict)
    rules: dict[str, tuple[Expectation, ...]] = field(default_factory=dict)
    watched: dict[str, Watched] = field(default_factory=dict)
    flows: dict[str, str] = field(default_factory=dict)
    streams: set[str] = field(default_factory=set)
    changes: list[ChangeFlow] = field(default_factory=list)
    backing: dict[str, tuple[str, ...]] = field(default_factory=dict)
    changed: dict[str, str] = field(default_factory=dict)
    once: dict[str, Path] = field(default_factory=dict)

    def full(self, name: str) -> str:
        """A dataset's name in three parts."""
        parts = [part.strip("`") for part in name.split(".")]
        return ".".join([self.pipeline.catalog, self.pipeline.schema][: 3 - len(parts)] + parts)

    def watch(self, key: str, dataset: str, rules: tuple[Expectation, ...]) -> None:
        """Count a flow's rows under a key."""
        self.watched[key] = Watched(key.rpartition("|")[2], dataset, rules)

    def with_backing(self, names: list[str]) -> list[str]:
        """Datasets, and the tables that keep changes for them."""
        return [*names, *(kept for name in names for kept in self.backing.get(name, ()))]


@dataclass(frozen=True, slots=True)
class Stated:
    """A streaming table of a SQL statement that only flows write to. It waits to learn of which kind they are."""

    statement: SqlStatement
    file: Path


class Recorder:
    """Stands between `pyspark.pipelines` and Spark's registry of a dataflow graph.

    :param inner: Spark's registry.
    :param graph: id of the graph.
    :param reading: the pipeline's readers of files.
    """

    def __init__(self, inner: Any, spark: Any, graph: str, book: Book, reading: FileReading) -> None:
        self._inner, self._spark, self.graph, self._book, self.reading = inner, spark, graph, book, reading
        self._waiting: dict[str, Any] = {}

    def register_output(self, output: Any) -> None:
        """A dataset or sink."""
        kind = type(output).__name__
        self._book.kinds[self._book.full(output.name)] = KINDS.get(kind, kind)
        if kind == "StreamingTable":
            self._wait(self._book.full(output.name), output)
        else:
            self._inner.register_output(output)

    def register_flow(self, flow: Any) -> None:
        """A query that writes to a dataset."""
        frame = self.frame_of(flow)
        dataset = self._book.full(flow.target)
        self.send_table(flow, frame)
        rules = (*self._book.rules.get(dataset, ()), *expectations.expectations_of(flow.func))
        self._book.flows[self._book.full(flow.name)] = dataset
        if self._book.kinds.get(dataset) == KINDS["TemporaryView"] and is_streaming(frame, self._spark):
            self._book.streams.add(dataset)
        if rules:
            key = f"{dataset}|{flow.name}"
            self._book.watch(key, dataset, rules)
            frame = expectations.observed(frame, rules, f"medallion/{self._book.update}/{key}", dataset)
        self._inner.register_flow(replace(flow, func=lambda: frame))

    def register_auto_cdc_flow(self, flow: Any) -> None:
        """Spark's own flow of changes, which code reaches only past the names that `definitions` offers."""
        raise UnsupportedError(
            f"Spark's own flow of changes {flow.name} needs MERGE of a kind that Delta's tables lack",
            hint="call create_auto_cdc_flow of `from pyspark import pipelines as dp`",
        )

    def register_sql(self, sql_text: str, file_path: Path) -> None:
        """A statement that Spark reads itself."""
        self._inner.register_sql(sql_text, file_path)

    def register_view(self, name: str, frame: Any) -> None:
        """A temporary view that no code of the pipeline knows."""
        from pyspark.pipelines.flow import Flow
        from pyspark.pipelines.output import TemporaryView
        from pyspark.pipelines.source_code_location import SourceCodeLocation

        place = SourceCodeLocation(filename=__file__, line_number=0)
        self._inner.register_output(TemporaryView(name=name, comment=None, source_code_location=place))
        self._inner.register_flow(
            Flow(name=name, target=name, spark_conf={}, source_code_location=place, func=lambda: frame)
        )

    def hold(self, stated: Stated) -> None:
        """A streaming table of a SQL statement that has no query of its own."""
        self._wait(self._book.full(stated.statement.name), stated)

    def _wait(self, name: str, table: Any) -> None:
        """Keep a table until it is known what writes to it. Of two with one name Spark gets both, and says so."""
        if name in self._waiting:
            self.send(self._waiting[name])
        self._waiting[name] = table

    def claim(self, name: str, flow: ChangeFlow) -> Any:
        """The streaming table that flows of changes write to, taken from those that wait.

        :param name: its full name.
        :raises MedallionError: there is no such table, or another query writes to it.
        """
        table = self._waiting.pop(name, None)
        if table is not None:
            return table
        if name in self._book.kinds:
            raise MedallionError(
                f"{flow}: {name} has a query of its own, or other flows",
                hint="a table takes changes from such flows alone, and is made by create_streaming_table",
            )
        raise MedallionError(
            f"{flow}: the pipeline has no streaming table {name}",
            hint=f'make it by create_streaming_table("{flow.target}"), or CREATE STREAMING TABLE {flow.target}',
        )

    def send(self, element: Any) -> None:
        """Hand over a dataset, a flow or a table's statement as it is."""
        if isinstance(element, Stated):
            statement = element.statement
            with at_line(statement.line):
                self._inner.register_sql("\n" * statement.line + statement.text, element.file)
        elif hasattr(element, "func"):
            self._inner.register_flow(element)
        else:
            self._inner.register_output(element)

    def flush(self) -> None:
        """Hand over the tables that still wait: no query of their own was found."""
        for name in list(self._waiting):
            self.send(self._waiting.pop(name))

    def frame_of(self, flow: Any) -> Any:
        """The flow's query, from its function; run once."""
        from pyspark.pipelines.add_pipeline_analysis_context import add_pipeline_analysis_context
        from pyspark.sql.connect.dataframe import DataFrame

        context = add_pipeline_analysis_context(
            spark=self._spark, dataflow_graph_id=self.graph, flow_name=self._book.full(flow.name)
        )
        with self.reading.within(self._book.full(flow.target), flow.name), context:
            frame = flow.func()
        if not isinstance(frame, DataFrame):
            raise MedallionError(
                f"the function of {flow.name} returned {type(frame).__name__}, not a DataFrame",
                hint="return the query, without collect(), count() or write",
            )
        return frame

    def send_table(self, flow: Any, frame: Any) -> None:
        """The table that waited for this flow: streaming, or a materialized view where its own query reads no stream."""
        from pyspark.pipelines.output import MaterializedView

        table = self._waiting.pop(self._book.full(flow.target), None)
        if table is None:
            return
        if not isinstance(table, Stated) and flow.name == flow.target and not is_streaming(frame, self._spark):
            self._book.kinds[self._book.full(table.name)] = KINDS["MaterializedView"]
            table = MaterializedView(**{name: getattr(table, name) for name in table.__dataclass_fields__})
        self.send(table)


@contextmanager
def at_line(line: int) -> Iterator[None]:
    """Note the line of a SQL statement, counted from 0, in what it raises: where the log points to."""
    try:
        yield
    except Exception as error:
        error.medallion_line = line + 1  # type: ignore[attr-defined]
        raise


def is_streaming(frame: Any, spark: Any) -> bool:
    """Whether a query reads a stream. Asks its plan: what it reads need not exist yet."""
    return any(reads_stream(message) for message in messages(frame._plan.plan(spark.client)))


def reads_stream(message: Any) -> bool:
    """Whether one node of a plan is a streaming read, or SQL text with one."""
    fields = message.DESCRIPTOR.fields_by_name
    if "is_streaming" in fields and message.is_streaming:
        return True
    return "query" in fields and isinstance(message.query, str) and STREAM.search(message.query) is not None


def messages(message: Any) -> Any:
    """A protobuf message and all within it."""
    yield message
    for descriptor, value in message.ListFields():
        if descriptor.message_type is None:
            continue
        if isinstance(value, Mapping):
            parts: Any = value.values()
        else:
            parts = [value] if hasattr(value, "DESCRIPTOR") else value
        for part in parts:
            if hasattr(part, "ListFields"):
                yield from messages(part)

"""Flows of changes as tables of Spark's engine, which lacks them. Runs in the task process.

A streaming table behind the target keeps every change that came; append flows fill it, with Spark's checkpoints. The
target is computed from it as a materialized view, by the SQL of `change_queries`. A flow that runs once has a table of its
own, which stays as it is after its first update.
"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.core.sql_names import quoted
from medallion.errors import MedallionError
from medallion.runtime.pipelines import expectations
from medallion.runtime.pipelines.change_queries import Filling, history, newest
from medallion.runtime.pipelines.changes import DELETE, SEQUENCE, TRUNCATE, ChangeFlow, agree
from medallion.runtime.pipelines.loading import define_dataset
from medallion.runtime.pipelines.registry import STREAM, Stated, at_line

if TYPE_CHECKING:
    from medallion.compute.connect import Link
    from medallion.runtime.pipelines.events import Update
    from medallion.runtime.pipelines.registry import Book, Recorder
    from medallion.runtime.pipelines.spec import Request

STORAGE, ONCE, ALL_CHANGES = "__apply_changes_storage_", "__apply_changes_once_", "__apply_changes_all_"
VIOLATION = "AUTO_CDC_VIOLATION"


def register(link: Link, recorder: Recorder, book: Book, request: Request, folder: Path) -> None:
    """Hand Spark the tables behind all targets of flows of changes.

    :param folder: where the pipeline notes which flows that run once have run.
    :raises MedallionError: a target is no streaming table that only such flows write to, or its flows do not fit together.
    """
    flows: dict[str, list[ChangeFlow]] = {}
    for flow in book.changes:
        flows.setdefault(book.full(flow.target), []).append(flow)
    waiting = [Target(link, recorder, book, name, given) for name, given in flows.items()]
    recorder.flush()
    for target in waiting:
        target.define_changes(request, folder)
    while waiting:  # what one target reads may be another target, of which Spark then must know
        left = [target for target in waiting if not target.define()]
        if len(left) == len(waiting):
            raise left[0].unknown()
        waiting = left


class Target:
    """A table that flows of changes write to.

    :param name: its full name.
    """

    def __init__(self, link: Link, recorder: Recorder, book: Book, name: str, flows: list[ChangeFlow]) -> None:
        self._link, self._recorder, self._book, self._name, self._flows = link, recorder, book, name, flows
        agree(name, flows)
        self._table = self.claim()
        self._rules = book.rules.get(name, ())
        self._kept: list[str] = []
        self._in_graph: set[str] = set()

    def claim(self) -> Any:
        """The streaming table that the code made for the changes; of SQL's statement as Python's call would."""
        from pyspark.pipelines.graph_element_registry import graph_element_registration_context

        table = self._recorder.claim(self._name, self._flows[0])
        if not isinstance(table, Stated):
            return table
        assert table.statement.target is not None  # noqa: S101  such tables alone are held
        with graph_element_registration_context(self._recorder), at_line(table.statement.line):  # type: ignore[arg-type]
            define_dataset(table.statement.target, self._link.spark)
        return self._recorder.claim(self._name, self._flows[0])

    def define_changes(self, request: Request, folder: Path) -> None:
        """Define the tables that keep the changes."""
        anew = starts_over(self._name, self._book, request)
        lasting = [flow for flow in self._flows if not flow.once]
        if lasting:
            self.define_table(beside(self._name, STORAGE, ""), lasting, streaming=True)
        for flow in self._flows:
            if flow.once:
                self.define_once(flow, folder, anew=anew)
        self._book.backing[self._name] = tuple(name for name in self._kept if name in self._in_graph)

    def define_once(self, flow: ChangeFlow, folder: Path, *, anew: bool) -> None:
        """Define the table of a flow that runs once, unless it has run."""
        name = beside(self._name, ONCE, flow.name)
        mark = folder / name
        if anew:
            mark.unlink(missing_ok=True)
        if mark.is_file():
            self._kept.append(name)
            return
        self.define_table(name, [flow], streaming=self.reads_stream(flow))
        self._book.once[name] = mark

    def define_table(self, name: str, flows: list[ChangeFlow], *, streaming: bool) -> None:
        """A table that keeps the changes of flows."""
        from pyspark.pipelines.output import MaterializedView, StreamingTable

        properties = {key: value for key, value in self._table.table_properties.items() if key.startswith("pipelines.")}
        kind: Any = StreamingTable if streaming else MaterializedView
        table = kind(
            name=spelled(name),
            comment=f"Changes that {self._name} is computed from",
            source_code_location=self._table.source_code_location,
            table_properties=properties,
            partition_cols=None,
            cluster_by=None,
            schema=None,
            format=None,
        )
        self._recorder.send(table)
        self._kept.append(name)
        self._in_graph.add(name)
        for flow in flows:
            self.define_flow(flow, table.name, default=flow.once or not flow.name, streaming=streaming)

    def define_flow(self, flow: ChangeFlow, table: str, *, default: bool, streaming: bool) -> None:
        """One flow into a table that keeps changes."""
        from pyspark.pipelines.flow import Flow

        book = self._book
        name = table if default else flow.name
        full = book.full(name)
        book.flows[full] = self._name
        key = f"{self._name}|{full}"
        asked = Flow(
            name=name,
            target=table,
            spark_conf={},
            source_code_location=flow.place or self._table.source_code_location,
            func=lambda: self.changes(flow, key, streaming=streaming),
        )
        frame = self._recorder.frame_of(asked)
        self._recorder.send(replace(asked, func=lambda: frame))

    def changes(self, flow: ChangeFlow, key: str, *, streaming: bool) -> Any:
        """What a flow adds: the target's columns, and what tells order and kind of a change.

        Expectations count over the changes; a delete or truncate meets them all, as its columns may be empty.
        """
        from pyspark.sql import functions as sql

        frame = source_of(flow, self._link.spark, streaming=streaming)
        deletes, truncates = condition(flow.deletes), condition(flow.truncates)
        prefix = f"medallion/{self._book.update}/"
        if self._rules:
            rules = tuple(
                replace(rule, condition=deletes | truncates | condition(rule.condition)) for rule in self._rules
            )
            self._book.watch(key, self._name, self._rules)
            frame = expectations.observed(frame, rules, f"{prefix}{key}", self._name)
        start = f"{VIOLATION}: a change of {self._name} has no "
        wrong = {
            name: sql.raise_error(sql.concat(sql.lit(f"{start}{name}: "), sql.to_json(sql.struct("*"))))
            for name in ("sequence", *flow.keys)
        }
        sequence = sql.expr(flow.sequence) if isinstance(flow.sequence, str) else flow.sequence
        deleted = deletes
        for name in flow.keys:
            missing = sql.col(quoted(name)).isNull() & ~truncates
            deleted = sql.when(missing, wrong[name].cast("boolean")).otherwise(deleted)
        frame = frame.select(
            *chosen(flow),
            sql.coalesce(sequence, wrong["sequence"]).alias(SEQUENCE),
            deleted.alias(DELETE),
            truncates.alias(TRUNCATE),
        )
        counted = f"{key}|changes"
        self._book.changed[counted] = self._name
        removed = sql.col(DELETE) | sql.col(TRUNCATE)
        return frame.observe(
            f"{prefix}{counted}", sql.count_if(~removed).alias("upserts"), sql.count_if(removed).alias("deletes")
        )

    def define(self) -> bool:
        """Define the target itself, a materialized view for Spark; false when its columns cannot be told yet."""
        from pyspark.pipelines.flow import Flow
        from pyspark.pipelines.output import MaterializedView

        wanted = self._flows[0].filled
        fields = [] if wanted is None else self.fields()
        if wanted is not None and not fields:
            return False
        filling = None if wanted is None else Filling(fields, wanted)
        changes = spelled(self._kept[0]) if len(self._kept) == 1 else self.define_union()
        table = MaterializedView(**{name: getattr(self._table, name) for name in self._table.__dataclass_fields__})
        self._recorder.send(table)
        flow = Flow(
            name=table.name,
            target=table.name,
            spark_conf={},
            source_code_location=table.source_code_location,
            func=lambda: self.result(changes, filling),
        )
        frame = self._recorder.frame_of(flow)
        self._book.flows[self._name] = self._name
        self._recorder.send(replace(flow, func=lambda: frame))
        return True

    def result(self, changes: str, filling: Filling | None) -> Any:
        """The target's rows.

        :param changes: name of the table or view that has its changes.
        """
        first = self._flows[0]
        if first.scd_type == 2:
            query = history(changes, first.keys, first.tracked, filling)
        else:
            truncates = any(flow.truncates is not None for flow in self._flows)
            query = newest(changes, first.keys, truncates=truncates, filling=filling)
        return self._link.spark.sql(query)

    def define_union(self) -> str:
        """A view of all tables that keep changes; its name. SQL of open Spark has no union by name."""
        from pyspark.pipelines.flow import Flow
        from pyspark.pipelines.output import TemporaryView

        name = quoted(ALL_CHANGES + self._name.replace(".", "_"))
        place = self._table.source_code_location
        self._recorder.send(TemporaryView(name=name, comment=None, source_code_location=place))

        def union() -> Any:
            frames = [self._link.spark.read.table(spelled(kept)) for kept in self._kept]
            return reduce(lambda one, other: one.unionByName(other, allowMissingColumns=True), frames)

        self._recorder.send(Flow(name=name, target=name, spark_conf={}, source_code_location=place, func=union))
        return name

    def fields(self) -> list[dict[str, Any]]:
        """The columns of the tables that keep changes, as Spark's JSON has them; none when Spark cannot tell them."""
        found: dict[str, dict[str, Any]] = {}
        for name in self._kept:
            if name in self._in_graph:
                schema = self._link.graph_columns(self._recorder.graph, name)
            else:
                schema = self._link.spark.read.table(spelled(name)).schema.jsonValue()
            if schema is None:
                return []
            for field in schema["fields"]:
                found.setdefault(field["name"].lower(), field)
        return list(found.values())

    def unknown(self) -> MedallionError:
        """The error of a target whose columns cannot be told."""
        return MedallionError(
            f"{self._flows[0]}: what its source gives cannot be told, so ignore_null_updates cannot be met",
            hint="look whether the source and all that it reads exist",
        )

    def reads_stream(self, flow: ChangeFlow) -> bool:
        """Whether the source of a flow that runs once is a stream."""
        return bool(STREAM.search(flow.source)) if flow.is_query else self._book.full(flow.source) in self._book.streams


def source_of(flow: ChangeFlow, spark: Any, *, streaming: bool) -> Any:
    """The rows of a flow's source."""
    if flow.is_query:
        return spark.sql(f"SELECT * FROM {flow.source}")  # noqa: S608  the statement's own
    return (spark.readStream if streaming else spark.read).table(flow.source)


def chosen(flow: ChangeFlow) -> list[Any]:
    """The columns of the source that the target has."""
    from pyspark.sql import functions as sql

    if not flow.columns.excluded:
        return [sql.col(quoted(name)) for name in flow.columns.names]
    left_out = ", ".join(map(quoted, flow.columns.names))
    return [sql.expr(f"* EXCEPT ({left_out})") if left_out else sql.col("*")]


def condition(given: Any) -> Any:
    """A condition as a Column that is never null; false where none is given."""
    from pyspark.sql import functions as sql

    if given is None:
        return sql.lit(False)  # noqa: FBT003  a value
    column = sql.expr(given) if isinstance(given, str) else given
    return sql.coalesce(column.cast("boolean"), sql.lit(False))  # noqa: FBT003  a value


def starts_over(target: str, book: Book, request: Request) -> bool:
    """Whether the update refreshes a table in full."""
    return request.full_refresh or target in map(book.full, request.full_refresh_selection)


def mark_done(update: Update, book: Book) -> None:
    """Note the flows that run once and have run."""
    for flow in update.completed_flows() & book.once.keys():
        mark = book.once[flow]
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()


def beside(target: str, prefix: str, suffix: str) -> str:
    """The full name of a table that belongs to a target."""
    schema, _, table = target.rpartition(".")
    return f"{schema}.{prefix}{table}" + (f"_{suffix.strip('`')}" if suffix else "")


def spelled(name: str) -> str:
    """A full name as Spark reads it."""
    return ".".join(map(quoted, name.split(".")))

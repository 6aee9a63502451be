"""What pipeline code calls: `from pyspark import pipelines as dp`, and `import dlt`. Runs in the task process.

Open Spark has the datasets and flows. Expectations, `view`, `read`, flows of changes and the older module `dlt` are
Databricks' and are added here. An option that open Spark does not have is refused by its name.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from medallion.errors import UnsupportedError
from medallion.runtime.failures import is_hidden
from medallion.runtime.pipelines.changes import change_flow
from medallion.runtime.pipelines.expectations import DROP, FAIL, REGISTERED, WARN, of_mapping, several, single
from medallion.runtime.pipelines.registry import Book
from medallion.spec.problems import did_you_mean

TABLE = frozenset(
    {"name", "comment", "spark_conf", "table_properties", "partition_cols", "cluster_by", "schema", "format"}
)
VIEW = frozenset({"name", "comment", "spark_conf"})
FLOW = frozenset({"name", "target", "spark_conf"})
NO_EFFECT = frozenset({"cluster_by_auto", "private", "temporary", "comment", "once"})
"""Options that are taken while they are off, and `comment` of a flow, which says nothing to a run."""
LAYOUT_ONLY = frozenset({"cluster_by_auto", "private", "temporary"})
"""Options that change where or how a table lies, not what it holds."""
LISTS = {"expect_all": WARN, "expect_all_or_drop": DROP, "expect_all_or_fail": FAIL}
REASONS: Mapping[str, str] = {
    "path": "a table lies in the lake, where its name says",
    "once": "open Spark's append flows are streams; use a materialized view",
    "row_filter": "row filters need Unity Catalog",
}
NO_SNAPSHOTS = "give a feed of changes to create_auto_cdc_flow, or compare the snapshots in a notebook task"
MISSING: Mapping[str, str] = {
    "create_auto_cdc_from_snapshot_flow": NO_SNAPSHOTS,
    "apply_changes_from_snapshot": NO_SNAPSHOTS,
    "foreach_batch_sink": "open Spark's pipelines write to tables and sinks; use create_sink, or a notebook task",
    "on_event_hook": "events of an update are in its event log",
}

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def options_of(word: str, given: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """The options that open Spark knows.

    :raises UnsupportedError: one that it does not have; named.
    """
    for name, value in given.items():
        off = value is None or value is False
        if name in known or (name in NO_EFFECT and (off or name in LAYOUT_ONLY | {"comment"})):
            continue
        if off and name in REASONS:
            continue
        near = did_you_mean(name, sorted(known))
        raise UnsupportedError(f"{word}: the option {name} is not available here", hint=REASONS.get(name) or near)
    return {name: value for name, value in given.items() if name in known}


def decorator(word: str, make: Callable[..., Any], known: frozenset[str]) -> Callable[..., Any]:
    """A decorator of datasets, with and without brackets."""

    def dataset(query_function: Callable[..., Any] | None = None, **given: Any) -> Any:
        def define(function: Callable[..., Any]) -> Callable[..., Any]:
            make(**options_of(word, given, known))(function)
            with contextlib.suppress(AttributeError):  # a method; the note only makes for a better error
                setattr(function, REGISTERED, True)
            return function

        return define if query_function is None else define(query_function)

    dataset.__name__ = word
    return dataset


def append_flow(**given: Any) -> Decorator:
    """`@dp.append_flow(target=…)`."""
    from pyspark.pipelines import api

    return keeping(api.append_flow(**options_of("append_flow", given, FLOW)))


def keeping(define: Callable[..., Any]) -> Decorator:
    """A decorator that leaves the function's name with the function."""

    def outer(function: Callable[..., Any]) -> Callable[..., Any]:
        define(function)
        return function

    return outer


def streaming_table(book: Book) -> Callable[..., None]:
    """`create_streaming_table`, whose expectations hold for all flows into the table."""

    def create_streaming_table(name: str, **given: Any) -> None:
        from pyspark.pipelines import api

        rules = [rule for word, action in LISTS.items() for rule in of_mapping(given.pop(word, None), action, word)]
        if rules:
            book.rules[book.full(name)] = tuple(rules)
        api.create_streaming_table(name, **options_of("create_streaming_table", given, TABLE))

    return create_streaming_table


def changes(word: str, book: Book) -> Callable[..., None]:
    """`create_auto_cdc_flow` and its older name. The flow waits until all code has run: its target may come later."""

    def flow(target: str, source: str, keys: Any, sequence_by: Any, **given: Any) -> None:
        place = user_place(1)
        book.changes.append(
            change_flow(word, without_live(target), without_live(source), keys, sequence_by, given, place=place)
        )

    flow.__name__ = word
    return flow


def missing(word: str, reason: str) -> Callable[..., Any]:
    """A function that says that open Spark has no such thing."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise UnsupportedError(f"{word} is not available here", hint=reason)

    refuse.__name__ = word
    return refuse


def names(spark: Any, book: Book) -> dict[str, Any]:
    """Everything that pipeline code finds in `dp` and in `dlt`."""
    from pyspark.pipelines import api

    view = decorator("temporary_view", api.temporary_view, VIEW)
    streaming = streaming_table(book)
    return {
        "table": decorator("table", api.table, TABLE),
        "materialized_view": decorator("materialized_view", api.materialized_view, TABLE),
        "temporary_view": view,
        "view": view,
        "append_flow": append_flow,
        "create_streaming_table": streaming,
        "create_streaming_live_table": streaming,
        "create_target_table": streaming,
        "create_auto_cdc_flow": changes("create_auto_cdc_flow", book),
        "apply_changes": changes("apply_changes", book),
        "create_sink": api.create_sink,
        "read": lambda name: spark.read.table(without_live(name)),
        "read_stream": lambda name: spark.readStream.table(without_live(name)),
        "expect": single(WARN, "expect"),
        "expect_or_drop": single(DROP, "expect_or_drop"),
        "expect_or_fail": single(FAIL, "expect_or_fail"),
        **{word: several(action, word) for word, action in LISTS.items()},
        **{word: missing(word, reason) for word, reason in MISSING.items()},
    }


def without_live(name: str) -> str:
    """A dataset's name without the older prefix `LIVE.`."""
    return name[len("LIVE.") :] if isinstance(name, str) and name.upper().startswith("LIVE.") else name


def offer(spark: Any, book: Book) -> None:
    """Make `dp` and `dlt` importable, and let `spark.read.table("LIVE.x")` find x."""
    from pyspark import pipelines
    from pyspark.pipelines import api
    from pyspark.sql.connect.readwriter import DataFrameReader
    from pyspark.sql.connect.session import SparkSession
    from pyspark.sql.connect.streaming.readwriter import DataStreamReader

    found = names(spark, book)
    vars(pipelines).update(found)
    dlt = ModuleType("dlt", "The older name of Databricks' pipelines.")
    vars(dlt).update(found, __all__=sorted(found))
    sys.modules["dlt"] = dlt
    vars(api)["get_caller_source_code_location"] = user_place
    for owner in (DataFrameReader, DataStreamReader, SparkSession):
        owner.table = live_table(owner.table)  # type: ignore[method-assign]


def live_table(read: Callable[..., Any]) -> Callable[..., Any]:
    """A method `table` that knows the prefix LIVE."""

    @functools.wraps(read)
    def table(self: Any, tableName: str) -> Any:  # noqa: N803  pyspark's own name
        return read(self, without_live(tableName))

    return table


def user_place(stacklevel: int) -> Any:
    """Where user code called: the nearest frame that is neither Medallion's nor pyspark's."""
    from pyspark.pipelines.source_code_location import SourceCodeLocation

    frame = sys._getframe(1)
    while frame.f_back is not None and is_hidden(frame.f_code.co_filename, spark=True):
        frame = frame.f_back
    return SourceCodeLocation(filename=frame.f_code.co_filename, line_number=frame.f_lineno)

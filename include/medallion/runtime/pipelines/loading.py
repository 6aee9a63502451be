"""Runs the code of a pipeline so that it defines its datasets. Runs in the task process."""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.errors import MedallionError
from medallion.runtime.pipelines.file_reading import owner
from medallion.runtime.pipelines.registry import STREAM, Stated, at_line
from medallion.runtime.pipelines.statements import SqlDataset, clause_options, statements
from medallion.runtime.sql_text import substitute

if TYPE_CHECKING:
    from medallion.runtime.pipelines.registry import Book, Recorder
    from medallion.runtime.pipelines.sources import Source

SQL_KINDS = {
    "STREAMING TABLE": "STREAMING_TABLE",
    "MATERIALIZED VIEW": "MATERIALIZED_VIEW",
    "TEMPORARY VIEW": "VIEW",
}


def define(sources: list[Source], recorder: Recorder, book: Book, spark: Any, given: dict[str, Any]) -> None:
    """Run all sources of a pipeline. Streaming tables without a query wait in the recorder for flows of changes.

    :param given: names that every Python source finds, such as `spark` and `dbutils`.
    :raises Exception: what the code raises; a wrong SQL statement's exception carries its line as `medallion_line`.
    """
    from pyspark.pipelines.graph_element_registry import graph_element_registration_context

    with graph_element_registration_context(recorder):  # type: ignore[arg-type]  # the protocol's methods, not its class
        for source in sources:
            run = run_python if source.language == "python" else run_sql
            run(source, recorder, book, spark, given)


def run_python(source: Source, recorder: Recorder, book: Book, spark: Any, given: dict[str, Any]) -> None:
    """Run a Python source as a module of its own, in its folder. Changes of the session are refused, as Spark asks."""
    from pyspark.pipelines.add_pipeline_analysis_context import add_pipeline_analysis_context
    from pyspark.pipelines.block_session_mutations import block_session_mutations

    name = source.file.stem.replace(" ", "_").replace("-", "_")
    module = types.ModuleType(name)
    vars(module).update(given, __file__=str(source.file))
    sys.modules.setdefault(name, module)
    context = add_pipeline_analysis_context(spark=spark, dataflow_graph_id=recorder.graph, flow_name=None)
    with inside(source.file.parent), context, block_session_mutations():
        exec(compile(source.text, str(source.file), "exec", dont_inherit=True), vars(module))  # noqa: S102  the task


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """The working folder and the first place of modules for one source."""
    before = Path.cwd()
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        os.chdir(before)
        sys.path.remove(str(folder))


def run_sql(source: Source, recorder: Recorder, book: Book, spark: Any, given: dict[str, Any]) -> None:
    """Define what a SQL source states. `${key}` stands for the pipeline's configuration."""
    text = substitute(source.text, dict(book.pipeline.configuration))
    try:
        found = list(statements(text))
    except MedallionError as error:
        raise MedallionError(f"{source.file.name}: {error.message}", hint=error.hint) from None
    for statement in found:
        with at_line(statement.line):
            if statement.flow is not None:
                book.changes.append(statement.flow)
            if statement.dataset is not None:
                define_dataset(statement.dataset, spark)
            if statement.dataset is not None or statement.flow is not None:
                continue
            if statement.name:
                book.kinds[book.full(statement.name)] = SQL_KINDS[statement.kind]
            if statement.kind == "TEMPORARY VIEW" and STREAM.search(statement.text):
                book.streams.add(book.full(statement.name))
            if statement.target is not None:
                recorder.hold(Stated(statement, source.file))
                continue
            dataset, flow = owner(statement.text, statement.name)
            with recorder.reading.within(book.full(dataset), flow):
                rewritten = recorder.reading.rewritten(statement.text)
            recorder.register_sql("\n" * statement.line + rewritten, source.file)


def define_dataset(dataset: SqlDataset, spark: Any) -> None:
    """Define a SQL dataset in Python, where its rows can be counted and its changes applied."""
    from pyspark import pipelines

    from medallion.runtime.pipelines.expectations import ATTRIBUTE

    dp: Any = pipelines  # with the names that `definitions.offer` has put there
    options = {"name": dataset.name.replace("`", ""), **clause_options(dataset.clauses)}
    if dataset.columns:
        options["schema"] = dataset.columns

    def query() -> Any:
        return spark.sql(dataset.query)

    setattr(query, ATTRIBUTE, dataset.rules)
    if dataset.query is None:
        by_action = {"ALLOW": "expect_all", "DROP": "expect_all_or_drop", "FAIL": "expect_all_or_fail"}
        rules: dict[str, dict[str, Any]] = {}
        for rule in dataset.rules:
            rules.setdefault(by_action[rule.action], {})[rule.name] = rule.condition
        dp.create_streaming_table(**options, **rules)
    elif dataset.kind == "TEMPORARY VIEW":
        dp.temporary_view(**options)(query)
    elif dataset.kind == "MATERIALIZED VIEW":
        dp.materialized_view(**options)(query)
    else:
        dp.table(**options)(query)

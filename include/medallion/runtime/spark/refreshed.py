"""Streaming tables and materialized views that SQL defines outside a pipeline. Runs in the task process.

On Databricks a SQL warehouse makes a small pipeline for each. Here such a table is a Delta table whose properties hold
its query. A materialized view is computed when it is created or refreshed, a streaming table takes what came since its
last refresh; its checkpoint is a folder of the table, so that it goes with it.
Grammar: docs.databricks.com, sql/language-manual/sql-ref-syntax-ddl-create-streaming-table and -create-materialized-view.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from medallion.core.sql_names import quoted, unquoted_name
from medallion.errors import UnsupportedError
from medallion.runtime.sql_text import END, StatementError, TokenStream, closing, read_tokens

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from medallion.runtime.pipelines.statements import SqlDataset
    from medallion.runtime.spark.statements import Values

STREAMING, VIEW = "STREAMING TABLE", "MATERIALIZED VIEW"
KINDS = {("STREAMING", "TABLE"): STREAMING, ("MATERIALIZED", "VIEW"): VIEW}
PROPERTY = "medallion.refreshed"
CHECKPOINT = "_refresh_checkpoint"
DECIDED_ELSEWHERE = re.compile(
    r"\bSCHEDULE\s+(?:REFRESH\s+)?(?:EVERY\s+\d+\s+\w+|CRON\s+'[^']*'(?:\s+AT\s+TIME\s+ZONE\s+'[^']*')?)"
    r"|\bTRIGGER\s+ON\s+UPDATE(?:\s+AT\s+MOST\s+EVERY\s+INTERVAL\s+\S+\s+\w+)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement about one of these tables.

    :param verb: CREATE, REFRESH or DROP.
    :param replaces: it says OR REPLACE or OR REFRESH.
    :param exists: it says IF NOT EXISTS or IF EXISTS.
    :param name_at: the token that the name begins with.
    """

    verb: str
    kind: str
    replaces: bool
    exists: bool
    name_at: int


def parse(words: TokenStream) -> Statement | None:
    """The statement, or None for one about something else."""
    verb, at, replaces = words[0].word, 1, False
    if verb not in VERBS:
        return None
    if verb == "CREATE" and words[1].word == "OR" and words[2].word in {"REPLACE", "REFRESH"}:
        at, replaces = 3, True
    kind = KINDS.get((words[at].word, words[at + 1].word))
    if kind is None:
        return None
    at += 2
    exists = words[at].word == "IF"
    if exists:
        at += 3 if words[at + 1].word == "NOT" else 2
    return Statement(verb, kind, replaces, exists, at)


def run(session: SparkSession, text: str, words: TokenStream, values: Values) -> DataFrame | None:
    """The frame of a statement about such a table; None for another statement.

    :raises StatementError: it is written wrongly.
    """
    stated = parse(words)
    if stated is None:
        return None
    if words[stated.name_at].kind == END:
        raise StatementError(f"{stated.verb} {stated.kind} needs a name")
    text, words = with_plain_name(text, words, stated.name_at, values)
    VERBS[stated.verb](session, text, words, stated, values)
    return session.createDataFrame([], "result STRING")


def with_plain_name(text: str, words: TokenStream, at: int, values: Values) -> tuple[str, TokenStream]:
    """The statement with the value of IDENTIFIER(…) in the place of its name."""
    if words[at].word != "IDENTIFIER" or words[at + 1].text != "(":
        return text, words
    end = closing(words, at + 1)
    (name,) = values.of([text[words[at + 1].end : words[end].start] or "''"])
    text = f"{text[: words[at].start]}{name}{text[words[end].end :]}"
    return text, read_tokens(text)


def create(session: SparkSession, text: str, words: TokenStream, stated: Statement, values: Values) -> None:
    """CREATE: make the table and fill it."""
    from medallion.runtime.pipelines.statements import dataset_of
    from medallion.runtime.pipelines.words import end_of_name

    end = end_of_name(words, stated.name_at)
    name = text[words[stated.name_at].start : words[end - 1].end]
    dataset = dataset_of(text, words, end, stated.kind, name)
    if dataset.query is None:
        raise UnsupportedError(
            f"{stated.kind} {name} has no query: such a table is filled by a pipeline's flows only",
            hint="give it AS SELECT …, or define it in a pipeline",
        )
    there = exists(session, name)
    if there and not stated.replaces:
        if stated.exists:
            return
        word = "REFRESH" if stated.kind == STREAMING else "REPLACE"
        raise StatementError(
            f"{stated.kind} {name} exists already", hint=f"write CREATE OR {word} {stated.kind} {name}"
        )
    if there and is_plain_view(session, name):
        raise StatementError(f"{name} is a view", hint=f"DROP VIEW {name} comes first")
    dataset = replace(dataset, query=values.filled(dataset.query))
    FILL[stated.kind](session, dataset)


def refresh(session: SparkSession, text: str, words: TokenStream, stated: Statement, values: Values) -> None:
    """REFRESH [FULL]: compute a view again, or take what is new of a stream."""
    from medallion.runtime.pipelines.statements import dataset_of
    from medallion.runtime.pipelines.words import end_of_name

    end = end_of_name(words, stated.name_at)
    name = text[words[stated.name_at].start : words[end - 1].end]
    text_of = properties(session, name).get(PROPERTY)
    if text_of is None:
        raise StatementError(f"{name} is no {stated.kind.lower()} that SQL defined here")
    catalog, schema, defined = text_of.split("\n", 2)
    made = read_tokens(defined)
    found = parse(made)
    assert found is not None  # noqa: S101  `create` wrote it
    dataset = dataset_of(defined, made, end_of_name(made, found.name_at), found.kind, name)
    before = session.catalog.currentCatalog(), session.catalog.currentDatabase()
    full = full_name(session, name)
    session.sql(f"USE {catalog}.{schema}")
    try:
        if words[end].word == "FULL" and found.kind == STREAMING:
            start_over(session, full)
        FILL[found.kind](session, replace(dataset, name=full))
    finally:
        session.sql(f"USE {quoted(*before)}")


def drop(session: SparkSession, text: str, words: TokenStream, stated: Statement, _values: Values) -> None:
    """DROP: the table goes, and its checkpoint with it."""
    session.sql(f"DROP TABLE {'IF EXISTS ' if stated.exists else ''}{text[words[stated.name_at].start :]}")


VERBS = {"CREATE": create, "REFRESH": refresh, "DROP": drop}


def fill_view(session: SparkSession, dataset: SqlDataset) -> None:
    """Compute a materialized view: its rows and its definition change in one commit."""
    frame = rows_of(session, dataset)
    if frame.isStreaming:
        raise StatementError(f"the query of {VIEW} {dataset.name} reads a stream", hint=f"make it a {STREAMING}")
    writer = frame.writeTo(dataset.name).using("delta")
    for key, value in table_properties(session, dataset).items():
        writer = writer.tableProperty(key, value)
    options = options_of(dataset)
    if columns := options.get("partition_cols"):
        from pyspark.sql import functions as sql

        writer = writer.partitionedBy(*(sql.col(column) for column in columns))
    elif columns := options.get("cluster_by"):
        writer = writer.clusterBy(*columns)
    writer.createOrReplace()


def fill_stream(session: SparkSession, dataset: SqlDataset) -> None:
    """Take what came since the last refresh into a streaming table, which is made by the first one."""
    from pyspark.sql import functions as sql

    frame = rows_of(session, dataset)
    if not frame.isStreaming:
        raise StatementError(
            f"the query of {STREAMING} {dataset.name} reads no stream",
            hint=f"read FROM STREAM table or STREAM read_files(…), or make it a {VIEW}",
        )
    wanted = table_properties(session, dataset)
    if not exists(session, dataset.name):
        options = options_of(dataset)
        empty = session.createDataFrame([], frame.schema).writeTo(dataset.name).using("delta")
        for key, value in wanted.items():
            empty = empty.tableProperty(key, value)
        if columns := options.get("partition_cols"):
            empty = empty.partitionedBy(*(sql.col(column) for column in columns))
        elif columns := options.get("cluster_by"):
            empty = empty.clusterBy(*columns)
        empty.create()
    elif properties(session, dataset.name).get(PROPERTY) != wanted[PROPERTY]:
        session.sql(f"ALTER TABLE {dataset.name} SET TBLPROPERTIES ({spelled({PROPERTY: wanted[PROPERTY]})})")
    writer = frame.writeStream.trigger(availableNow=True).option("mergeSchema", "true")
    query = writer.option("checkpointLocation", f"{location(session, dataset.name)}/{CHECKPOINT}").toTable(dataset.name)
    query.awaitTermination()


FILL = {VIEW: fill_view, STREAMING: fill_stream}


def rows_of(session: SparkSession, dataset: SqlDataset) -> DataFrame:
    """The rows of a dataset's query, with its columns' names and types and its expectations."""
    from medallion.runtime.pipelines.expectations import observed

    frame = session.sql(dataset.query or "")
    columns = columns_of(dataset.columns)
    if columns and len(columns) != len(frame.columns):
        raise StatementError(f"{dataset.name} names {len(columns)} columns, and its query has {len(frame.columns)}")
    if columns:
        frame = frame.toDF(*(name for name, _ in columns))
        for name, kind in columns:
            frame = frame.withColumn(name, frame[quoted(name)].cast(kind)) if kind else frame
    return observed(frame, dataset.rules, "expectations", dataset.name) if dataset.rules else frame


def columns_of(text: str) -> list[tuple[str, str]]:
    """Name and type (empty where none is given) of each column; comments and constraints of columns are left out."""
    from medallion.runtime.spark.statements import groups

    found = []
    for group in groups(read_tokens(text)):
        stop = next((at for at, token in enumerate(group) if at and token.word in AFTER_TYPE), len(group))
        kind = text[group[1].start : group[stop - 1].end] if stop > 1 else ""
        found.append((unquoted_name(group[0].text), kind))
    return found


AFTER_TYPE = {"COMMENT", "NOT", "MASK", "DEFAULT", "PRIMARY", "CONSTRAINT"}


def options_of(dataset: SqlDataset) -> dict[str, Any]:
    """The clauses of a dataset. A schedule is accepted: what runs the statement decides when it is refreshed."""
    from medallion.runtime.pipelines.statements import clause_options

    clauses = DECIDED_ELSEWHERE.sub("", dataset.clauses)
    if clauses != dataset.clauses:
        print("note: a table's SCHEDULE or TRIGGER is accepted and has no effect; the job refreshes it")  # noqa: T201
    return clause_options(clauses)


def table_properties(session: SparkSession, dataset: SqlDataset) -> dict[str, str]:
    """The table's properties: its own, its comment, and the statement that refreshes it."""
    options = options_of(dataset)
    columns = f" ({dataset.columns})" if dataset.columns else ""
    rules = [
        f"CONSTRAINT {quoted(rule.name)} EXPECT ({rule.condition}){ON_VIOLATION[rule.action]}" for rule in dataset.rules
    ]
    if rules:
        columns = f" ({', '.join([part for part in [dataset.columns] if part] + rules)})"
    defined = f"CREATE {dataset.kind} t{columns} {dataset.clauses} AS {dataset.query}"
    place = f"{quoted(session.catalog.currentCatalog())}\n{quoted(session.catalog.currentDatabase())}"
    found = {**dict(options.get("table_properties") or {}), PROPERTY: f"{place}\n{defined}"}
    return {**found, "comment": str(options["comment"])} if "comment" in options else found


ON_VIOLATION = {"ALLOW": "", "DROP": " ON VIOLATION DROP ROW", "FAIL": " ON VIOLATION FAIL UPDATE"}


def start_over(session: SparkSession, name: str) -> None:
    """Forget what a streaming table has taken."""
    place = location(session, name)
    session.sql(f"TRUNCATE TABLE {name}")
    shutil.rmtree(Path(unquote(urlsplit(place).path)) / CHECKPOINT, ignore_errors=True)


def location(session: SparkSession, name: str) -> str:
    """The folder of a table."""
    return str(session.sql(f"DESCRIBE DETAIL {name}").first()["location"])  # type: ignore[index]


def exists(session: SparkSession, name: str) -> bool:
    """Whether there is a table or view of the name."""
    return bool(session.catalog.tableExists(name))


def is_plain_view(session: SparkSession, name: str) -> bool:
    """Whether the name is a view's, which holds no rows."""
    return "VIEW" in str(session.catalog.getTable(name).tableType)


def properties(session: SparkSession, name: str) -> dict[str, str]:
    """A table's properties."""
    return {row["key"]: row["value"] for row in session.sql(f"SHOW TBLPROPERTIES {name}").collect()}


def full_name(session: SparkSession, name: str) -> str:
    """A name with its catalog and schema."""
    parts = [unquoted_name(token.text) for token in read_tokens(name) if token.text != "."]
    before = [session.catalog.currentCatalog(), session.catalog.currentDatabase()]
    return quoted(*(before[: 3 - len(parts)] + parts))


def spelled(given: Mapping[str, str]) -> str:
    """Properties as SQL."""
    return ", ".join(f"'{_literal(key)}' = '{_literal(value)}'" for key, value in given.items())


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")

"""SQL sources of a pipeline: Databricks' words that open Spark's parser does not know. Runs in the task process; pure.

`CREATE OR REFRESH`, `LIVE` and `CONSTRAINT … EXPECT …` are taken out of a statement. A dataset with constraints becomes
one of the Python kind, since only there can its rows be counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from medallion.core.sql_names import unquoted_name
from medallion.errors import MedallionError
from medallion.runtime.pipelines.change_statements import flow_of, table_flow
from medallion.runtime.pipelines.changes import ChangeFlow
from medallion.runtime.pipelines.expectations import DROP, FAIL, WARN, Expectation
from medallion.runtime.pipelines.words import end_of_name, items, starts
from medallion.runtime.sql_text import Token, closing, read_tokens, split_statements

ACTIONS: Mapping[tuple[str, ...], str] = {("DROP", "ROW"): DROP, ("FAIL", "UPDATE"): FAIL}
KINDS = {
    ("STREAMING", "TABLE"): "STREAMING TABLE",
    ("STREAMING", "LIVE", "TABLE"): "STREAMING TABLE",
    ("MATERIALIZED", "VIEW"): "MATERIALIZED VIEW",
    ("LIVE", "TABLE"): "MATERIALIZED VIEW",
    ("TEMPORARY", "VIEW"): "TEMPORARY VIEW",
    ("TEMPORARY", "LIVE", "VIEW"): "TEMPORARY VIEW",
    ("LIVE", "VIEW"): "TEMPORARY VIEW",
}
"""Words of a statement's kind → the same in open Spark."""
PREFIXES = (("OR", "REFRESH"), ("OR", "REPLACE"), ("PRIVATE",))
FLOW = ("FLOW", "AUTO", "CDC")


@dataclass(frozen=True, slots=True)
class SqlDataset:
    """A dataset with constraints.

    :param kind: as in `KINDS`.
    :param columns: DDL of its columns, empty where the query gives them.
    :param clauses: text between the name and AS.
    :param query: the query; None for a streaming table that only flows write to.
    """

    kind: str
    name: str
    columns: str
    clauses: str
    query: str | None
    rules: tuple[Expectation, ...]


@dataclass(frozen=True, slots=True)
class SqlStatement:
    """Text for Spark's own parser, or a dataset of ours.

    :param line: the statement's first line, counted from 0.
    :param name: the dataset that it defines, if it does.
    :param kind: kind of that dataset, as in `KINDS`.
    :param target: a streaming table without a query, which flows of changes may ask for.
    :param flow: a flow of changes.
    """

    text: str
    line: int
    name: str = ""
    kind: str = ""
    dataset: SqlDataset | None = None
    target: SqlDataset | None = None
    flow: ChangeFlow | None = None


def statements(text: str) -> Iterator[SqlStatement]:
    """The statements of a source, in open Spark's words."""
    for statement in split_statements(text):
        plain = without_live(statement.text)
        yield rewritten(plain, statement.line)


def without_live(text: str) -> str:
    """The text with `LIVE.x` as `x`."""
    words = read_tokens(text)
    for word, dot in reversed(list(pairwise(words))):
        if word.upper == "LIVE" and dot.text == ".":
            text = text[: word.start] + text[dot.end :]
    return text


def rewritten(text: str, line: int) -> SqlStatement:
    """A statement with the words of open Spark."""
    words = read_tokens(text)
    if (flow := flow_of(text, words)) is not None:
        return SqlStatement(text, line, flow=flow)
    if not words or words[0].upper != "CREATE":
        return SqlStatement(text, line)
    at = 1
    for prefix in PREFIXES:
        if starts(words, at, prefix):
            at += len(prefix)
    kind = next((kind for kind in KINDS if starts(words, at, kind)), None)
    if kind is None:
        return SqlStatement(text, line)
    at += len(kind)
    if starts(words, at, ("IF", "NOT", "EXISTS")):
        at += 3
    name_end = end_of_name(words, at)
    name = text[words[at].start : words[name_end - 1].end] if at < len(words) else ""
    flow_at = next((index for index in range(name_end, len(words)) if starts(words, index, FLOW)), None)
    if flow_at is not None and KINDS[kind] == "STREAMING TABLE":
        head = text[: words[flow_at].start]
        table = dataset_of(head, words[:flow_at], name_end, KINDS[kind], name)
        return SqlStatement(text, line, name, KINDS[kind], table, flow=table_flow(text, words[flow_at + 3 :], name))
    dataset = dataset_of(text, words, name_end, KINDS[kind], name)
    if dataset.rules:
        return SqlStatement(text, line, name, KINDS[kind], dataset)
    rest = text[words[name_end - 1].end :]
    target = dataset if dataset.kind == "STREAMING TABLE" and dataset.query is None else None
    return SqlStatement(f"CREATE {KINDS[kind]} {name}{rest}", line, name, KINDS[kind], target=target)


def dataset_of(text: str, words: Sequence[Token], at: int, kind: str, name: str) -> SqlDataset:
    """The dataset behind a name: columns and constraints in brackets, clauses, query."""
    columns: list[str] = []
    rules: list[Expectation] = []
    if at < len(words) and words[at].text == "(":
        close = closing(words, at)
        for begin, end in items(words, at + 1, close):
            if words[begin].upper == "CONSTRAINT":
                rules.append(rule_of(text, words[begin:end]))
            else:
                columns.append(text[words[begin].start : words[end - 1].end])
        at = close + 1
    query_at = next((index for index in range(at, len(words)) if words[index].upper == "AS"), None)
    head_end = len(text) if query_at is None else words[query_at].start
    clauses = text[words[at].start : head_end].strip() if at < len(words) and words[at].start < head_end else ""
    query = None if query_at is None else text[words[query_at].end :].strip()
    return SqlDataset(kind, name, ", ".join(columns), clauses, query, tuple(rules))


def rule_of(text: str, words: Sequence[Token]) -> Expectation:
    """`CONSTRAINT name EXPECT (condition) [ON VIOLATION DROP ROW | FAIL UPDATE]`.

    :raises MedallionError: it is spelled otherwise.
    """
    stated = text[words[0].start : words[-1].end]
    if len(words) < 5 or words[2].upper != "EXPECT" or words[3].text != "(":
        raise MedallionError(
            f"{stated!r}: an expectation is CONSTRAINT name EXPECT (condition) [ON VIOLATION DROP ROW | FAIL UPDATE]"
        )
    close = closing(words, 3)
    rest = tuple(word.upper for word in words[close + 1 :])
    action = ACTIONS.get(rest[2:]) if rest[:2] == ("ON", "VIOLATION") else None if rest else WARN
    if action is None:
        raise MedallionError(f"{stated!r}: after the condition comes ON VIOLATION DROP ROW or ON VIOLATION FAIL UPDATE")
    return Expectation(unquoted_name(words[1].text), text[words[3].end : words[close].start].strip(), action)


def clause_options(clauses: str) -> dict[str, object]:
    """The clauses of a dataset as options of the Python kind.

    :raises MedallionError: a clause that the Python kind lacks.
    """
    options: dict[str, object] = {}
    rest = clauses
    patterns = (
        ("comment", re.compile(r"\s*COMMENT\s+('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")", re.IGNORECASE)),
        ("partition_cols", re.compile(r"\s*PARTITIONED\s+BY\s*\(([^)]*)\)", re.IGNORECASE)),
        ("cluster_by", re.compile(r"\s*CLUSTER\s+BY\s*\(([^)]*)\)", re.IGNORECASE)),
        ("table_properties", re.compile(r"\s*TBLPROPERTIES\s*\(([^)]*)\)", re.IGNORECASE)),
    )
    while rest.strip():
        for name, pattern in patterns:
            if found := pattern.match(rest):
                options[name] = clause_value(name, found[1])
                rest = rest[found.end() :]
                break
        else:
            raise MedallionError(
                f"beside expectations and flows of changes the clause {rest.strip()!r} cannot be taken"
            )
    return options


def clause_value(name: str, text: str) -> object:
    """A clause's text as the option's value."""
    if name == "comment":
        return text[1:-1]
    if name == "table_properties":
        pairs = re.findall(r"['\"]?([\w.\-]+)['\"]?\s*=?\s*['\"]([^'\"]*)['\"]", text)
        return dict(pairs)
    return [part.strip(" `\n\t") for part in text.split(",") if part.strip()]

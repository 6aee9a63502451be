"""Notes which tables of the lake a task reads: `reads.json` in the attempt's folder. Runs in the task process.

The names are those of the statements that the task ran and of the tables that it opened, so a frame that was made and
never used counts too. A view counts as what it reads. What is opened by a path alone, or through Spark Connect, is not seen.
"""

from __future__ import annotations

import contextlib
import functools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from medallion.runtime.protocol import write_whole

FILE_NAME = "reads.json"
RELATION = re.compile(r"UnresolvedRelation \[([^\]]*)\], \[([^\]]*)\]")
"""A table in the text of a parsed statement: its name, and options."""

WRITTEN = "__required_write_privileges__"
"""Option that Spark's parser gives the target of INSERT, MERGE, UPDATE and DELETE."""

MOST_TEXTS = 1000
"""Statements, and names, that are remembered."""

DEPTH = 8
"""Views of views that are followed."""


class ReadRecord:
    """The tables that one task reads.

    :param spark: the task's session.
    :param lake: the folder of the tables.
    :param folder: of the attempt.
    """

    def __init__(self, spark: Any, lake: Path, folder: Path) -> None:
        self.spark = spark
        self.lake = lake
        self.file = folder / FILE_NAME
        self.names: set[str] = set()
        self.known: set[tuple[str, ...]] = set()
        self.texts: set[object] = set()
        self.opened: set[object] = set()

    def statement(self, text: object) -> None:
        """Note the tables of a statement. One that runs again and again is parsed once."""
        if text in self.texts:
            return
        if len(self.texts) < MOST_TEXTS:
            self.texts.add(text)
        plan = self.spark._jsparkSession.sessionState().sqlParser().parsePlan(str(text)).toString()
        for parts in relations(str(plan)):
            self.table(parts)

    def named(self, name: object) -> None:
        """Note a table by the name that user code gave. One that is opened again and again is asked for once."""
        if name in self.opened:
            return
        if len(self.opened) < MOST_TEXTS:
            self.opened.add(name)
        parsed = self.spark._jsparkSession.sessionState().sqlParser().parseMultipartIdentifier(str(name))
        self.table(tuple(str(parsed.apply(number)) for number in range(parsed.size())))

    def table(self, parts: tuple[str, ...], depth: int = 0) -> None:
        """Note a table, or what a view reads. Names of temporary views and of WITH stand for no table of the lake."""
        if parts in self.known or depth > DEPTH or not 1 <= len(parts) <= 3:
            return
        self.known.add(parts)
        full = tuple(part.lower() for part in (*self.current()[: 3 - len(parts)], *parts))
        schema = self.lake / full[0] / full[1]
        view = schema / f"{full[2]}.view.json"
        if view.is_file():
            text = str(json.loads(view.read_text(encoding="utf-8")).get("query", ""))
            plan = self.spark._jsparkSession.sessionState().sqlParser().parsePlan(text).toString()
            for below in relations(str(plan)):
                self.table(below, depth + 1)
        elif (schema / full[2] / "_delta_log").is_dir() or (schema / f"{full[2]}.table.json").is_file():
            self.add(".".join(full))

    def current(self) -> tuple[str, str]:
        """The session's catalog and schema."""
        catalog = self.spark._jsparkSession.sessionState().catalogManager()
        namespace = catalog.currentNamespace()
        return str(catalog.currentCatalog().name()), str(namespace[0]) if len(namespace) else "default"

    def add(self, name: str) -> None:
        """Keep a name at once, so that it survives the end of the process."""
        if name not in self.names:
            self.names.add(name)
            write_whole(self.file, json.dumps(sorted(self.names)))


def relations(plan: str) -> Iterator[tuple[str, ...]]:
    """The tables that the text of a parsed plan reads, as the parts of their names."""
    for found in RELATION.finditer(plan):
        if WRITTEN not in found[2]:
            yield tuple(part.strip() for part in found[1].split(","))


def watch_reads(spark: Any, lake: str, folder: Path) -> None:
    """Note what this process reads from now on. What fails in the noting is not the task's concern."""
    from pyspark.sql import DataFrameReader, SparkSession
    from pyspark.sql.streaming.readwriter import DataStreamReader

    record = ReadRecord(spark, Path(lake), folder)
    for owner, method, note in (
        (SparkSession, "sql", record.statement),
        (SparkSession, "table", record.named),
        (DataFrameReader, "table", record.named),
        (DataStreamReader, "table", record.named),
    ):
        setattr(owner, method, noting(getattr(owner, method), note))


def noting(call: Callable[..., Any], note: Callable[[object], None]) -> Callable[..., Any]:
    """A method that notes its first argument after it went well."""

    @functools.wraps(call)
    def noted(self: Any, *arguments: Any, **named: Any) -> Any:
        answer = call(self, *arguments, **named)
        with contextlib.suppress(Exception):
            note(next(iter((*arguments, *named.values()))))
        return answer

    return noted


def read_names(folder: Path) -> list[str]:
    """The tables that an attempt has read; none when it noted none."""
    try:
        told = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [str(name) for name in told] if isinstance(told, list) else []

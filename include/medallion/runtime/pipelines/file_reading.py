"""Auto Loader, `read_files` and `cloud_files` in pipelines. Runs in the task process.

Spark's pipelines need Spark Connect. What has to be known before a stream starts (files, their columns, the kept schema)
is asked of the same driver by a classic session; the stream itself becomes a plan of the pipeline's Connect session. In
SQL a call becomes a temporary view of the graph, so the rest of the query stays Spark's own. Schemas lie beside the state
of the streams.
"""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from medallion.errors import MedallionError
from medallion.runtime.sql_text import read_tokens

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from medallion.runtime.spark.columns import Plan

READERS = re.compile(r"\b(read|cloud)_files\s*\(", re.IGNORECASE)
CONNECT_MODE = "SPARK_CONNECT_MODE_ENABLED"
SHARED = "_shared"


@contextmanager
def classic() -> Iterator[None]:
    """Within, pyspark's functions are those of a classic session; in a pipeline's process they are Connect's otherwise."""
    mode = os.environ.pop(CONNECT_MODE, None)
    try:
        yield
    finally:
        if mode is not None:
            os.environ[CONNECT_MODE] = mode


class FileReading:
    """The readers of files of one pipeline.

    :param spark: the pipeline's Connect session.
    :param attach: makes a classic session in the same driver; called when the first reader needs it.
    :param folder: where schemas are kept, below the pipeline's own folder.
    """

    def __init__(self, spark: Any, attach: Callable[[], SparkSession], folder: Path) -> None:
        self._spark, self._attach, self._folder = spark, attach, folder
        self._session: SparkSession | None = None
        self._place: Path | None = None
        self._counts: Counter[Path | None] = Counter()
        self._views = 0
        self._waiting: dict[str, Any] = {}
        self._register: Callable[[str, Any], None] = no_graph

    @property
    def session(self) -> SparkSession:
        """The classic session. Only for use within `classic`."""
        if self._session is None:
            self._session = self._attach()
        return self._session

    def begin(self, register: Callable[[str, Any], None]) -> None:
        """Before a graph is defined.

        :param register: makes a temporary view of the graph from a name and a frame.
        """
        from medallion.runtime.spark import auto_loader

        auto_loader.growing.clear()
        self._counts.clear()
        self._waiting.clear()
        self._views = 0
        self._register = register

    def start_over(self, datasets: list[str] | None) -> None:
        """Forget the schemas of a full refresh: those of some datasets by their full names, or all."""
        for folder in [self._folder] if datasets is None else [self._folder / file_name(name) for name in datasets]:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def within(self, dataset: str, flow: str) -> Iterator[None]:
        """Readers that are made within belong to this flow into this dataset.

        Their views become known at the end: Spark takes no definitions while a flow's function runs.
        """
        before = self._place
        self._place = self._folder / file_name(dataset) / file_name(flow)
        try:
            yield
        finally:
            self._place = before
        while self._waiting:
            self._register(*self._waiting.popitem())

    def location(self) -> str:
        """The schema location of the next reader. A flow's readers are told apart by their order, as in a checkpoint."""
        self._counts[self._place] += 1
        return ((self._place or self._folder / SHARED) / str(self._counts[self._place])).as_uri()

    def load(self, _reader: Any, path: str | None, options: dict[str, Any], schema: Any) -> Any:
        """The frame of `spark.readStream.format("cloudFiles")…load(path)`."""
        from medallion.runtime.spark.columns import frame
        from medallion.runtime.spark.streams import loader_plan

        with classic():
            plan = loader_plan(self.session, path, options, schema, location=self.location())
        return frame(self._spark, plan)

    def rewritten(self, text: str, args: Any = None) -> str:
        """SQL with its calls of `read_files` and `cloud_files` as temporary views of the graph."""
        if not READERS.search(text):
            return text
        if self._place is None:
            raise MedallionError(
                "spark.sql with read_files works in the function of a dataset only", hint="move it into the function"
            )
        from medallion.runtime.spark.columns import frame

        made: dict[str, Plan] = {}

        def named(plan: Plan) -> str:
            self._views += 1
            name = f"_read_files_{self._views}"
            made[name] = plan
            return f"STREAM {name}" if plan.stream else name

        with classic():
            from pyspark.sql import SparkSession

            from medallion.runtime.spark.statements import Values, with_readers

            values = Values(self.session, args, SparkSession.sql)
            text = with_readers(self.session, text, values, named, self.location)
        self._waiting.update({name: frame(self._spark, plan) for name, plan in made.items()})
        return text

    def grow(self, told: str) -> list[str]:
        """After an update failed: when it was for unknown fields, keep the new columns; their names.

        :param told: what the update told of its failure.
        """
        from medallion.runtime.spark import auto_loader
        from medallion.runtime.spark.streams import UNKNOWN_FIELDS

        if not auto_loader.growing or not UNKNOWN_FIELDS.search(told):
            return []
        with classic():
            return list(dict.fromkeys(auto_loader.grow(told)))

    def offer(self) -> None:
        """Teach the Connect session's readers and `spark.sql` what Databricks' know. Once per process."""
        from pyspark.sql.connect.session import SparkSession
        from pyspark.sql.connect.streaming.readwriter import DataStreamReader

        from medallion.runtime.spark.streams import teach_reader

        teach_reader(DataStreamReader, self.load)
        run = SparkSession.sql

        def sql(session: Any, sqlQuery: str, args: Any = None, **kwargs: Any) -> Any:  # noqa: N803  pyspark's own name
            return run(session, self.rewritten(sqlQuery, args), args, **kwargs)

        sql.__doc__ = run.__doc__
        SparkSession.sql = sql  # type: ignore[method-assign, assignment]


def no_graph(name: str, _frame: Any) -> None:
    """No graph is being defined."""
    raise MedallionError(f"{name}: files can be read while the pipeline is defined only")


def file_name(name: str) -> str:
    """A dataset's or flow's name as the name of a folder."""
    return quote(name, safe="").replace("..", "%2E%2E")


def owner(text: str, dataset: str) -> tuple[str, str]:
    """The dataset that a SQL statement writes to and the name of its flow.

    :param dataset: the dataset that it defines; empty for `CREATE FLOW name AS … INTO dataset …`.
    """
    if dataset:
        return dataset.replace("`", ""), dataset.replace("`", "")
    words = [token.text.strip("`") for token in read_tokens(text)]
    upper = [word.upper() for word in words]
    target = name_after(words, upper.index("INTO")) if "INTO" in upper else SHARED
    return target, name_after(words, upper.index("FLOW")) if "FLOW" in upper else target


def name_after(words: list[str], place: int) -> str:
    """The name of one to three parts behind a word."""
    end = place + 1
    while words[end + 1 : end + 2] == ["."]:
        end += 2
    return "".join(words[place + 1 : end + 1])

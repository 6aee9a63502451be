"""SQL statements that Spark's parser does not know: COPY INTO, read_files, cloud_files. Runs in the task process.

`install` sends a text here when it holds one of the words; everything else goes to Spark as it is. Statements on
catalogs, volumes and rights are the driver's own (`jvm/`, StatementParser).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from medallion.errors import MedallionError, UnsupportedError
from medallion.runtime.sql_text import QUIET, tokens

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Run = Callable[..., Any]
READERS = ("READ_FILES", "CLOUD_FILES")


class StatementError(MedallionError):
    """A statement that Medallion reads itself is written wrongly."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token of a statement: kind as in `sql_text`, text, and where it begins."""

    kind: str
    text: str
    start: int

    @property
    def word(self) -> str:
        """The word in upper case; empty for what is none."""
        return self.text.upper() if self.kind == "word" else ""

    @property
    def end(self) -> int:
        """Where the token ends."""
        return self.start + len(self.text)


def read_tokens(text: str) -> list[Token]:
    """The tokens of a statement, without comments and spaces."""
    return [Token(kind, piece, start) for kind, piece, start in tokens(text) if kind not in QUIET]


class Values:
    """Evaluates the constants of a statement: literals, parameters, and what can be made of them.

    :param args: what `spark.sql` was given to bind.
    """

    def __init__(self, session: SparkSession, args: Any, run: Run) -> None:
        self._session, self._args, self._run = session, args, run

    def of(self, expressions: list[str]) -> list[Any]:
        """The values of SQL expressions."""
        if not expressions:
            return []
        listed = ", ".join(f"{text} AS v{place}" for place, text in enumerate(expressions))
        return list(self._run(self._session, f"SELECT {listed}", self._args or None).first())


def run_statement(session: SparkSession, text: str, args: Any, kwargs: dict[str, Any], run: Run) -> DataFrame:
    """The frame of a statement that may be ours.

    :param run: Spark's own `sql`.
    :raises StatementError: a statement of ours is written wrongly.
    """
    words = read_tokens(text)
    values = Values(session, args, run)
    if [token.word for token in words[:2]] == ["COPY", "INTO"]:
        from medallion.runtime.spark.copy_into import copy_into
        from medallion.runtime.spark.copy_text import parse_copy

        return copy_into(session, parse_copy(text, words, values))
    if words[0].word in ALONE and [token.word for token in words[:2]] != ["CACHE", "TABLE"]:
        made: DataFrame = ALONE[words[0].word](session, text, words, values)
        return made
    text = without_auto(text, words)
    with ExitStack() as views:
        text = with_views(session, text, read_tokens(text), values, views)
        frame: DataFrame = run(session, with_information(session, text, views), args, **kwargs)
    return frame


def without_auto(text: str, words: list[Token]) -> str:
    """CLUSTER BY AUTO chooses columns by what queries ask, which nobody watches here: none are chosen."""
    for place, token in enumerate(words[:-2]):
        if [item.word for item in words[place : place + 3]] == ["CLUSTER", "BY", "AUTO"]:
            instead = "CLUSTER BY NONE" if words[0].word == "ALTER" else ""
            print("note: CLUSTER BY AUTO is accepted; no clustering columns are chosen here")  # noqa: T201
            return text[: token.start] + instead + text[words[place + 2].end :]
    return text


def with_information(session: SparkSession, text: str, views: ExitStack) -> str:
    """The text with each table of an information schema replaced by a temporary view of its rows."""
    from medallion.runtime.spark.information_schema import NAME, information

    words = read_tokens(text)
    parts: list[str] = []
    copied = 0
    for place, token in enumerate(words[:-2]):
        if token.text.strip("`").lower() != NAME or words[place + 1].text != ".":
            continue
        named = place > 1 and words[place - 1].text == "."
        catalog = words[place - 2].text.strip("`") if named else session.catalog.currentCatalog()
        name = words[place + 2].text.strip("`")
        view = f"_medallion_{uuid4().hex}"
        information(session, catalog, name).createOrReplaceTempView(view)
        views.callback(session.catalog.dropTempView, view)
        follows = words[place + 3] if place + 3 < len(words) else None
        alias = "" if follows is not None and (follows.word == "AS" or is_alias(follows)) else f" AS {name}"
        parts += [text[copied : words[place - 2].start if named else token.start], view + alias]
        copied = words[place + 2].end
    return "".join([*parts, text[copied:]])


def is_alias(token: Token) -> bool:
    """Whether a word after a table's name is its other name."""
    return token.kind == "name" or (token.kind == "word" and token.word not in AFTER_A_TABLE)


def list_folder(session: SparkSession, _text: str, words: list[Token], values: Values) -> DataFrame:
    """LIST 'path': the entries of a folder."""
    from medallion.runtime.dbutils.remote import RemoteFiles

    rows = [
        (path, name, size, time)
        for path, name, size, time in RemoteFiles(session).ls(str(values.of([words[1].text])[0]))
    ]
    return session.createDataFrame(rows, "path STRING, name STRING, size BIGINT, modification_time BIGINT")


def cache_nothing(session: SparkSession, _text: str, _words: list[Token], _values: Values) -> DataFrame:
    """CACHE SELECT fills the disk cache of a cluster's machines; there is none here."""
    print("note: CACHE SELECT is accepted and has no effect here: files are local")  # noqa: T201
    return session.createDataFrame([], "result STRING")


def refuse_undrop(_session: SparkSession, _text: str, _words: list[Token], _values: Values) -> DataFrame:
    """UNDROP needs a catalog that keeps what was dropped."""
    raise UnsupportedError(
        "UNDROP does not work here: a dropped table is gone", hint="RESTORE goes back in a table's history"
    )


ALONE: dict[str, Callable[[Any, str, list[Token], Values], Any]] = {
    "LIST": list_folder,
    "CACHE": cache_nothing,
    "UNDROP": refuse_undrop,
}
AFTER_A_TABLE = {
    *("WHERE", "JOIN", "INNER", "LEFT", "RIGHT", "FULL", "CROSS", "ON", "USING", "GROUP", "ORDER", "HAVING", "LIMIT"),
    *("UNION", "EXCEPT", "INTERSECT", "QUALIFY", "WINDOW", "LATERAL", "NATURAL", "ANTI", "SEMI", "OFFSET", "PIVOT"),
    *("TABLESAMPLE", "SORT", "CLUSTER", "DISTRIBUTE", "MINUS"),
}


def with_views(session: SparkSession, text: str, words: list[Token], values: Values, views: ExitStack) -> str:
    """The text with each call of read_files or cloud_files replaced by a temporary view of its frame.

    The views end with `views`: Spark has found them by then, and a frame keeps what it found.
    """
    parts: list[str] = []
    copied = 0
    for place, token in enumerate(words[:-1]):
        if token.word not in READERS or words[place + 1].text != "(":
            continue
        last = closing(words, place + 1)
        stream = place > 0 and words[place - 1].word == "STREAM"
        frame = reader_frame(session, token.word, split_arguments(text, words[place + 2 : last]), values, stream=stream)
        name = f"_medallion_{uuid4().hex}"
        frame.createOrReplaceTempView(name)
        views.callback(session.catalog.dropTempView, name)
        parts += [text[copied : words[place - 1].start if stream else token.start], name]
        copied = words[last].end
    return "".join([*parts, text[copied:]])


def closing(words: list[Token], opening: int) -> int:
    """Where the bracket that opens at `opening` closes."""
    depth = 0
    for place in range(opening, len(words)):
        depth += {"(": 1, ")": -1}.get(words[place].text, 0)
        if depth == 0:
            return place
    raise StatementError(f"a bracket is not closed: {words[opening - 1].text}(")


def split_arguments(text: str, words: list[Token]) -> list[tuple[str, str]]:
    """Name (empty for one by position) and expression of each argument."""
    arguments: list[tuple[str, str]] = []
    for group in groups(words):
        name, body = "", group
        if len(group) > 3 and group[1].text == "=" and group[2].text == ">":
            name, body = group[0].text.strip("`"), group[3:]
        arguments.append((name, text[body[0].start : body[-1].end]))
    return arguments


def groups(words: list[Token]) -> list[list[Token]]:
    """Tokens between commas that stand in no bracket."""
    found: list[list[Token]] = [[]]
    depth = 0
    for token in words:
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(token.text, 0)
        if token.text == "," and depth == 0:
            found.append([])
        else:
            found[-1].append(token)
    return [group for group in found if group]


def reader_frame(
    session: SparkSession, function: str, arguments: list[tuple[str, str]], values: Values, *, stream: bool
) -> DataFrame:
    """The frame of a call of read_files or cloud_files."""
    from medallion.runtime.spark.read_files import cloud_files, read_files

    found = values.of([expression for _, expression in arguments])
    positional = [value for (name, _), value in zip(arguments, found, strict=True) if not name]
    named = {name: value for (name, _), value in zip(arguments, found, strict=True) if name}
    if not positional and "path" in named:
        positional.append(named.pop("path"))
    if not positional or not isinstance(positional[0], str):
        raise StatementError(f"{function.lower()} needs a path as its first argument")
    if function == "CLOUD_FILES":
        return cloud_files(session, *positional)
    return read_files(session, positional[0], named, stream=stream)

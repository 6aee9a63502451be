"""SQL statements that Spark's parser does not know: COPY INTO, read_files, cloud_files. Runs in the task process.

`install` sends a text here when it holds one of the words; everything else goes to Spark as it is. Statements on
catalogs, volumes and rights are the driver's own (`jvm/`, StatementParser).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from medallion.core.sql_names import unquoted_name
from medallion.errors import UnsupportedError
from medallion.runtime.sql_text import END, StatementError, Token, closing, read_tokens

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from medallion.runtime.spark.columns import Plan

Run = Callable[..., Any]
READERS = ("READ_FILES", "CLOUD_FILES")


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

    def filled(self, text: str) -> str:
        """The text with the values of its parameters as literals, so that it can be kept.

        :raises StatementError: a value is neither a text nor a number.
        """
        given = self._args if isinstance(self._args, dict) else {}
        for token in reversed([token for token in read_tokens(text) if token.kind == "parameter"]):
            value = given.get(token.text[1:])
            if value is not None and not isinstance(value, (str, int, float)):
                raise StatementError(f"the parameter {token.text} of a query that is kept is a text or a number")
            if value is not None:
                text = f"{text[: token.start]}{literal(value)}{text[token.end :]}"
        return text


def literal(value: str | float) -> str:
    """A value as SQL."""
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return str(value).lower() if isinstance(value, bool) else repr(value)


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
    from medallion.runtime.spark import refreshed

    if (done := refreshed.run(session, text, words, values)) is not None:
        return done
    text = without_auto(text, words)
    with ExitStack() as views:

        def view(plan: Plan) -> str:
            return temporary_view(session, plan, views)

        text = with_readers(session, text, values, view)
        frame: DataFrame = run(session, with_information(session, text, views), args, **kwargs)
    return frame


def without_auto(text: str, words: Sequence[Token]) -> str:
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
        catalog = unquoted_name(words[place - 2].text) if named else session.catalog.currentCatalog()
        name = unquoted_name(words[place + 2].text)
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


def list_folder(session: SparkSession, _text: str, words: Sequence[Token], values: Values) -> DataFrame:
    """LIST 'path': the entries of a folder."""
    from medallion.runtime.dbutils.remote import RemoteFiles

    if words[1].kind == END:
        raise StatementError("LIST needs the path of a folder", hint="such as LIST '/Volumes/main/default/in'")

    rows = [
        (path, name, size, time)
        for path, name, size, time in RemoteFiles(session).ls(str(values.of([words[1].text])[0]))
    ]
    return session.createDataFrame(rows, "path STRING, name STRING, size BIGINT, modification_time BIGINT")


def cache_nothing(session: SparkSession, _text: str, _words: Sequence[Token], _values: Values) -> DataFrame:
    """CACHE SELECT fills the disk cache of a cluster's machines; there is none here."""
    print("note: CACHE SELECT is accepted and has no effect here: files are local")  # noqa: T201
    return session.createDataFrame([], "result STRING")


def refuse_undrop(_session: SparkSession, _text: str, _words: Sequence[Token], _values: Values) -> DataFrame:
    """UNDROP needs a catalog that keeps what was dropped."""
    raise UnsupportedError(
        "UNDROP does not work here: a dropped table is gone", hint="RESTORE goes back in a table's history"
    )


ALONE: dict[str, Callable[[Any, str, Sequence[Token], Values], Any]] = {
    "LIST": list_folder,
    "CACHE": cache_nothing,
    "UNDROP": refuse_undrop,
}
AFTER_A_TABLE = {
    *("WHERE", "JOIN", "INNER", "LEFT", "RIGHT", "FULL", "CROSS", "ON", "USING", "GROUP", "ORDER", "HAVING", "LIMIT"),
    *("UNION", "EXCEPT", "INTERSECT", "QUALIFY", "WINDOW", "LATERAL", "NATURAL", "ANTI", "SEMI", "OFFSET", "PIVOT"),
    *("TABLESAMPLE", "SORT", "CLUSTER", "DISTRIBUTE", "MINUS"),
}


def temporary_view(session: SparkSession, plan: Plan, views: ExitStack) -> str:
    """Name of a temporary view of what the plan reads. It ends with `views`: a frame keeps what Spark found by then."""
    from medallion.runtime.spark.columns import frame

    name = f"_medallion_{uuid4().hex}"
    frame(session, plan).createOrReplaceTempView(name)
    views.callback(session.catalog.dropTempView, name)
    return name


def with_readers(
    session: SparkSession,
    text: str,
    values: Values,
    named: Callable[[Plan], str],
    location: Callable[[], str] | None = None,
) -> str:
    """The text with each call of read_files or cloud_files replaced by what `named` gives for it.

    :param location: makes the schema location of a stream that names none.
    """
    words = read_tokens(text)
    parts: list[str] = []
    copied = 0
    for place, token in enumerate(words[:-1]):
        if token.word not in READERS or words[place + 1].text != "(":
            continue
        last = closing(words, place + 1)
        first, end, stream = streamed(words, place, last)
        arguments = split_arguments(text, words[place + 2 : last])
        plan = reader_plan(session, token.word, arguments, values, stream=stream, location=location)
        parts += [text[copied : words[first].start], named(plan)]
        copied = words[end].end
    return "".join([*parts, text[copied:]])


def streamed(words: Sequence[Token], place: int, last: int) -> tuple[int, int, bool]:
    """The first and last token of a call with the word STREAM or STREAM(…) around it, and whether there is one."""
    before = [token.word or token.text for token in words[max(place - 2, 0) : place]]
    if before[-1:] == ["STREAM"]:
        return place - 1, last, True
    if before == ["STREAM", "("] and closing(words, place - 1) == last + 1:
        return place - 2, last + 1, True
    return place, last, False


def split_arguments(text: str, words: Sequence[Token]) -> list[tuple[str, str]]:
    """Name (empty for one by position) and expression of each argument."""
    arguments: list[tuple[str, str]] = []
    for group in groups(words):
        name, body = "", group
        if len(group) > 3 and group[1].text == "=" and group[2].text == ">":
            name, body = group[0].text.strip("`"), group[3:]
        arguments.append((name, text[body[0].start : body[-1].end]))
    return arguments


def groups(words: Sequence[Token]) -> list[list[Token]]:
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


def reader_plan(
    session: SparkSession,
    function: str,
    arguments: list[tuple[str, str]],
    values: Values,
    *,
    stream: bool,
    location: Callable[[], str] | None,
) -> Plan:
    """How to read what a call of read_files or cloud_files asks for."""
    from medallion.runtime.spark.read_files import cloud_files, read_files

    found = values.of([expression for _, expression in arguments])
    positional = [value for (name, _), value in zip(arguments, found, strict=True) if not name]
    named = {name: value for (name, _), value in zip(arguments, found, strict=True) if name}
    if not positional and "path" in named:
        positional.append(named.pop("path"))
    if not positional or not isinstance(positional[0], str):
        raise StatementError(f"{function.lower()} needs a path as its first argument")
    stream = stream or function == "CLOUD_FILES"
    place = location() if stream and location is not None else None
    if function == "CLOUD_FILES":
        return cloud_files(session, *positional, location=place)
    return read_files(session, positional[0], named, stream=stream, location=place)

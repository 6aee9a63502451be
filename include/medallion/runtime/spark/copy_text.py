"""The text of a COPY INTO statement, read. Runs in the task process.

Grammar: docs.databricks.com, sql/language-manual/delta-copy-into.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from medallion.errors import UnsupportedError
from medallion.runtime.spark.statements import Values, groups
from medallion.runtime.sql_text import END, StatementError, Token, TokenStream, closing
from medallion.spec.problems import did_you_mean

COPY_OPTIONS = ("force", "mergeSchema")
CLAUSES = ("FILEFORMAT", "VALIDATE", "FILES", "PATTERN", "FORMAT_OPTIONS", "COPY_OPTIONS", "WITH", "ENCRYPTION")


@dataclass(frozen=True, slots=True)
class Copy:
    """A COPY INTO statement.

    :param target: the table's name as it is written.
    :param columns: columns of the table that are filled; empty = by name.
    :param select: what stands between SELECT and FROM, or None.
    :param files: names of files below the source, or None for all.
    """

    target: str
    source: str
    format: str
    columns: tuple[str, ...] = ()
    by_position: bool = False
    select: str | None = None
    files: tuple[str, ...] | None = None
    pattern: str = ""
    format_options: Mapping[str, str] = field(default_factory=dict)
    force: bool = False
    merge_schema: bool = False


class Reader:
    """Reads the clauses of a statement, one after the other."""

    def __init__(self, text: str, words: TokenStream, values: Values) -> None:
        self.text, self.words, self.values = text, words, values
        self.place = 2
        self.found: dict[str, Any] = {}

    def at(self, *words: str) -> bool:
        """Whether these words come next."""
        coming = self.words[self.place : self.place + len(words)]
        return [token.word or token.text for token in coming] == list(words)

    def accept(self, *words: str) -> bool:
        """Go past these words if they come next."""
        there = self.at(*words)
        self.place += len(words) if there else 0
        return there

    def expect(self, *words: str) -> None:
        """Go past these words.

        :raises StatementError: something else comes next.
        """
        if not self.accept(*words):
            near = self.text[self.words[self.place].start :][:40] or "the end"
            raise StatementError(f"COPY INTO: {' '.join(words)} is expected at: {near}")

    def brackets(self) -> TokenStream:
        """The tokens in the brackets that come next."""
        if not self.at("("):
            self.expect("(")
        last = closing(self.words, self.place)
        inside = self.words[self.place + 1 : last]
        self.place = last + 1
        return inside

    def next_token(self, what: str) -> Token:
        """Go past the next token.

        :raises StatementError: the statement ends here.
        """
        token = self.words[self.place]
        if token.kind == END:
            self.expect(what)
        self.place += 1
        return token

    def next_value(self, what: str) -> Any:
        """Go past the next token, a constant, and give its value."""
        return self.value(self.next_token(what).text, what)

    def value(self, expression: str, what: str) -> Any:
        """The value of an expression.

        :raises StatementError: there is none.
        """
        if not expression:
            raise StatementError(f"COPY INTO: {what} is expected in the brackets")
        return self.values.of([expression])[0]

    def until(self, *stops: str) -> str:
        """The text up to one of the words or a bracket."""
        first = self.place
        while self.place < len(self.words) and self.words[self.place].word not in stops and not self.at("("):
            self.place += 1
        if self.place == first:
            self.expect("a name")
        return self.text[self.words[first].start : self.words[self.place - 1].end]


def parse_copy(text: str, words: TokenStream, values: Values) -> Copy:
    """The statement of a text.

    :raises StatementError: it is written wrongly; says where.
    :raises UnsupportedError: a clause that does not work here.
    """
    reader = Reader(text, words, values)
    if reader.at("IDENTIFIER", "("):
        reader.place += 1
        target = str(reader.value(span(text, reader.brackets()), "a name"))
    else:
        target = reader.until("FROM", "BY")
    by_position = reader.accept("BY", "POSITION")
    columns = tuple(span(text, group).strip("`") for group in groups(reader.brackets())) if reader.at("(") else ()
    reader.expect("FROM")
    source, select = read_source(reader)
    while reader.place < len(words):
        read_clause(reader)
    if "format" not in reader.found:
        raise StatementError("COPY INTO needs FILEFORMAT = …")
    return Copy(target, source, columns=columns, by_position=by_position, select=select, **reader.found)


def span(text: str, words: Sequence[Token]) -> str:
    """The text of consecutive tokens."""
    return text[words[0].start : words[-1].end] if words else ""


def read_source(reader: Reader) -> tuple[str, str | None]:
    """The folder, and what is selected from it."""
    if not reader.at("("):
        return str(reader.next_value("the path of a folder")), None
    inside = reader.brackets()
    froms = [place for place, token in enumerate(inside) if token.word == "FROM"]
    if not froms or inside[0].word != "SELECT" or froms[-1] + 1 >= len(inside):
        raise StatementError("COPY INTO: the source in brackets must be SELECT … FROM 'path'")
    path = str(reader.values.of([inside[froms[-1] + 1].text])[0])
    return path, span(reader.text, inside[1 : froms[-1]])


def read_clause(reader: Reader) -> None:
    """One clause after the source."""
    word = reader.words[reader.place].word
    if word not in READERS_OF_CLAUSES:
        near = did_you_mean(word, CLAUSES)
        raise StatementError(f"COPY INTO has no clause {reader.words[reader.place].text!r}", hint=near)
    reader.place += 1
    READERS_OF_CLAUSES[word](reader)


def read_format(reader: Reader) -> None:
    """FILEFORMAT = CSV."""
    reader.expect("=")
    reader.found["format"] = reader.next_token("a format").text.strip("'\"")


def read_files_clause(reader: Reader) -> None:
    """FILES = ('a', 'b')."""
    reader.expect("=")
    reader.found["files"] = tuple(reader.values.of([span(reader.text, group) for group in groups(reader.brackets())]))


def read_pattern(reader: Reader) -> None:
    """PATTERN = 'glob'."""
    reader.expect("=")
    reader.found["pattern"] = str(reader.next_value("a pattern"))


def pairs(reader: Reader) -> dict[str, str]:
    """('name' = 'value', …)."""
    found: dict[str, str] = {}
    for group in groups(reader.brackets()):
        if len(group) < 3 or group[1].text != "=":
            raise StatementError(f"COPY INTO: 'name' = 'value' is expected at: {span(reader.text, group)}")
        value = reader.values.of([span(reader.text, group[2:])])[0]
        found[group[0].text.strip("'\"`")] = str(value).lower() if isinstance(value, bool) else str(value)
    return found


def read_format_options(reader: Reader) -> None:
    """FORMAT_OPTIONS ('header' = 'true')."""
    reader.found["format_options"] = pairs(reader)


def read_copy_options(reader: Reader) -> None:
    """COPY_OPTIONS ('force' = 'true', 'mergeSchema' = 'true')."""
    names = {"force": "force", "mergeschema": "merge_schema"}
    for name, value in pairs(reader).items():
        if name.lower() not in names:
            raise UnsupportedError(f"COPY INTO's option {name} is not supported here", hint=f"there are {COPY_OPTIONS}")
        reader.found[names[name.lower()]] = value.lower() == "true"


def refuse(clause: str) -> Callable[[Reader], None]:
    """A clause that does not work here."""

    def refused(_reader: Reader) -> None:
        raise UnsupportedError(f"COPY INTO's clause {clause} is not supported here")

    return refused


READERS_OF_CLAUSES: dict[str, Callable[[Reader], None]] = {
    "FILEFORMAT": read_format,
    "FILES": read_files_clause,
    "PATTERN": read_pattern,
    "FORMAT_OPTIONS": read_format_options,
    "COPY_OPTIONS": read_copy_options,
    **{clause: refuse(clause) for clause in ("VALIDATE", "WITH", "ENCRYPTION")},
}

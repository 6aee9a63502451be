"""Splits SQL text into statements and fills in parameters. Runs in the task process; pure.

Follows Spark's lexer where it matters: strings in either quote with backslash escapes, raw strings (r'…'), names in
backticks, `--` comments, nested `/* */` comments, BEGIN … END blocks of SQL scripting.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import overload

from medallion.errors import MedallionError

TOKEN = re.compile(
    r"""
    (?P<raw>[rR](?:'[^']*'|"[^"]*"))
  | (?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\$\$.*?\$\$)
  | (?P<name>`(?:[^`]|``)*`)
  | (?P<line>--[^\n]*)
  | (?P<block>/\*)
  | (?P<parameter>(?<![:\w)\]`"']):[A-Za-z_]\w*)
  | (?P<word>[A-Za-z_]\w*|\d\w*)
  | (?P<end>;)
  | (?P<space>\s+)
  | (?P<other>'(?:[^'\\]|\\.|\\)*+\Z|"(?:[^"\\]|\\.|\\)*+\Z|.)  # a text without an end is the rest
    """,
    re.VERBOSE | re.DOTALL,
)
QUIET = frozenset({"line", "block", "space"})
ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}
END = "END"
"""Kind of the token behind the last one."""
# END IF, END WHILE and so on close a statement that did not open a block here: IF( ) and LOOP are words elsewhere too.
ENDS_OF_LOOPS = {"IF", "WHILE", "LOOP", "REPEAT", "FOR"}


class StatementError(MedallionError):
    """A statement that Medallion reads itself is written wrongly."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement: its text without the semicolon, its first line counted from 0, the `:names` it uses."""

    text: str
    line: int
    parameters: frozenset[str]


@dataclass(frozen=True, slots=True)
class Token:
    """One token: its kind as in `TOKEN`, its text, and where it begins."""

    kind: str
    text: str
    start: int

    @property
    def word(self) -> str:
        """The word in upper case; empty for what is none."""
        return self.text.upper() if self.kind == "word" else ""

    @property
    def upper(self) -> str:
        """The text as keywords are compared."""
        return self.text.upper()

    @property
    def end(self) -> int:
        """Where the token ends."""
        return self.start + len(self.text)


class TokenStream(Sequence[Token]):
    """The tokens of a statement that count: no comments, no spaces.

    Any place behind the last one has the END token (`kind` END, no text, at the end of the text), so that a reader of a
    broken statement meets it and no IndexError. Slices and the length are of the real tokens.
    """

    def __init__(self, found: Sequence[Token], end: int) -> None:
        self._found = found
        self._end = Token(END, "", end)

    @overload
    def __getitem__(self, place: int) -> Token: ...
    @overload
    def __getitem__(self, place: slice) -> TokenStream: ...
    def __getitem__(self, place: int | slice) -> Token | TokenStream:
        if isinstance(place, slice):
            part = self._found[place]
            return TokenStream(part, part[-1].end if part else self._end.start)
        inside = 0 <= place < len(self._found) or -len(self._found) <= place < 0
        return self._found[place] if inside else self._end

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Token]:
        return iter(self._found)


def read_tokens(text: str) -> TokenStream:
    """The tokens of a statement, without comments and spaces."""
    return TokenStream([Token(*found) for found in tokens(text) if found[0] not in QUIET], len(text))


def closing(words: Sequence[Token], opening: int) -> int:
    """Where the bracket that opens at `opening` closes.

    :raises StatementError: it does not.
    """
    depth = 0
    for place in range(opening, len(words)):
        depth += {"(": 1, ")": -1}.get(words[place].text, 0)
        if depth == 0:
            return place
    before = words[opening - 1].text if opening else ""
    raise StatementError(f"a bracket of the statement is not closed: {before}(")


def unquoted(text: str) -> str:
    """What a literal in quotes stands for; other text stays."""
    if text[:1] not in ("'", '"') or len(text) < 2:
        return text
    return re.sub(r"\\(.)", lambda found: ESCAPED.get(found[1], found[1]), text[1:-1], flags=re.DOTALL)


def tokens(text: str) -> Iterator[tuple[str, str, int]]:
    """Kind, text and position of each token; together they are the whole text."""
    position = 0
    while position < len(text):
        kind, end = token_at(text, position)
        yield kind, text[position:end], position
        position = end


def token_at(text: str, position: int) -> tuple[str, int]:
    """Kind and end of the token at a position of the text."""
    found = TOKEN.match(text, position)
    assert found is not None  # noqa: S101  `other` takes any character
    kind = str(found.lastgroup)
    return kind, end_of_comment(text, position) if kind == "block" else found.end()


def end_of_comment(text: str, start: int) -> int:
    """Where a `/*` comment that begins at `start` ends; comments nest in Spark. Else the end of the text."""
    depth = 0
    for mark in re.compile(r"/\*|\*/").finditer(text, start):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return mark.end()
    return len(text)


def split_statements(text: str) -> list[Statement]:
    """The statements of a text, split at semicolons outside strings, comments and BEGIN … END blocks."""
    statements: list[Statement] = []
    current = _Draft()
    for kind, piece, position in tokens(text):
        if kind == "end" and current.depth <= 0:
            current.finish(text, position, statements)
            current = _Draft()
        else:
            current.add(kind, piece, position)
    current.finish(text, len(text), statements)
    return statements


class _Draft:
    """The statement being read."""

    def __init__(self) -> None:
        self.start: int | None = None
        self.depth = 0
        self.parameters: set[str] = set()
        self.before = ""
        self.words = 0
        self.is_script = False
        self.is_procedure = False

    def add(self, kind: str, piece: str, position: int) -> None:
        if kind in QUIET:
            return
        if self.start is None:
            self.start = position
        if kind == "parameter":
            self.parameters.add(piece[1:])
        word = piece.upper() if kind == "word" else ""
        self.words += 1
        self.nest(word)
        self.before = word

    def nest(self, word: str) -> None:
        """Count BEGIN … END blocks of a script, and CASE … END inside them. `begin` is also a fine name of a column."""
        if self.words == 1:
            self.is_script = word == "BEGIN"
            self.is_procedure = word == "CREATE"
        elif self.is_procedure and word == "BEGIN":
            self.is_script = True
        if self.is_script:
            self.depth += self.step(word)

    def step(self, word: str) -> int:
        """How a word of a script changes the depth."""
        if word == "BEGIN" or (word == "CASE" and self.before != "END"):
            return 1
        if word == "END" or (self.before == "BEGIN" and word in {"TRANSACTION", "WORK"}):
            return -1
        return 1 if self.before == "END" and word in ENDS_OF_LOOPS else 0

    def finish(self, text: str, end: int, statements: list[Statement]) -> None:
        if self.start is not None:
            body = text[self.start : end].rstrip()
            statements.append(Statement(body, text.count("\n", 0, self.start), frozenset(self.parameters)))


def substitute(text: str, values: Mapping[str, str]) -> str:
    """`${name}` and `$name` of known names replaced by their text, anywhere, as Databricks' older parameters do.

    Unknown names stay: `${spark.x}` is for Spark's own substitution.
    """
    if not values:
        return text

    def fill(found: re.Match[str]) -> str:
        name = found[1] if found[1] is not None else found[2]
        return values.get(name, found[0])

    return re.sub(r"\$\{([^{}\n]+)\}|\$([A-Za-z_]\w*)", fill, text)

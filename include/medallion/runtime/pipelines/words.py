"""Words of a SQL statement, for what is read here before Spark's parser. Runs in the task process; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from medallion.errors import MedallionError
from medallion.runtime.sql_text import tokens

QUIET = frozenset({"line", "block", "space"})


@dataclass(frozen=True, slots=True)
class Word:
    """One token that counts: its text, and where it is in the statement."""

    text: str
    start: int
    end: int

    @property
    def upper(self) -> str:
        """As keywords are compared."""
        return self.text.upper()


def meaningful(text: str) -> Iterator[Word]:
    """The tokens of a text but for blanks and comments."""
    for kind, piece, start in tokens(text):
        if kind not in QUIET:
            yield Word(piece, start, start + len(piece))


def starts(words: Sequence[Word], at: int, wanted: tuple[str, ...]) -> bool:
    """Whether these keywords stand at a place."""
    return tuple(word.upper for word in words[at : at + len(wanted)]) == wanted


def end_of_name(words: Sequence[Word], at: int) -> int:
    """The place after a name of one to three parts."""
    end = at + 1
    while end + 1 < len(words) and words[end].text == ".":
        end += 2
    return min(end, len(words))


def closing(words: Sequence[Word], at: int) -> int:
    """The place of the bracket that closes the one at a place.

    :raises MedallionError: there is none.
    """
    depth = 0
    for index in range(at, len(words)):
        depth += {"(": 1, ")": -1}.get(words[index].text, 0)
        if depth == 0:
            return index
    raise MedallionError("a bracket of the statement is not closed")


def items(words: Sequence[Word], begin: int, end: int) -> Iterator[tuple[int, int]]:
    """The parts between commas of a list in brackets."""
    depth, start = 0, begin
    for index in range(begin, end):
        depth += {"(": 1, ")": -1, "<": 1, ">": -1}.get(words[index].text, 0) if words[index].text in "()" else 0
        if depth == 0 and words[index].text == ",":
            yield start, index
            start = index + 1
    if start < end:
        yield start, end

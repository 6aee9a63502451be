"""Words of a SQL statement, for what is read here before Spark's parser. Runs in the task process; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from medallion.runtime.sql_text import Token


def starts(words: Sequence[Token], at: int, wanted: tuple[str, ...]) -> bool:
    """Whether these keywords stand at a place."""
    return tuple(word.upper for word in words[at : at + len(wanted)]) == wanted


def end_of_name(words: Sequence[Token], at: int) -> int:
    """The place after a name of one to three parts."""
    end = at + 1
    while end + 1 < len(words) and words[end].text == ".":
        end += 2
    return min(end, len(words))


def items(words: Sequence[Token], begin: int, end: int) -> Iterator[tuple[int, int]]:
    """The parts between commas of a list in brackets."""
    depth, start = 0, begin
    for index in range(begin, end):
        depth += {"(": 1, ")": -1, "<": 1, ">": -1}.get(words[index].text, 0) if words[index].text in "()" else 0
        if depth == 0 and words[index].text == ",":
            yield start, index
            start = index + 1
    if start < end:
        yield start, end

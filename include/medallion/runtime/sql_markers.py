"""Fills `{{name}}` in the text of a SQL task, as Databricks' mustache parameters do. Runs in the task process; pure.

A marker is a value: `{{target}} = "prod"` compares two texts, `IDENTIFIER({{catalog}} || '.' || {{schema}})` joins them.
Inside quotes and back-ticks it is text of that literal or name, and where SQL takes a name only it is a name. A value
never ends the literal that it stands in, so it cannot bring statements with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from medallion.core.sql_names import quoted
from medallion.errors import MedallionError
from medallion.runtime.sql_text import QUIET, substitute, token_at
from medallion.spec.problems import did_you_mean

MARKER = re.compile(r"\{\{\s*([\w.-]+)\s*\}\}")
NAME_AFTER = frozenset(
    {
        *("FROM", "JOIN", "USING", "INTO", "STREAM", "STREAM(", "TABLE", "VIEW", "SCHEMA", "DATABASE", "CATALOG"),
        *("USE", "UPDATE", "DESCRIBE", "OPTIMIZE", "VACUUM"),
    }
)
"""Words that the name of a table, a schema or a catalog follows."""
VALUE_FROM = frozenset({"EXTRACT", "TRIM", "SUBSTRING", "SUBSTR", "OVERLAY"})
"""Functions whose FROM stands before a value."""
NUMBER_AFTER = frozenset({"LIMIT", "OFFSET", "RETAIN", "TABLESAMPLE("})
"""Where Spark's grammar takes a number and no text."""
NUMBER = re.compile(r"\d+(\.\d+)?")
PART = r"[\w-]+|`(?:[^`]|``)+`"
NAME = re.compile(rf"(?:{PART})(?:\.(?:{PART}))*")


class MarkerError(MedallionError):
    """A marker that cannot be filled; `medallion_line` is its line in the text, counted from 1."""

    medallion_line: int = 0


@dataclass(slots=True)
class _Place:
    """What stands before the marker that is being filled: the last words and the open brackets."""

    last: str = ""
    before: str = ""
    first: str = ""
    openers: list[str] = field(default_factory=list)

    def pass_by(self, kind: str, piece: str) -> None:
        """Go past a token that is no marker."""
        if kind in QUIET:
            return
        word = piece.upper() if kind == "word" else piece
        if piece == "(":
            self.openers.append(self.last)
        elif piece == ")" and self.openers:
            self.openers.pop()
        if kind == "end":
            self.last, self.before, self.first = "", "", ""
            return
        self.first = self.first or word
        self.before, self.last = self.last, word

    def takes_name(self) -> bool:
        """Whether only a name can come here."""
        last = self._last_word()
        if last == "FROM":
            return self.before != "DISTINCT" and not (self.openers and self.openers[-1] in VALUE_FROM)
        if last == "EXISTS":
            return self.before in {"IF", "NOT"}
        return last in NAME_AFTER or (last == "IN" and self.first == "SHOW")

    def takes_number(self) -> bool:
        """Whether only a number can come here."""
        return self._last_word() in NUMBER_AFTER

    def _last_word(self) -> str:
        return self.before + "(" if self.last == "(" else self.last


def fill_markers(text: str, values: Mapping[str, str]) -> str:
    """The text with `{{name}}`, `${name}` and `$name` filled; what a value brings is not read again.

    Comments stay as they are, and so does an unknown `{{name}}` inside quotes.

    :raises MarkerError: a marker in the statements has no value, or its value cannot stand there.
    """
    if "{{" not in text:
        return substitute(text, values)
    parts: list[str] = []
    copied = 0
    for start, end, filled in _filled(text, values):
        parts += [substitute(text[copied:start], values), filled]
        copied = end
    return "".join([*parts, substitute(text[copied:], values)])


def _filled(text: str, values: Mapping[str, str]) -> Iterator[tuple[int, int, str]]:
    """Begin, end and replacement of each marker."""
    place, position = _Place(), 0
    while position < len(text):
        if marker := MARKER.match(text, position):
            yield *marker.span(), _in_statement(text, marker, values, place)
            place.pass_by("marker", "{{")
            position = marker.end()
            continue
        kind, end = token_at(text, position)
        piece = text[position:end]
        if (quote := _quote_of(kind, piece)) is not None:
            for marker in MARKER.finditer(text, position, end):
                if marker[1] in values:
                    yield *marker.span(), ESCAPES[quote](text, marker, values[marker[1]])
        place.pass_by(kind, piece)
        position = end


def _quote_of(kind: str, piece: str) -> str | None:
    """The quote that a literal or a name stands in; None for what is neither."""
    if kind == "raw":
        return f"r{piece[1]}"
    if kind in {"string", "name"} or (kind == "other" and piece[0] in "'\""):
        return piece[0]
    return None


def _in_statement(text: str, marker: re.Match[str], values: Mapping[str, str], place: _Place) -> str:
    """What a marker outside of quotes stands for."""
    if marker[1] not in values:
        raise _missing(text, marker, values)
    value = values[marker[1]]
    before, after = text[: marker.start()][-1:], text[marker.end() :][:1]
    part_of_word = _is_word(before) or _is_word(after) or before == "}" or text.startswith("{{", marker.end())
    if part_of_word and re.fullmatch(r"\w*", value):
        return value
    if (before == "." or after == "." or place.takes_name()) and NAME.fullmatch(value):
        return ".".join(part if part[0] == "`" else quoted(part) for part in re.findall(PART, value))
    if place.takes_number() and NUMBER.fullmatch(value):
        return value
    return f"'{_escaped(value, chr(39))}'"


def _is_word(mark: str) -> bool:
    return mark.isalnum() or mark == "_"


def _escaped(value: str, quote: str) -> str:
    """A value as text of a literal in these quotes."""
    return value.replace("\\", "\\\\").replace(quote, "\\" + quote)


def _verbatim(quote: str) -> Callable[[str, re.Match[str], str], str]:
    """Literals without escapes: the value must not have their end."""

    def filled(text: str, marker: re.Match[str], value: str) -> str:
        if quote in value:
            raise _at(text, marker, f"the value of {marker[0]} has {quote} in it, which ends the literal around it")
        return value

    return filled


ESCAPES: Mapping[str, Callable[[str, re.Match[str], str], str]] = {
    "'": lambda _text, _marker, value: _escaped(value, "'"),
    '"': lambda _text, _marker, value: _escaped(value, '"'),
    "`": lambda _text, _marker, value: value.replace("`", "``"),
    "$": _verbatim("$$"),
    "r'": _verbatim("'"),
    'r"': _verbatim('"'),
}
"""How a value is written inside a literal, by the literal's quote."""


def _missing(text: str, marker: re.Match[str], values: Mapping[str, str]) -> MarkerError:
    """The error of a marker without a value."""
    name = marker[1]
    hint = did_you_mean(name, values)
    if "." in name:
        own = name.rsplit(".", 1)[-1]
        hint = (
            f"references are resolved in the task's parameters: give it {own}: '{{{{{name}}}}}' and write {{{{{own}}}}}"
        )
    elif not hint:
        hint = f"known: {', '.join(sorted(values))}" if values else f"give the task or the job a parameter {name}"
    return _at(text, marker, f"the SQL text has {{{{{name}}}}}, and there is no parameter {name!r}", hint)


def _at(text: str, marker: re.Match[str], message: str, hint: str | None = None) -> MarkerError:
    """An error with the marker's line."""
    error = MarkerError(message, hint=hint)
    error.medallion_line = text.count("\n", 0, marker.start()) + 1
    return error

"""Finding `{{…}}` in text. Runs everywhere; pure, and linear in the length of the text.

Only what has the shape of a reference is found: names joined by dots, each bare, in back-ticks or in brackets. Anything
else in braces is literal text, as on Databricks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Names in back-ticks or brackets hold no braces, so a search that fails never reads past the next pair of braces, and
# the possessive quantifiers keep it from trying a text twice.
NAME = r"(?:[\w-]++|`[^`{}]++`|\[[^\[\]{}]++\])"
REFERENCE = re.compile(rf"\{{\{{\s*+(?P<path>{NAME}(?:\.{NAME}|\[[^\[\]{{}}]++\])*+)\s*+\}}\}}")
PART = re.compile(r"(?P<bare>[\w-]+)|`(?P<ticks>[^`]+)`|\[(?P<bracket>[^\]]+)\]")
QUOTES = ("'", '"', "`")


@dataclass(frozen=True, slots=True)
class Reference:
    """One reference in a text.

    :param segments: its names, without back-ticks, brackets and quotes.
    :param start: index of the first brace; `end` the index after the last one.
    :param text: the reference as written, with its braces.
    """

    segments: tuple[str, ...]
    start: int
    end: int
    text: str

    @property
    def path(self) -> str:
        """The names joined by dots."""
        return ".".join(self.segments)


def find(text: str) -> list[Reference]:
    """Every reference of a text, in order. `{{{job.id}}}` holds one, with a brace on either side."""
    found = []
    position = text.find("{{")
    while position >= 0:
        match = REFERENCE.match(text, position)
        if match:
            found.append(Reference(segments_of(match["path"]), position, match.end(), match[0]))
        position = text.find("{{", match.end() if match else position + 1)
    return found


def segments_of(path: str) -> tuple[str, ...]:
    """The names of a path such as `tasks.load.values.[row count]`."""
    return tuple(bare_name(match) for match in PART.finditer(path))


def bare_name(match: re.Match[str]) -> str:
    """A name without what was put around it."""
    if match["bracket"] is None:
        return match["bare"] or match["ticks"]
    name = match["bracket"].strip()
    quoted = len(name) > 2 and name[0] == name[-1] and name[0] in QUOTES
    return name[1:-1] if quoted else name

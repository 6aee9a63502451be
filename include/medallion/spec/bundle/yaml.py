"""Reads YAML into a tree that knows its places, as Databricks' CLI reads it. Runs wherever bundles are read.

libyaml's events (PyYAML carries it; the CLI's reader is a port of the same parser, so lines, columns and what counts as
a syntax error agree) are put together here, since PyYAML's own composer follows YAML 1.1: it would read `no` as false.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml as pyyaml

from medallion.spec.bundle.scalars import ScalarError, resolve_tag, scalar_value
from medallion.spec.bundle.tree import NIL, Node, Places
from medallion.spec.problems import Problem, Severity
from medallion.spec.source import MAX_BYTES, SourceError, decode, read_bytes

MAX_DEPTH = 100
MAX_NODES = 500_000
"""Values of a document with its aliases written out: more is an attack, or no configuration."""

BAD_CHARACTER = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What YAML allows in no text: control characters and halves of characters."""

STANDARD_TAG = "tag:yaml.org,2002:"
PARSER: Any = getattr(pyyaml, "CBaseLoader", pyyaml.BaseLoader)
"""libyaml where PyYAML was built with it, which it is in every wheel; else PyYAML's own parser, some 20 times slower."""


def read_yaml(file: Path) -> tuple[Node, list[Problem]]:
    """The tree of a file, and warnings about it.

    :raises SourceError: the file is missing, too big, not text or not YAML; says where.
    """
    return parse_yaml(decode(read_bytes(file), file), file)


def parse_yaml(text: str, file: Path | None = None) -> tuple[Node, list[Problem]]:
    """The tree of a text (an empty one gives a nil node), and warnings about it.

    :raises SourceError: it is not YAML, or uses what a bundle may not: a key that is no text, two `<<` in one mapping,
        an unknown tag, an alias to itself, too much nesting or expansion.
    """
    if len(text) > MAX_BYTES:
        raise SourceError(Problem(Severity.ERROR, f"the text is longer than {MAX_BYTES:,} characters", file))
    reader = TreeReader(file)
    try:
        parser = PARSER(text)
        try:
            return reader.document(parser), reader.warnings
        finally:
            parser.dispose()
    except pyyaml.MarkedYAMLError as error:
        marks = [mark for mark in (error.problem_mark, error.context_mark) if mark is not None]
        # The end of the text is no place to look at: what was opened and not closed is.
        mark = next((mark for mark in marks if mark.line <= text.rstrip().count("\n")), None)
        line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
        words = ", ".join(part for part in (error.context, error.problem) if part)
        raise SourceError(Problem(Severity.ERROR, f"not YAML: {words}", file, line, column)) from None
    except pyyaml.reader.ReaderError as error:
        found = BAD_CHARACTER.search(text)
        line = text.count("\n", 0, found.start()) + 1 if found else None
        column = found.start() - text.rfind("\n", 0, found.start()) if found else None
        what = f"the character U+{ord(found.group()):04X} is not allowed" if found else error.reason
        raise SourceError(Problem(Severity.ERROR, f"not YAML: {what}", file, line, column)) from None
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise SourceError(Problem(Severity.ERROR, "the text holds half of a character", file, line)) from None


@dataclass(frozen=True, slots=True)
class Anchored:
    """A value that aliases may name, with the number of values it stands for."""

    node: Node
    size: int


class TreeReader:
    """Puts the events of one document together.

    :param file: the file that places name.
    """

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self.warnings: list[Problem] = []
        self.anchors: dict[str, Anchored | None] = {}
        self.size = 0
        self.depth = 0

    def document(self, parser: Any) -> Node:
        """The first document of a stream. Further documents are not read, as the CLI does."""
        parser.get_event()
        if parser.check_event(pyyaml.StreamEndEvent):
            return NIL
        parser.get_event()
        return self.node(parser, parser.get_event())

    def node(self, parser: Any, event: Any) -> Node:
        """The value that begins with an event."""
        self.size += 1
        if self.size > MAX_NODES:
            raise self.error(f"more than {MAX_NODES:,} values once its aliases are written out", event)
        if isinstance(event, pyyaml.AliasEvent):
            return self.alias(event)
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        before = self.size
        node = self.scalar(event) if isinstance(event, pyyaml.ScalarEvent) else self.collection(parser, event)
        if event.anchor is not None:
            node = replace(node, anchor=True)
            self.anchors[event.anchor] = Anchored(node, self.size - before + 1)
        return node

    def collection(self, parser: Any, event: Any) -> Node:
        """A mapping or a list."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error(f"nested deeper than {MAX_DEPTH} levels", event)
        if isinstance(event, pyyaml.MappingStartEvent):
            node = self.mapping(parser, event)
        else:
            items = []
            while not isinstance(ahead := parser.get_event(), pyyaml.SequenceEndEvent):
                items.append(self.node(parser, ahead))
            node = Node(items, self.places(event))
        self.depth -= 1
        return node

    def mapping(self, parser: Any, event: Any) -> Node:
        """A mapping; what `<<` names comes first, so the mapping's own keys win."""
        values: dict[str, Node] = {}
        keys: dict[str, Places] = {}
        merged: list[Node] | None = None
        while not isinstance(ahead := parser.get_event(), pyyaml.MappingEndEvent):
            if not isinstance(ahead, pyyaml.ScalarEvent):
                raise self.error("a key must be plain text", event)
            tag = tag_of(ahead)
            following = parser.get_event()
            if tag == "merge":
                if merged is not None:
                    raise self.error("'<<' stands twice in one mapping", ahead, "merge a list: '<<: [*first, *second]'")
                merged = self.merge_sources(parser, following)
                continue
            if tag not in {"str", "null"}:
                raise self.error(f"the key {ahead.value} is not text (it reads as {tag})", event, "put it in quotes")
            key = self.key(ahead)
            if key in values:
                self.warn(f"the key {key} stands twice in one mapping; the last one counts", ahead)
            values[key] = self.node(parser, following)
            keys[key] = self.places(ahead)
        for source in reversed(merged or []):
            values = {**source.value, **values}
            keys = {**(source.keys or {}), **keys}
        return Node(values, self.places(event), keys)

    def key(self, event: Any) -> str:
        """The text of a key."""
        try:
            return whole(event.value)
        except ScalarError as error:
            raise self.error(str(error), event) from None

    def merge_sources(self, parser: Any, event: Any) -> list[Node]:
        """The mappings that a `<<` names: an alias, or a list of mappings. A mapping in place is refused."""
        if isinstance(event, pyyaml.AliasEvent):
            sources = [self.node(parser, event)]
        elif isinstance(event, pyyaml.SequenceStartEvent):
            sources = self.node(parser, event).value
        else:
            raise self.error("'<<' needs an alias, or a list of mappings", event)
        if any(type(source.value) is not dict for source in sources):
            raise self.error("'<<' needs an alias, or a list of mappings", event)
        return sources

    def scalar(self, event: Any) -> Node:
        """A scalar by its tag, or by its text when it is plain."""
        try:
            return Node(scalar_value(whole(event.value), tag_of(event)), self.places(event))
        except ScalarError as error:
            raise self.error(str(error), event) from None

    def alias(self, event: Any) -> Node:
        """The anchored value: its places are those of the anchor, as in the CLI."""
        if event.anchor not in self.anchors:
            raise self.error(f"no anchor is named {event.anchor}", event)
        found = self.anchors[event.anchor]
        if found is None:
            raise self.error(f"the anchor {event.anchor} holds itself", event)
        self.size += found.size
        if self.size > MAX_NODES:
            raise self.error(f"more than {MAX_NODES:,} values once its aliases are written out", event)
        return found.node

    def places(self, event: Any) -> Places:
        """Where an event begins, counted from 1."""
        mark = event.start_mark
        return ((self.file, mark.line + 1, mark.column + 1),)

    def error(self, message: str, event: Any, hint: str | None = None) -> SourceError:
        """An error at an event."""
        file, line, column = self.places(event)[0]
        return SourceError(Problem(Severity.ERROR, message, file, line, column, hint=hint))

    def warn(self, message: str, event: Any) -> None:
        """Note a warning at an event."""
        file, line, column = self.places(event)[0]
        self.warnings.append(Problem(Severity.WARNING, message, file, line, column))


def tag_of(event: Any) -> str:
    """The short name of a scalar's tag: the one that was written, else what its text resolves to."""
    tag: str | None = event.tag
    if tag and tag != "!":
        return tag.removeprefix(STANDARD_TAG)
    if event.style:
        return "str"
    return "merge" if event.value == "<<" else resolve_tag(event.value)


def whole(text: str) -> str:
    """A text whose escapes may name a character by its two halves, as JSON does, with the character itself.

    :raises ScalarError: it holds half of a character.
    """
    if text.isascii():
        return text
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise ScalarError("the text holds half of a character") from None

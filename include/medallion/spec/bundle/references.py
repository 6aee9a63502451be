"""`${…}`: what they may look like, and putting values in their place. Runs wherever bundles are read; pure.

A value that is one whole reference keeps the type of what it refers to; one inside a longer text becomes text; there is
no escape (reference §17.3). Names outside the given namespaces, such as `${resources.jobs.x.id}`, are left for later.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from medallion.spec.bundle.report import Report
from medallion.spec.bundle.tree import Node, child, with_value
from medallion.spec.positions import JsonPath

SEGMENT = r"[^\W\d_](?:[\w-]*[^\W_])?"
"""Letters, then letters and digits with - and _ between them."""

REFERENCE = re.compile(rf"\$\{{({SEGMENT}(?:\.{SEGMENT}(?:\[[0-9]+\])*+)*+(?:\[[0-9]+\])*+)\}}")
STEP = re.compile(r"\[([0-9]{1,9})\]|([^.\[\]]+)")
MAX_ROUNDS = 11
MAX_TEXT = 1_000_000
"""Characters that one text may grow to: references inside references can double it at every step."""

MAX_CHAIN = 200
MAX_DEPTH = 100
MAX_VALUES = 20_000
GROWTH = 10
"""A tree that references make deeper, or larger than both numbers allow, is not resolved further: it holds itself."""


def is_whole_reference(text: str) -> bool:
    """Whether a text is one reference and nothing else."""
    return text.startswith("${") and REFERENCE.fullmatch(text) is not None


def has_reference(text: str) -> bool:
    """Whether a text holds a reference."""
    return "${" in text and REFERENCE.search(text) is not None


def reference_names(text: str) -> list[str]:
    """The names between `${` and `}`, in order."""
    return REFERENCE.findall(text) if "${" in text else []


def split_name(name: str) -> JsonPath:
    """A reference's name as steps: `a.b[0]` is a, b, 0."""
    return tuple(int(index) if index else key for index, key in STEP.findall(name))


class UnresolvedError(ValueError):
    """A reference cannot be resolved: why, and what to do."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


Lookup = Callable[[JsonPath, str], Node | None]
"""The value of a path (and the name as written); None leaves the reference alone. Raises UnresolvedError."""


@dataclass(slots=True)
class Round:
    """One pass over a tree: each name is looked up once."""

    lookup: Lookup
    found: dict[str, Node | None] = field(default_factory=dict)
    extents: dict[int, tuple[int, int]] = field(default_factory=dict)
    failures: dict[str, UnresolvedError] = field(default_factory=dict)
    updates: bool = False

    def resolve(self, node: Node, seen: tuple[str, ...]) -> Node:
        """A text with its references replaced."""
        names = reference_names(node.value)
        if len(seen) > MAX_CHAIN:
            raise UnresolvedError(f"references form a chain of more than {MAX_CHAIN}")
        for name in names:
            if name in seen:
                chain = " -> ".join((*seen, name))
                raise UnresolvedError(f"references form a cycle: {chain}")
        values = [self.value(name, (*seen, name)) for name in names]
        if is_whole_reference(node.value) and values[0] is not None:
            return replace(values[0], places=node.places, anchor=node.anchor)
        return self.embed(node, values)

    def embed(self, node: Node, values: Sequence[Node | None]) -> Node:
        """A text with values written into it."""
        remaining = iter(values)

        def text_of(match: re.Match[str]) -> str:
            value = next(remaining)
            return match.group() if value is None else as_text(value, match[1])

        text = REFERENCE.sub(text_of, node.value)
        if len(text) > MAX_TEXT:
            raise UnresolvedError(f"references make a text longer than {MAX_TEXT:,} characters")
        return with_value(node, text)

    def value(self, name: str, seen: tuple[str, ...]) -> Node | None:
        """The value of a name, its own references resolved; looked up once."""
        if name in self.found:
            return self.found[name]
        if name in self.failures:
            raise self.failures[name]
        try:
            node = self.lookup(split_name(name), name)
            if node is not None:
                self.updates = True
                if node.kind == "string" and has_reference(node.value):
                    node = self.resolve(node, seen)
        except UnresolvedError as error:
            self.failures[name] = error
            raise
        self.found[name] = node
        return node

    def extent(self, node: Node) -> tuple[int, int]:
        """How many levels and how many values a tree has; shared parts count each time and are measured once."""
        known = self.extents.get(id(node))
        if known is None:
            inside = [item for _, item in node.items()] or node.elements()
            below = [self.extent(item) for item in inside]
            depth = 1 + max((levels for levels, _ in below), default=0)
            known = self.extents[id(node)] = (depth, 1 + sum(values for _, values in below))
        return known


def as_text(value: Node, name: str) -> str:
    """A value as it is written into a longer text."""
    if value.kind in {"map", "sequence"}:
        message = f"${{{name}}} is a {value.kind}, which cannot be put inside a text"
        raise UnresolvedError(message, "let it be the whole value")
    if value.value is None:
        return "<nil>"
    if isinstance(value.value, bool):
        return "true" if value.value else "false"
    return number_text(value.value) if isinstance(value.value, float) else str(value.value)


def number_text(value: float) -> str:
    """A number as Go prints it: shortest digits, an exponent below 1e-4 and from 1e21 on."""
    if value != value or value in (float("inf"), float("-inf")):
        return {"inf": "+Inf", "-inf": "-Inf"}.get(str(value), "NaN")
    if value == 0:
        return "0"
    if 1e-4 <= abs(value) < 1e21:
        return format(value, "f").rstrip("0").rstrip(".") if "e" in repr(value) else repr(value).removesuffix(".0")
    mantissa, exponent = repr(value).split("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent):+03d}"


def resolve_tree(node: Node, at: JsonPath, lookup: Lookup, report: Report, refit: Callable[[Node], Node]) -> Node:
    """A tree with its references resolved, round after round, since a value can bring references of its own.

    :param at: path of `node`, for messages.
    :param refit: fits the tree to its fields again after each round.
    """
    before = len(report.problems)
    most = MAX_VALUES
    for number in range(MAX_ROUNDS):
        this = Round(lookup)
        fresh = replace_texts(node, at, this, report)
        if not this.updates:
            return refit(fresh) if fresh is not node or number == 0 else node
        most = most if number else max(MAX_VALUES, GROWTH * this.extent(node)[1])
        depth, values = this.extent(fresh)
        if depth > MAX_DEPTH or values > most:
            report.warning(f"references are nested too deeply; after {number} rounds some remain")
            return node
        node = refit(fresh)
    if len(report.problems) == before:
        report.warning(f"references are nested too deeply; after {MAX_ROUNDS} rounds some may remain")
    return node


def replace_texts(node: Node, at: JsonPath, this: Round, report: Report) -> Node:
    """A tree after one round. A text that cannot be resolved stays, and is reported."""
    value = node.value
    if type(value) is str:
        if "${" not in value or not has_reference(value):
            return node
        try:
            return this.resolve(node, (".".join(map(str, at)),))
        except UnresolvedError as error:
            report.error(str(error), node, at, error.hint)
            return node
    if type(value) is dict:
        fresh = {key: replace_texts(item, (*at, key), this, report) for key, item in value.items()}
        return node if all(fresh[key] is value[key] for key in value) else replace(node, value=fresh)
    if type(value) is list:
        items = [replace_texts(item, (*at, index), this, report) for index, item in enumerate(value)]
        return node if all(new is old for new, old in zip(items, value, strict=True)) else replace(node, value=items)
    return node


def missing(name: str, parent: Node, step: str | int, known: Sequence[str] = ()) -> UnresolvedError:
    """The error for a name that leads nowhere, with the nearest names that lead somewhere."""
    words = list(dict.fromkeys([*(key for key, _ in parent.items()), *known])) if isinstance(step, str) else []
    near = [f"${{{replace_step(name, str(step), word)}}}" for word in get_close_matches(str(step), words)]
    hint = None
    if near:
        hint = f"did you mean {near[0]}?" if len(near) == 1 else f"did you mean one of {', '.join(near)}?"
    return UnresolvedError(f"reference does not exist: ${{{name}}}", hint)


def replace_step(name: str, step: str, word: str) -> str:
    """A reference's name with one segment exchanged."""
    return re.sub(rf"(?<![^.]){re.escape(step)}(?![^.\[])", lambda _: word, name, count=1)


def descend(node: Node, steps: JsonPath, name: str) -> Node:
    """The value below a node; raises UnresolvedError when there is none."""
    for step in steps:
        below = child(node, step)
        if below is None:
            raise missing(name, node, step)
        node = below
    return node

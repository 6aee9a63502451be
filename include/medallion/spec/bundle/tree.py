"""A configuration tree whose every value and key knows its places. Runs wherever bundles are read; pure.

Nodes are never changed after they are made: stages return new trees and share what stays the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from medallion.spec.positions import JsonPath, Place

Places = tuple[Place, ...]
ANY = "*"
"""In a pattern: every key of a mapping, or every index of a list."""


class Timestamp(str):
    """A date or time of YAML. It keeps the text that the user wrote."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Node:
    """One value of a document.

    :param value: None, bool, int, float, str, Timestamp, a list of nodes, or a dict of nodes by key.
    :param places: where it stands; a merged value lists the place that won first.
    :param keys: for a mapping, the places of its keys.
    :param anchor: the value carries a YAML anchor, so it may be there for others to use.
    """

    value: Any
    places: Places = ()
    keys: dict[str, Places] | None = None
    anchor: bool = False

    @property
    def kind(self) -> str:
        """The word for the value's type: map, sequence, string, bool, int, float, time or nil."""
        return KINDS[type(self.value)]

    def get(self, key: str) -> Node | None:
        """The value of a key; None when there is none or this is no mapping."""
        return self.value.get(key) if type(self.value) is dict else None

    def at(self, *steps: str | int) -> Node | None:
        """The value at a path below this one, or None."""
        node: Node | None = self
        for step in steps:
            if node is None:
                return None
            node = child(node, step)
        return node

    def text(self, *steps: str | int) -> str:
        """The text at a path; empty when there is none or it is no text."""
        node = self.at(*steps)
        return node.value if node is not None and isinstance(node.value, str) else ""

    def items(self) -> list[tuple[str, Node]]:
        """Keys and values of a mapping; nothing for other kinds."""
        return list(self.value.items()) if type(self.value) is dict else []

    def elements(self) -> list[Node]:
        """The values of a list; nothing for other kinds."""
        return self.value if type(self.value) is list else []


KINDS: dict[type, str] = {
    dict: "map",
    list: "sequence",
    str: "string",
    Timestamp: "time",
    bool: "bool",
    int: "int",
    float: "float",
    type(None): "nil",
}
NIL = Node(None)
EMPTY = Node({}, (), {})


def child(node: Node, step: str | int) -> Node | None:
    """The value one step below."""
    value = node.value
    if type(step) is int:
        return value[step] if type(value) is list and 0 <= step < len(value) else None
    return value.get(step) if type(value) is dict else None


def made(value: object, places: Places = ()) -> Node:
    """A node for plain JSON data that no file holds, with the same places throughout."""
    if isinstance(value, dict):
        return Node({key: made(item, places) for key, item in value.items()}, places, dict.fromkeys(value, places))
    if isinstance(value, (list, tuple)):
        return Node([made(item, places) for item in value], places)
    return Node(value, places)


def plain(node: Node) -> Any:
    """The tree as JSON data."""
    value = node.value
    if type(value) is dict:
        return {key: plain(item) for key, item in value.items()}
    if type(value) is list:
        return [plain(item) for item in value]
    return str(value) if type(value) is Timestamp else value


def put(node: Node, steps: Sequence[str | int], new: Node, key_places: Places = ()) -> Node:
    """The tree with one value set; mappings on the way are made when they are missing."""
    if not steps:
        return new
    step, rest = steps[0], steps[1:]
    if isinstance(step, int):
        items = list(node.elements())
        items[step] = put(items[step], rest, new, key_places)
        return replace(node, value=items)
    values = dict(node.value) if type(node.value) is dict else {}
    keys = dict(node.keys or {})
    values[step] = put(values.get(step, EMPTY), rest, new, key_places)
    keys.setdefault(step, key_places)
    return replace(node, value=values, keys=keys)


def drop(node: Node, key: str) -> Node:
    """The mapping without a key."""
    if node.get(key) is None:
        return node
    values = {name: item for name, item in node.value.items() if name != key}
    return replace(node, value=values)


def rewrite(
    node: Node, pattern: Sequence[str | int], change: Callable[[JsonPath, Node], Node], at: JsonPath = ()
) -> Node:
    """The tree with every value that a pattern names changed. Parts that are missing are passed over."""
    if not pattern:
        return change(at, node)
    step, rest = pattern[0], pattern[1:]
    if step == ANY and type(node.value) is list:
        items = [rewrite(item, rest, change, (*at, index)) for index, item in enumerate(node.value)]
        same = all(new is old for new, old in zip(items, node.value, strict=True))
        return node if same else replace(node, value=items)
    if type(node.value) is not dict:
        return node
    values = node.value
    for key in list(values) if step == ANY else [step]:
        old = values.get(key)
        if old is None:
            continue
        new = rewrite(old, rest, change, (*at, key))
        if new is not old:
            values = {**values, key: new}
    return node if values is node.value else replace(node, value=values)


def matches(node: Node, pattern: Sequence[str | int], at: JsonPath = ()) -> Iterator[tuple[JsonPath, Node]]:
    """Every value that a pattern names, with its path."""
    if not pattern:
        yield at, node
        return
    step, rest = pattern[0], pattern[1:]
    if step == ANY and type(node.value) is list:
        for index, item in enumerate(node.value):
            yield from matches(item, rest, (*at, index))
    elif type(node.value) is dict:
        for key in list(node.value) if step == ANY else [step]:
            if key in node.value:
                yield from matches(node.value[key], rest, (*at, key))


def walk(node: Node, at: JsonPath = ()) -> Iterator[tuple[JsonPath, Node]]:
    """Every value of a tree with its path, parents first."""
    yield at, node
    if type(node.value) is dict:
        for key, item in node.value.items():
            yield from walk(item, (*at, key))
    elif type(node.value) is list:
        for index, item in enumerate(node.value):
            yield from walk(item, (*at, index))


def with_value(node: Node, value: object) -> Node:
    """A scalar in the place of another."""
    return Node(value, node.places)


@dataclass(frozen=True, slots=True)
class TreePositions:
    """Places of a tree, by path (the protocol of spec/positions.py)."""

    root: Node

    def find(self, path: JsonPath, *, key: bool = False) -> Place | None:
        """The place of a value, or of the key that names it."""
        if key and path and isinstance(path[-1], str):
            parent = self.root.at(*path[:-1])
            places = (parent.keys or {}).get(path[-1], ()) if parent is not None else ()
        else:
            node = self.root.at(*path)
            places = node.places if node is not None else ()
        return places[0] if places else None

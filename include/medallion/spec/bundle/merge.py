"""Merging of configuration trees. Runs wherever bundles are read; pure.

Maps merge recursively and the later one wins; lists are joined; nothing merges with anything; kinds must agree
(reference §17.1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from medallion.spec.bundle.tree import Node


class MergeError(ValueError):
    """Two values of different kinds meet. `node` is the later one."""

    def __init__(self, earlier: Node, later: Node) -> None:
        super().__init__(f"cannot merge a {earlier.kind} with a {later.kind}")
        self.node = later


Conflict = Callable[["MergeError"], None]


def refuse(error: MergeError) -> None:
    """Ends the merge."""
    raise error


def merge(earlier: Node, later: Node, conflict: Conflict = refuse) -> Node:
    """Both trees as one. The place that counts is the one whose value won.

    :param conflict: told of values of different kinds; unless it raises, the later one wins and the rest is merged.
    :raises MergeError: kinds differ somewhere, by default.
    """
    if earlier.value is None:
        return replace(later, places=later.places + earlier.places)
    if later.value is None:
        return replace(earlier, places=earlier.places + later.places)
    if earlier.kind != later.kind:
        conflict(MergeError(earlier, later))
    elif type(earlier.value) is dict:
        return merge_maps(earlier, later, conflict)
    elif type(earlier.value) is list:
        return replace(earlier, value=[*earlier.value, *later.value], places=earlier.places + later.places)
    return replace(later, places=later.places + earlier.places)


def merge_maps(earlier: Node, later: Node, conflict: Conflict) -> Node:
    """Both mappings, key by key; a key's place is the later one's."""
    values = dict(earlier.value)
    for key, item in later.value.items():
        values[key] = merge(values[key], item, conflict) if key in values else item
    keys = {**(earlier.keys or {}), **(later.keys or {})}
    return Node(values, earlier.places + later.places, keys)


def merge_keyed(items: Node, name: str, key_of: Callable[[Node | None], str], *, ordered: bool = False) -> Node:
    """A list whose elements with one key are merged; `ordered` sorts by key (tasks are, reference §17.1).

    :raises MergeError: kinds differ somewhere.
    """
    if type(items.value) is not list:
        return items
    found: dict[str, Node] = {}
    for item in items.value:
        key = key_of(item.get(name))
        found[key] = merge(found[key], item) if key in found else item
    names = sorted(found) if ordered else list(found)
    return replace(items, value=[with_key(found[key], name, key) for key in names])


def with_key(item: Node, name: str, key: str) -> Node:
    """The element with its key written out, which an element without one lacked."""
    if type(item.value) is not dict:
        return item
    old = item.get(name)
    if old is not None and old.value == key:
        return item
    places = old.places if old is not None else ()
    return replace(item, value={**item.value, name: Node(key, places)})

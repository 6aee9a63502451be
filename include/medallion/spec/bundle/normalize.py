"""Fits a tree to the fields of a bundle: types are mended, unknown fields dropped with a warning. Runs at parse; pure.

The rules are those of Databricks' CLI (reference §17.1, field coercion): text takes numbers and booleans, booleans take
`yes` and `on`, numbers take numeric text, a value that is one whole `${…}` fits anywhere, and what does not fit is
dropped with a warning.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from medallion.spec.bundle.references import is_whole_reference
from medallion.spec.bundle.report import Report
from medallion.spec.bundle.scalars import LARGEST, SMALLEST
from medallion.spec.bundle.schema import Anything, ListOf, MapOf, Scalar, Schema, Struct
from medallion.spec.bundle.tree import EMPTY, Node, with_value
from medallion.spec.positions import JsonPath
from medallion.spec.problems import did_you_mean

YES = frozenset({"true", "y", "Y", "yes", "Yes", "YES", "on", "On", "ON"})
NO = frozenset({"false", "n", "N", "no", "No", "NO", "off", "Off", "OFF"})
Unfit = str
"""Why a value does not fit its field."""


def normalize(schema: Schema, node: Node, report: Report, at: JsonPath = ()) -> Node | None:
    """The tree with every value of the type of its field; None when the value itself does not fit."""
    if isinstance(schema, Anything):
        return node
    if isinstance(schema, Scalar):
        return scalar(schema, node, report, at)
    expected = "sequence" if isinstance(schema, ListOf) else "map"
    if node.kind == expected:
        return CONTAINERS[type(schema)](schema, node, report, at)
    if node.value is None or (node.kind == "string" and is_whole_reference(node.value)):
        return node
    report.warning(f"expected {expected}, found {node.kind}; the value is dropped", node, at)
    return None


def normalize_struct(schema: Struct, node: Node, report: Report, at: JsonPath) -> Node:
    """An object with the fields that it may have."""
    values: dict[str, Node] = {}
    for key, item in node.value.items():
        field = schema.fields.get(key)
        if field is None:
            if not is_anchors(item):
                places = (node.keys or {}).get(key) or item.places
                report.warning(f"unknown field: {key}", places, (*at, key), did_you_mean(key, schema.fields))
            continue
        if item.value is None and isinstance(field, (Struct, MapOf, ListOf)):
            continue  # as if it were not there: a null is no value for a list or an object
        fitted = normalize(field, item, report, (*at, key))
        if fitted is not None:
            values[key] = fitted
    return unchanged(node, values) or replace(node, value=values)


def normalize_map(schema: MapOf, node: Node, report: Report, at: JsonPath) -> Node:
    """An object with keys of the user's own."""
    values = {}
    for key, item in node.value.items():
        fitted = normalize(schema.item, item, report, (*at, key))
        if fitted is not None:
            values[key] = fitted
    return unchanged(node, values) or replace(node, value=values)


def normalize_list(schema: ListOf, node: Node, report: Report, at: JsonPath) -> Node:
    """A list; a path counts the elements that stay, as the CLI's does. A null among objects is an empty one."""
    items: list[Node] = []
    for item in node.value:
        fitted = normalize(schema.item, item, report, (*at, len(items)))
        if fitted is not None:
            is_empty = fitted.value is None and isinstance(schema.item, Struct)
            items.append(replace(EMPTY, places=fitted.places) if is_empty else fitted)
    same = len(items) == len(node.value) and all(new is old for new, old in zip(items, node.value, strict=True))
    return node if same else replace(node, value=items)


def unchanged(node: Node, values: dict[str, Node]) -> Node | None:
    """The node itself when its values are the same ones."""
    old = node.value
    return node if len(old) == len(values) and all(old[key] is item for key, item in values.items()) else None


CONTAINERS: dict[type, Callable[..., Node]] = {
    Struct: normalize_struct,
    MapOf: normalize_map,
    ListOf: normalize_list,
}


def is_anchors(node: Node) -> bool:
    """Whether a value is an anchor or holds nothing else: a place to keep blocks for others to use, not a mistake."""
    if node.anchor:
        return True
    inside = [item for _, item in node.items()] or node.elements()
    return bool(inside) and all(is_anchors(item) for item in inside)


def scalar(schema: Scalar, node: Node, report: Report, at: JsonPath) -> Node | None:
    """A value of a scalar field."""
    if node.value is None:
        report.warning(f"expected a {schema.kind} value, found null; the field is dropped", node, at)
        return None
    if schema.kind != "string" and node.kind == "string" and is_whole_reference(node.value):
        return node
    value, unfit = FITTERS[schema.kind](node)
    if unfit:
        report.warning(f"{unfit}; the value is dropped", node, at)
        return None
    return node if type(value) is type(node.value) and value == node.value else with_value(node, value)


def mismatch(expected: str, node: Node) -> Unfit:
    """The words for a value of the wrong type."""
    return f"expected {expected}, found {node.kind}"


def fit_string(node: Node) -> tuple[object, Unfit]:
    """Text, or the text of a number, boolean or date."""
    value = node.value
    if isinstance(value, bool):
        return ("true" if value else "false"), ""
    if isinstance(value, float):
        return decimal_text(value), ""
    if isinstance(value, (str, int)):
        return str(value), ""
    return None, mismatch("string", node)


def fit_bool(node: Node) -> tuple[object, Unfit]:
    """A boolean, or one of the words for it."""
    value = node.value
    if isinstance(value, bool):
        return value, ""
    if node.kind == "string" and value in YES | NO:
        return value in YES, ""
    return None, mismatch("bool", node)


def fit_int(node: Node) -> tuple[object, Unfit]:
    """A whole number, or the text of one."""
    value = node.value
    if node.kind == "int":
        return value, ""
    if node.kind == "float":
        whole = int(value) if abs(value) < LARGEST else None
        unfit = "" if whole == value else f"{value} is no whole number"
        return whole, unfit
    if node.kind == "string":
        number = int(value) if re.fullmatch("[-+]?[0-9]{1,30}", value) else None
        fits = number is not None and SMALLEST <= number <= LARGEST
        return number, "" if fits else f'cannot read "{value}" as an integer'
    return None, mismatch("int", node)


def fit_float(node: Node) -> tuple[object, Unfit]:
    """A number, or the text of one."""
    value = node.value
    if node.kind == "float":
        return value, ""
    if node.kind == "int":
        return float(value), "" if int(float(value)) == value else f"{value} is too large for a decimal number"
    if node.kind == "string":
        try:
            return float(value), ""
        except ValueError:
            return None, f'cannot read "{value}" as a number'
    return None, mismatch("float", node)


FITTERS: dict[str, Callable[[Node], tuple[object, Unfit]]] = {
    "string": fit_string,
    "bool": fit_bool,
    "int": fit_int,
    "float": fit_float,
}


def decimal_text(value: float) -> str:
    """The shortest digits that mean the number, without an exponent: 1e3 is 1000."""
    if value != value or value in (float("inf"), float("-inf")):
        return {"inf": "+Inf", "-inf": "-Inf"}.get(str(value), "NaN")
    text = format(Decimal(repr(value)), "f")
    return text.removesuffix(".0")


def drop_empty_texts(schema: Schema, node: Node) -> Node:
    """The tree without empty texts in optional fields, which the API would refuse (reference §17.6, step 10)."""
    if isinstance(schema, Struct) and type(node.value) is dict:
        values = {
            key: drop_empty_texts(schema.fields[key], item)
            for key, item in node.value.items()
            if key in schema.fields and not (item.value == "" and key not in schema.required)
        }
        return unchanged(node, values) or replace(node, value=values)
    if isinstance(schema, MapOf) and type(node.value) is dict:
        values = {key: drop_empty_texts(schema.item, item) for key, item in node.value.items()}
        return unchanged(node, values) or replace(node, value=values)
    if isinstance(schema, ListOf) and type(node.value) is list:
        return replace(node, value=[drop_empty_texts(schema.item, item) for item in node.value])
    return node


def zero(schema: Schema) -> Node | None:
    """What a field that is not set reads as when it is referred to; None when it cannot be."""
    if isinstance(schema, Scalar):
        return Node({"string": "", "int": 0, "float": 0.0, "bool": False}[schema.kind])
    if isinstance(schema, ListOf):
        return Node([])
    return None if isinstance(schema, Anything) else Node({}, (), {})

"""What fields a bundle may have and of what type, in a form that stages can walk. Runs wherever bundles are read; pure.

Jobs and clusters take their fields from the pydantic models of the Jobs API; the rest is written in `fields.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class Scalar:
    """A field of text, a number or a boolean.

    :param kind: string, int, float or bool.
    :param words: the allowed texts of an enum; empty for any.
    """

    kind: str
    words: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class Struct:
    """An object with named fields. `required` names those that must be set."""

    fields: dict[str, Schema] = field(default_factory=dict)
    required: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MapOf:
    """An object with keys of the user's own."""

    item: Schema


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list."""

    item: Schema


@dataclass(frozen=True, slots=True)
class Anything:
    """A value that is not looked into."""


Schema = Scalar | Struct | MapOf | ListOf | Anything

TEXT = Scalar("string")
INT = Scalar("int")
FLOAT = Scalar("float")
BOOL = Scalar("bool")
ANYTHING = Anything()
SCALARS: dict[Any, Schema] = {str: TEXT, bool: BOOL, int: INT, float: FLOAT, Any: ANYTHING, object: ANYTHING}


def struct(required: tuple[str, ...] = (), /, **fields: Schema) -> Struct:
    """An object with these fields."""
    return Struct(dict(fields), required)


def words(*allowed: str) -> Scalar:
    """Text out of a list."""
    return Scalar("string", allowed)


def from_model(model: type[BaseModel], known: dict[type[BaseModel], Struct] | None = None) -> Struct:
    """The fields of a pydantic model. A model that holds itself gives a schema that holds itself."""
    known = {} if known is None else known
    if model in known:
        return known[model]
    required = tuple(info.alias or name for name, info in model.model_fields.items() if info.is_required())
    known[model] = made = Struct({}, required)
    for name, info in model.model_fields.items():
        made.fields[info.alias or name] = from_type(info.annotation, known)
    return made


def from_type(annotation: Any, known: dict[type[BaseModel], Struct]) -> Schema:
    """The schema of a type annotation; a type that says nothing here is anything."""
    origin = get_origin(annotation)
    arguments = get_args(annotation)
    if origin is Annotated:
        return from_type(arguments[0], known)
    if origin in (Union, UnionType):
        return from_union([option for option in arguments if option is not NoneType], known)
    if origin is Literal:
        return Scalar("string", tuple(str(word) for word in arguments))
    if origin is dict:
        return MapOf(from_type(arguments[1], known))
    if origin in (list, tuple, set, frozenset):
        return ListOf(from_type(arguments[0], known))
    return from_class(annotation, known)


def from_union(options: list[Any], known: dict[type[BaseModel], Struct]) -> Schema:
    """The schema of a choice of types: the only one, else anything. A number that may be text is a number."""
    if {get_args(option)[0] if get_origin(option) is Annotated else option for option in options} == {int, str}:
        return INT
    return from_type(options[0], known) if len(options) == 1 else ANYTHING


def from_class(annotation: Any, known: dict[type[BaseModel], Struct]) -> Schema:
    """The schema of a plain class."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return from_model(annotation, known)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return Scalar("string", tuple(str(member.value) for member in annotation))
    return SCALARS.get(annotation, ANYTHING)

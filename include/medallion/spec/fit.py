"""Builds the model of a job, mends values that are written in another form, reports those that do not fit. Pure.

The Jobs API takes "60" for a number and 5 for a text. So do we where nothing is lost; what changes the form of a text
is a warning. In a bundle, Databricks' tool drops a value of a wrong type with a warning, and a required field that is
not set is a warning too: the same here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

from pydantic import ValidationError

from medallion.spec.findings import Findings, shown
from medallion.spec.job import Job
from medallion.spec.model import Model
from medallion.spec.positions import JsonPath
from medallion.spec.shape import path_name, shape_of

MOST_PASSES = 6
"""Dropping a value can make its holder incomplete, and so on outwards; no job nests required fields deeper."""

WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "enum": "text",
    "float_type": "a number",
    "float_parsing": "a number",
}
ZERO: dict[Any, object] = {int: 0, bool: False, float: 0.0}
UNSET = object()


def build(raw: dict[str, Any], findings: Findings) -> Job | None:
    """The job, or None when it has an error of type; all of them are in `findings` then."""
    data = raw
    for _ in range(MOST_PASSES):
        try:
            return Job.from_json(data)
        except ValidationError as error:
            if data is raw:
                data = deepcopy(raw)
            details = error.errors(include_url=False, include_context=False)
            faults = {place_in(data, detail["loc"]): detail for detail in details}
            # Later parts first, so that dropping an element of a list leaves the places of those before it.
            mended = [mend(data, path, faults[path], findings) for path in reversed(faults)]
            if not all(mended):
                return None
    return None


def mend(data: dict[str, Any], path: JsonPath, detail: Any, findings: Findings) -> bool:
    """Puts right what one error of pydantic names; false when the job cannot be built with it."""
    if detail["type"] == "missing":
        return mend_missing(data, path, findings)
    value = detail["input"]
    better = other_form(detail["type"], value)
    if better is not UNSET:
        if detail["type"] == "string_type":
            findings.warning(path, f"{path_name(path)} is {shown(value)}; it is read as the text {shown(better)}")
        return put(data, path, better)
    wanted = WANTED.get(detail["type"])
    message = (
        f"{path_name(path)} wants {wanted}, not {shown(value)}" if wanted else f"{path_name(path)}: {detail['msg']}"
    )
    if findings.lenient and not is_reference(value):
        findings.warning(path, f"{message}; it is dropped")
        return drop(data, path)
    findings.error(path, message, hint_for(detail["type"], value))
    return False


def place_in(data: Any, loc: Sequence[Any]) -> JsonPath:
    """The path that an error of pydantic means: without the names of types that it adds for a choice of types."""
    for depth, step in enumerate(loc):
        if isinstance(data, dict) and step not in data:
            return tuple(loc[: depth + 1])
        if not isinstance(data, (dict, list, tuple)) or (not isinstance(data, dict) and not isinstance(step, int)):
            return tuple(loc[:depth])
        data = data[step]
    return tuple(loc)


def mend_missing(data: dict[str, Any], path: JsonPath, findings: Findings) -> bool:
    """A required field that is not set: an error; in a bundle a warning, and the field is empty."""
    name = path[-1]
    message = f"{name} is required and not set"
    if not findings.lenient or name == "task_key":
        findings.error(path[:-1], message)
        return False
    findings.warning(path[:-1], message)
    return put(data, path, empty_value(path))


def empty_value(path: JsonPath) -> object:
    """The empty value of the field at a path."""
    *outer, name = [step for step in path if isinstance(step, str)]
    model: type[Model] = Job
    for step in outer:
        model = shape_of(model)[step].model or model
    field = shape_of(model)[name]
    if field.many:
        return []
    return {} if field.model else ZERO.get(model.model_fields[name].annotation, "")


def other_form(kind: str, value: object) -> object:
    """The value in the form that a field of this kind has, or UNSET when it would lose something."""
    form = FORMS.get(kind)
    return form(value) if form else UNSET


def as_text(value: object) -> object:
    """A number or a boolean as JSON writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (int, float)) else UNSET


def as_int(value: object) -> object:
    """A whole number that is written as text or with a decimal point."""
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,19}", value):
        return int(value)
    return int(value) if isinstance(value, float) and value.is_integer() else UNSET


def as_bool(value: object) -> object:
    """A boolean that is written as text."""
    return {"true": True, "false": False}.get(value, UNSET) if isinstance(value, str) else UNSET


FORMS: dict[str, Callable[[object], object]] = {"string_type": as_text, "int_type": as_int, "bool_type": as_bool}


def is_reference(value: object) -> bool:
    """Whether a value is a reference that was left for later: it cannot stand in a field of another type."""
    return isinstance(value, str) and value.startswith("${")


def hint_for(kind: str, value: object) -> str | None:
    """What to write instead."""
    if kind == "string_type" and isinstance(value, (list, dict)):
        return "write it as JSON text in quotes" if isinstance(value, list) else None
    if kind == "tuple_type" and isinstance(value, (str, dict)):
        return "put it in square brackets"
    return None


def holder(data: Any, path: Sequence[str | int]) -> Any:
    """The object or list that holds the last step of a path."""
    for step in path[:-1]:
        data = data[step]
    return data


def put(data: dict[str, Any], path: JsonPath, value: object) -> bool:
    """Sets the value at a path."""
    holder(data, path)[path[-1]] = value
    return True


def drop(data: dict[str, Any], path: JsonPath) -> bool:
    """Removes the value at a path; false when the path is the whole job or names a key instead of a value."""
    try:
        del holder(data, path)[path[-1]]
    except (KeyError, IndexError, TypeError):
        return False
    return True

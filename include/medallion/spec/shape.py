"""Walks a job's JSON beside its models: each object with the model that describes it. Runs in checks; pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import NoneType
from typing import Any, get_args

from medallion.spec.findings import Findings, shown
from medallion.spec.job import TASK_KINDS, Job, Task
from medallion.spec.model import Choice, Model
from medallion.spec.positions import JsonPath
from medallion.spec.problems import did_you_mean, nearest


@dataclass(frozen=True, slots=True)
class FieldShape:
    """What a field holds: objects of `model`, words of `choice`, else plain values; `many` for a list of them."""

    model: type[Model] | None
    choice: type[Choice] | None
    many: bool


@cache
def shape_of(model: type[Model]) -> dict[str, FieldShape]:
    """The fields of a model."""
    return {name: field_shape(info.annotation) for name, info in model.model_fields.items()}


def field_shape(annotation: Any) -> FieldShape:
    """What a field with this annotation holds."""
    arguments = [part for part in get_args(annotation) if part not in (NoneType, Ellipsis)]
    plain = arguments[0] if NoneType in get_args(annotation) else annotation
    many = getattr(plain, "__origin__", None) is tuple
    inner = get_args(plain)[0] if many else plain
    is_class = isinstance(inner, type)
    return FieldShape(
        inner if is_class and issubclass(inner, Model) else None,
        inner if is_class and issubclass(inner, Choice) else None,
        many,
    )


Described = tuple[type[Model], dict[str, Any], JsonPath]
"""A model, the JSON object that it describes, and where that stands."""


def objects(model: type[Model], value: object, path: JsonPath = ()) -> Iterator[Described]:
    """Every object below `value` that a model describes, from the outside in. Parts of a wrong type are passed over."""
    waiting: list[tuple[type[Model], object, JsonPath]] = [(model, value, path)]
    while waiting:
        model, value, path = waiting.pop()
        if not isinstance(value, dict):
            continue
        yield model, value, path
        shape = shape_of(model)
        for name, item in value.items():
            field = shape.get(name)
            if field is None or field.model is None:
                continue
            if not field.many:
                waiting.append((field.model, item, (*path, name)))
            elif isinstance(item, (list, tuple)):
                inner = field.model
                waiting.extend((inner, element, (*path, name, index)) for index, element in enumerate(item))


def check_names(described: Described, findings: Findings) -> None:
    """Keys that the API does not have, and words that its enums do not have."""
    model, value, path = described
    shape = shape_of(model)
    for name, item in value.items():
        field = shape.get(name)
        if field is None:
            if not findings.full:
                hint = hint_for_key(model, name)
                findings.warning((*path, name), f"unknown key {shown(name)}", hint, key=True)
        elif field.choice is not None:
            words = item if field.many and isinstance(item, (list, tuple)) else [item]
            for index, word in enumerate(words):
                at = (*path, name, index) if field.many else (*path, name)
                check_word(field.choice, word, at, findings)


def hint_for_key(model: type[Model], name: str) -> str | None:
    """A field of the same object that may be meant, or the object where such a field belongs."""
    own = shape_of(model)
    if near := nearest(name, own, likeness=0.8):
        return f"did you mean {near}?"
    if name in homes():
        return f"it belongs to {homes()[name]}"
    if near := nearest(name, homes(), likeness=0.85):
        return f"did you mean {near}? It belongs to {homes()[near]}"
    return did_you_mean(name, own)


@cache
def homes() -> dict[str, str]:
    """The fields of jobs, tasks and task types, and what each belongs to."""
    found = dict.fromkeys(Task.model_fields, "a task")
    found |= {name: "the job" for name in Job.model_fields if name not in found}
    for kind in TASK_KINDS:
        payload = shape_of(Task)[kind].model
        found |= {name: kind for name in (shape_of(payload) if payload else ()) if name not in found}
    return found


def check_word(choice: type[Choice], word: object, path: JsonPath, findings: Findings) -> None:
    """One word of an enum. A value that is no text is left to the check of types."""
    if not isinstance(word, str) or choice(word).is_known or findings.full:
        return
    known = [member.value for member in choice]
    hint = did_you_mean(word, known) or f"one of {', '.join(known)}"
    findings.refused(path, f"{shown(word)} is not a value of {path_name(path)}", hint)


def path_name(path: JsonPath) -> str:
    """The name of the field that a path ends in."""
    return next((step for step in reversed(path) if isinstance(step, str)), "the document")

"""Hypothesis strategies for jobs: valid JSON of every field of the models, with nulls and unknown keys."""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis import strategies as st

from medallion.spec.job import TASK_KINDS, Job, Task
from medallion.spec.model import Model
from medallion.spec.shape import shape_of

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
KEYS = st.from_regex(r"[a-z][a-z0-9_]{0,11}", fullmatch=True)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)
SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXTS,
    int: st.integers(-(2**40), 2**63 - 1),
    bool: st.booleans(),
    float: st.floats(allow_nan=False, allow_infinity=False),
}


@cache
def field_values(model: type[Model], name: str) -> st.SearchStrategy[Any]:
    """Values that a field takes."""
    info, shape = model.model_fields[name], shape_of(model)[name]
    if shape.model:
        one: st.SearchStrategy[Any] = objects(shape.model)
    elif shape.choice:
        one = st.sampled_from([member.value for member in shape.choice])
    else:
        text = str(info.annotation)
        if "dict" in text:
            return st.dictionaries(TEXTS, TEXTS, max_size=3)
        plain = next((kind for kind in SCALARS if kind.__name__ in text and kind is not str), str)
        one = SCALARS[plain]
    return st.lists(one, max_size=2) if shape.many else one


@cache
def objects(model: type[Model]) -> st.SearchStrategy[dict[str, Any]]:
    """JSON objects that a model takes: required fields, some of the others, now and then a null or an unknown key."""
    return st.deferred(lambda: _objects(model))


@st.composite
def _objects(draw: st.DrawFn, model: type[Model]) -> dict[str, Any]:
    required = [name for name, info in model.model_fields.items() if info.is_required()]
    optional = [name for name in model.model_fields if name not in required and not name.endswith("_task")]
    most = 6 if model in (Job, Task) else 3
    chosen = draw(st.lists(st.sampled_from(optional), max_size=most, unique=True)) if optional else []
    if model is Task:
        chosen.append(draw(st.sampled_from(TASK_KINDS)))
    if model is Job:
        chosen.append("tasks")
    found = {name: draw(field_values(model, name)) for name in [*required, *chosen]}
    if optional and draw(st.integers(0, 9)) == 0:
        found.setdefault(draw(st.sampled_from(optional)), None)
    if draw(st.integers(0, 9)) == 0:
        found.setdefault(draw(KEYS.filter(lambda key: key not in model.model_fields)), draw(ANY_JSON))
    return found


jobs = objects(Job)
"""Settings that the models take; not all pass the checks."""

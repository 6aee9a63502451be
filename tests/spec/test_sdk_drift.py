"""Our models beside databricks-sdk's dataclasses: a field, enum word or type that one of them lacks fails here.

The SDK is a development dependency only. Where it is not installed these tests fail and say so; they do not skip.
"""

from __future__ import annotations

import dataclasses
import enum
import typing
from functools import cache
from typing import Any

import pytest

from medallion.spec.job import Job
from medallion.spec.model import Choice, Model
from medallion.spec.shape import shape_of

OURS_ONLY = {
    "Job.access_control_list": "in create requests, not in settings",
    "Job.lifecycle": "in bundles only",
    "Job.permissions": "in bundles only",
    "JobCluster.serverless_compute": "newer than the oldest SDK that is supported",
    "Task.ai_function_task": "newer than the oldest SDK that is supported",
    "Trigger.job_completion": "newer than the oldest SDK that is supported",
    "TriggerEntry.job_completion": "newer than the oldest SDK that is supported",
}
"""Fields of our models that an installed SDK may lack, with the reason."""

OUR_WORDS_ONLY = {
    "PerformanceTarget.COST_OPTIMIZED": "documented, not in the SDK",
    "PriorityClass.CRITICAL": "in SDK 0.156, gone in 0.162",
}


@pytest.fixture(scope="module")
def settings_class() -> type[Any]:
    """The SDK's JobSettings."""
    try:
        from databricks.sdk.service import jobs
    except ModuleNotFoundError as error:
        pytest.fail(f"install the development dependencies; databricks-sdk cannot be imported: {error}")
    return jobs.JobSettings


@pytest.fixture(scope="module")
def pairs(settings_class: type[Any]) -> list[tuple[type[Any], type[Model]]]:
    """Each dataclass of the SDK with the model that stands for it, found by walking both from the job."""
    found: dict[tuple[type[Any], type[Model]], None] = {}
    waiting: list[tuple[type[Any], type[Model]]] = [(settings_class, Job)]
    while waiting:
        pair = waiting.pop()
        if pair in found:
            continue
        found[pair] = None
        sdk, model = pair
        for name, inner in sdk_types(sdk).items():
            shape = shape_of(model).get(name)
            if dataclasses.is_dataclass(inner) and shape and shape.model:
                waiting.append((inner, shape.model))
    return list(found)


@cache
def sdk_types(sdk: type[Any]) -> dict[str, Any]:
    """The innermost type of each field of a dataclass: what a list holds, what an option may be."""
    hints = typing.get_type_hints(sdk)
    return {field.name: innermost(hints[field.name]) for field in dataclasses.fields(sdk)}


def innermost(hint: Any) -> Any:
    arguments = [part for part in typing.get_args(hint) if part is not type(None)]
    if typing.get_origin(hint) is dict:
        return dict
    return innermost(arguments[0]) if arguments else hint


def is_list(hint: Any) -> bool:
    return typing.get_origin(hint) is list or any(is_list(part) for part in typing.get_args(hint))


def test_no_field_of_the_sdk_is_missing(pairs: list[tuple[type[Any], type[Model]]]) -> None:
    missing = [
        f"{model.__name__}.{name} ({sdk.__name__})"
        for sdk, model in pairs
        for name in sdk_types(sdk)
        if name not in model.model_fields
    ]
    assert missing == []


def test_every_field_of_ours_is_in_the_sdk_or_explained(pairs: list[tuple[type[Any], type[Model]]]) -> None:
    known: dict[type[Model], set[str]] = {}
    for sdk, model in pairs:
        known.setdefault(model, set()).update(sdk_types(sdk))
    extra = {f"{model.__name__}.{name}" for model, names in known.items() for name in set(model.model_fields) - names}
    assert extra - set(OURS_ONLY) == set()


def test_types_and_lists_agree(pairs: list[tuple[type[Any], type[Model]]]) -> None:
    wrong = []
    for sdk, model in pairs:
        hints = typing.get_type_hints(sdk)
        for name, inner in sdk_types(sdk).items():
            shape = shape_of(model)[name]
            annotation = str(model.model_fields[name].annotation)
            agrees = (
                (shape.model is not None) == dataclasses.is_dataclass(inner)
                and (shape.choice is not None) == (isinstance(inner, type) and issubclass(inner, enum.Enum))
                and shape.many == is_list(hints[name])
                and (inner not in (str, int, bool, float, dict) or inner.__name__ in annotation)
            )
            if not agrees:
                wrong.append(f"{model.__name__}.{name}: {annotation}, in the SDK {hints[name]}")
    assert wrong == []


def test_the_same_fields_are_required(pairs: list[tuple[type[Any], type[Model]]]) -> None:
    wrong = []
    for sdk, model in pairs:
        for field in dataclasses.fields(sdk):
            required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
            if required != model.model_fields[field.name].is_required():
                wrong.append(f"{model.__name__}.{field.name}")
    assert wrong == []


def test_enums_have_the_same_words(pairs: list[tuple[type[Any], type[Model]]]) -> None:
    theirs: dict[type[Choice], set[str]] = {}
    for sdk, model in pairs:
        for name, inner in sdk_types(sdk).items():
            choice = shape_of(model)[name].choice
            if choice is not None:
                theirs.setdefault(choice, set()).update(str(member.value) for member in inner)
    assert theirs
    missing = {f"{choice.__name__}.{word}" for choice, words in theirs.items() for word in words - set(choice)}
    extra = {f"{choice.__name__}.{word}" for choice, words in theirs.items() for word in set(choice) - words}
    assert missing == set()
    assert extra - set(OUR_WORDS_ONLY) == set()


def test_every_field_and_word_of_the_sdk_has_a_row_in_the_parity_table(
    pairs: list[tuple[type[Any], type[Model]]],
) -> None:
    from parity_script import parity

    rows = {(row.owner, row.name) for row in parity.rows()}
    wanted: set[tuple[type[Any], str]] = set()
    for sdk, model in pairs:
        for name, inner in sdk_types(sdk).items():
            wanted.add((model, name))
            choice = shape_of(model)[name].choice
            if choice is not None:
                wanted |= {(choice, str(member.value)) for member in inner}
    assert {f"{owner.__name__}.{name}" for owner, name in wanted - rows} == set()


def test_the_sdk_reads_back_what_we_write(settings_class: type[Any]) -> None:
    job = {
        "name": "j",
        "max_concurrent_runs": 1,
        "tasks": [{"task_key": "a", "run_if": "ALL_DONE", "notebook_task": {"notebook_path": "/n", "source": "GIT"}}],
        "git_source": {"git_url": "u", "git_provider": "gitHub", "git_branch": "b"},
        "trigger": {"periodic": {"interval": 1, "unit": "DAYS"}, "pause_status": "PAUSED"},
    }
    assert settings_class.from_dict(Job.from_json(job).to_json()).as_dict() == job

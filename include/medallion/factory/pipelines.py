"""The pipeline that a pipeline task names, among a bundle's resources. Runs in the task process and in the CLI; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from medallion.errors import UnsupportedError
from medallion.spec.problems import did_you_mean

RESOURCE_ID = re.compile(r"\$\{resources\.pipelines\.([^.}]+)\.id\}")


def pipeline_named(pipeline_id: str, resources: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Key and settings of the pipeline, which a task names by `${resources.pipelines.<key>.id}`, its key or its name.

    :raises UnsupportedError: the bundle has none such.
    """
    known: Mapping[str, Any] = resources.get("pipelines") or {}
    named = RESOURCE_ID.fullmatch(pipeline_id)
    wanted = named[1] if named else pipeline_id
    for key, pipeline in known.items():
        if wanted in (key, pipeline.get("name"), pipeline.get("id")):
            return key, pipeline
    near = did_you_mean(wanted, sorted(known))
    raise UnsupportedError(
        f"pipeline_id {pipeline_id!r} names no pipeline of this bundle",
        hint=near or "define it under resources.pipelines and name it as ${resources.pipelines.<key>.id}",
    )

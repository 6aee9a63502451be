"""A run's parameters in its `conf`, which is JSON in Airflow's database. Pure; runs wherever runs are made and shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medallion.core.stored import pack, unpack
from medallion.core.text import storable

JOB_PARAMETERS = "job_parameters"
"""Key of a run's conf for parameters given to run-now."""


def packed(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as a conf holds them."""
    return {storable(str(name)): pack(str(value)) for name, value in parameters.items()}


def given(conf: Mapping[str, Any] | None) -> dict[str, str]:
    """The parameters that a run was given, as they were."""
    found = (conf or {}).get(JOB_PARAMETERS)
    if not isinstance(found, Mapping):
        return {}
    return {str(name): str(unpack(value)) for name, value in found.items()}


def shown(conf: Mapping[str, Any] | None) -> dict[str, str]:
    """The parameters that a run was given, for tables, pages and people."""
    return {name: storable(value) for name, value in given(conf).items()}

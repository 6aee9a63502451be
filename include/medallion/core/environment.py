"""The environment that the user's code gets: the worker's without what is Airflow's and Medallion's own secret. Pure.

Notebooks, drivers and their Python workers, wheels, dbt, spark-submit, pip, Git, builds of artifacts and the Python of
bundles run the code of whoever wrote the job. None of them needs a way to Airflow's database or its keys.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

PRIVATE = (
    "AIRFLOW__",  # options: the database, the keys, secrets backends
    "AIRFLOW_CONN_",
    "AIRFLOW_VAR_",
    "_AIRFLOW",
    "__AIRFLOW",  # a task's own talk with its supervisor
    # Settings of Medallion that hold secrets; a task's process asks its worker for the settings it needs.
    "MEDALLION_API_TOKEN",
    "MEDALLION_SMTP",
    "MEDALLION_DESTINATIONS",
    "MEDALLION_TARGETS",  # Spark settings of all targets: keys of storage, secrets of clusters
)
"""Beginnings of names of variables that stay with Airflow's own processes."""
OWNER = "MEDALLION_OWNED_BY"
"""Variable in the environment of every process that works for a home folder, with that folder as its value. Users never
set it; `down` finds by it what is still running."""


def for_user_code(environ: Mapping[str, str] | None = None, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a program that runs the user's code.

    :param environ: where it comes from (default: this process's own).
    :param extra: variables over it, which the job states.
    """
    given = os.environ if environ is None else environ
    return {**{name: text for name, text in given.items() if not name.upper().startswith(PRIVATE)}, **(extra or {})}

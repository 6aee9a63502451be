"""Imports in the scheduler what every task needs, before its workers are forked. A listener; runs in the scheduler.

A task is a fork of a worker, which is a fork of the scheduler: what is imported there costs a task nothing. A chain of
eight notebooks is a second faster with it (docs/performance.md).
"""

from __future__ import annotations

import contextlib
import sys
from importlib import import_module

from airflow.listeners import hookimpl

MODULES = (
    "airflow.dag_processing.bundles.local",
    "airflow.sdk.execution_time.task_runner",
    "jinja2.ext",
    "medallion.factory.bundle",
    "medallion.factory.dag",
    "medallion.factory.dagfile",
    "medallion.factory.equipment",
    "medallion.factory.graph",
    "medallion.factory.lineage",
    "medallion.factory.sources",
    "medallion.compute.catalog",
    "medallion.compute.pool",
    "medallion.compute.targets",
    "medallion.runtime.launch",
    "medallion.settings",
)


@hookimpl
def on_starting(component: object) -> None:
    """Called by Airflow when one of its long-running processes starts, before the executor does.

    :param component: its record, which does not say yet what kind it is; the command line does.
    """
    if sys.argv[1:2] != ["scheduler"]:
        return
    for name in MODULES:
        # A module that cannot be imported here is told by the task that needs it.
        with contextlib.suppress(ImportError):
            import_module(name)

"""Imports what every task needs before tasks are forked. A listener in the scheduler; called in a run's own process.

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
    "airflow.sdk.definitions.asset.metadata",
    "airflow.sdk.execution_time.task_runner",
    "jinja2.ext",
    "medallion.components.host",
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
    "medallion.runs.writes",
    "medallion.runtime.reads",
    "medallion.runtime.launch",
    "medallion.settings",
    "setproctitle",
)


@hookimpl
def on_starting(component: object) -> None:
    """Called by Airflow when one of its long-running processes starts, before the executor does.

    :param component: its record, which does not say yet what kind it is; the command line does.
    """
    if sys.argv[1:2] == ["scheduler"]:
        import_ahead()


def import_ahead() -> None:
    """Import it, and look once at what each task would look at."""
    for name in MODULES:
        # A module that cannot be imported here is told by the task that needs it.
        with contextlib.suppress(ImportError):
            import_module(name)
    from medallion.runtime.spare_start import source_digest
    from medallion.spec.triggers import Continuous, CronSchedule, Trigger

    for model in (Continuous, CronSchedule, Trigger):
        model.model_rebuild()  # else at its first use, in each task: 2 ms
    source_digest()  # it looks at every module of this package: 3 ms a task

"""What a DAG file of ours does when Airflow reads it. Runs at parse time."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, MutableMapping
from pathlib import Path
from typing import Any

from airflow.sdk import DAG

from medallion.factory.jobs import BrokenJobsError, collect
from medallion.settings import PROJECT_VARIABLE, Settings

log = logging.getLogger(__name__)


def load_into(
    namespace: MutableMapping[str, Any],
    *,
    project: Path | None = None,
    only: str | None = None,
    paths: Iterable[str] | None = None,
) -> None:
    """Put the DAGs where Airflow looks for them.

    :param namespace: the DAG file's `globals()`.
    :param project: the project folder, unless the environment names another; found as the command line finds it when
        absent.
    :param only: the one DAG that a task process wants.
    :param paths: the definitions that this file stands for; every one when absent.
    :raises BrokenJobsError: when the file stands for given definitions and none of them could be built. A file that stands
        for all jobs never raises: it shows a DAG that says what is wrong, because an error would take the others away.
    """
    settings = Settings.load(None if PROJECT_VARIABLE in os.environ else project)
    given = None if paths is None else [Path(text) for text in paths]
    dags, problems = collect(settings, only, given)
    namespace.update(dags)
    if not problems or (only is not None and dags):
        return
    text = "\n".join(str(problem) for problem in problems)
    if given is not None:
        raise BrokenJobsError(text)
    log.error("%s", text)
    namespace["broken_jobs"] = DAG(
        "broken_jobs",
        description="Job definitions that could not be read",
        doc_md=f"```\n{text}\n```",
        tags=["import error"],
    )

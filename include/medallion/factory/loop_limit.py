"""The time-out of a for-each task itself: it holds for all of its iterations together. Runs in the Airflow task process.

`timeout_seconds` of the nested task is each attempt's own; that of the for-each task counts from when its inputs were
worked out, or from the latest repair (Jobs API, `timeout_seconds`: of each run of the task).
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, NoReturn

from medallion.factory import naming
from medallion.factory.retry import AttemptTimedOut
from medallion.runs.notes import read_notes
from medallion.runs.records import TIMEOUT

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context

    from medallion.factory.operators.base import LakeflowOperator

STARTED = "started_at"
"""XCom key of when the inputs of a for-each task were worked out, seconds since the epoch."""


def hold(operator: LakeflowOperator, context: Context) -> None:
    """Shorten an iteration's time-out to what is left of its for-each task's; end it when nothing is left.

    :raises AttemptTimedOut: the for-each task's time is over.
    """
    key = operator.within
    loop = next((task for task in operator.definition.job.tasks or () if task.task_key == key), None)
    limit = loop.timeout_seconds if loop else None
    if not key or not limit:
        return
    left = limit - (time.time() - started(key, operator, context))
    told = f"for-each task {key} ran longer than {limit} s and was ended"
    if left <= 0:
        end(operator, context, told)
    own = operator.execution_timeout
    if own is None or own.total_seconds() > left:
        operator.execution_timeout = timedelta(seconds=left)
        operator.late = told


def started(key: str, operator: LakeflowOperator, context: Context) -> float:
    """When the for-each task, or its latest repair, started; seconds since the epoch."""
    from medallion.settings import Settings

    instance = context["ti"]
    first = instance.xcom_pull(task_ids=naming.for_each_inputs(key), key=STARTED, map_indexes=-1)
    notes = read_notes(Settings.load().home, instance.dag_id, instance.run_id)
    repaired = [float(item.get("start_time", 0)) / 1000 for item in notes.get("repairs") or ()]
    return max(float(first or time.time()), *repaired[-1:], 0.0)


def end(operator: LakeflowOperator, context: Context, told: str) -> NoReturn:
    """Leave a record and end the attempt as timed out."""
    from medallion.factory.operators.base import show
    from medallion.runtime.protocol import Failure, TaskResult
    from medallion.settings import Settings

    show(f"Timeout: {told}")
    operator.attempt(context).keep(Settings.load(), TaskResult(success=False, failure=Failure(TIMEOUT, told)))
    raise AttemptTimedOut(told)

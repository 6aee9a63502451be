"""The time-out of a for-each task itself: it holds for all of its iterations together. Runs in the Airflow task process.

`timeout_seconds` of the nested task is each attempt's own; that of the for-each task counts from when its inputs were
worked out, or from the latest repair (Jobs API, `timeout_seconds`: of each run of the task).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NoReturn

from medallion.core.moments import Moment
from medallion.factory import naming
from medallion.factory.retry import AttemptTimedOut
from medallion.runs.notes import read_notes
from medallion.runs.records import TIMEOUT
from medallion.runs.repairs import REPAIRED

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context

    from medallion.factory.operators.base import LakeflowOperator

STARTED = "started_at"
"""XCom key of the moment at which the inputs of a for-each task were worked out."""


def hold(operator: LakeflowOperator, context: Context) -> None:
    """Shorten an iteration's time-out to what is left of its for-each task's; end it when nothing is left.

    :raises AttemptTimedOut: the for-each task's time is over.
    """
    key = operator.within
    loop = next((task for task in operator.definition.job.tasks or () if task.task_key == key), None)
    limit = loop.timeout_seconds if loop else None
    if not key or not limit:
        return
    left = limit - passed(key, operator, context)
    told = f"for-each task {key} ran longer than {limit} s and was ended"
    if left <= 0:
        end(operator, context, told)
    own = operator.execution_timeout
    if own is None or own.total_seconds() > left:
        operator.execution_timeout = timedelta(seconds=left)
        operator.late = told


def passed(key: str, operator: LakeflowOperator, context: Context) -> float:
    """Seconds since the for-each task, or its latest repair, started."""
    from medallion.project.projects import settings_of_dag

    instance = context["ti"]
    first = instance.xcom_pull(task_ids=naming.for_each_inputs(key), key=STARTED, map_indexes=-1)
    notes = read_notes(settings_of_dag(instance.dag_id).home, instance.dag_id, instance.run_id)
    begun = [Moment.read(first), Moment.read(notes.get(REPAIRED))]
    return min((moment.age() for moment in begun if moment is not None), default=0.0)


def end(operator: LakeflowOperator, context: Context, told: str) -> NoReturn:
    """Leave a record and end the attempt as timed out."""
    from medallion.factory.log import show
    from medallion.project.projects import settings_of_dag
    from medallion.runtime.protocol import Failure, TaskResult

    show(f"Timeout: {told}")
    operator.attempt(context).keep(
        settings_of_dag(operator.dag_id), TaskResult(success=False, failure=Failure(TIMEOUT, told))
    )
    raise AttemptTimedOut(told)

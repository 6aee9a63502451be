"""Waits for the run that a run-job task started, at most until the attempt's time is over. Runs in the triggerer.

Airflow's own trigger for this knows no time-out, and a task's `execution_timeout` ends where its wait begins. When the
time is over the trigger itself asks for the child's end: the task that waits can do so only in a slot of the executor, and
its own children may hold them all.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from medallion.core.moments import Moment, uptime
from medallion.runs.requests import CancelRequest, leave_request

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
ENDED = frozenset({"success", "failed"})
TIMED_OUT = "timed_out"
"""State of the event when the time was over first."""


class ChildRunTrigger(BaseTrigger):
    """Fires once: with the child's last state, or `timed_out`.

    :param limit: seconds of the whole wait; None for one without end.
    :param begun: the moment at which the attempt began, as `Moment.to_json` gives it.
    :param home: the home folder, below which a request to cancel the child is left; None as in triggers of older versions.
    :param who: asks for it, in the words of the child's record.
    :param until: seconds since the epoch, as triggers of older versions have it in the database.
    """

    def __init__(
        self,
        dag_id: str,
        run_id: str,
        until: float | None = None,
        *,
        limit: float | None = None,
        begun: Mapping[str, Any] | None = None,
        home: str | None = None,
        who: str = "",
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.dag_id = dag_id
        self.run_id = run_id
        if until is not None:
            limit, begun = max(until - time.time(), 0.0), Moment.now().to_json()
        self.limit = limit
        self.begun = begun
        self.home = home
        self.who = who

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """As Airflow keeps it."""
        names = ("dag_id", "run_id", "limit", "begun", "home", "who")
        return f"{__name__}.{type(self).__name__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look at the child's state until it has ended or the time is over."""
        until = self.deadline()
        # asgiref's way, not asyncio's: Airflow's answer comes by the loop of the triggerer, to which asgiref leads back.
        while (state := await sync_to_async(child_state)(self.dag_id, self.run_id)) not in ENDED:
            left = until - uptime()
            if left <= 0:
                state = TIMED_OUT
                await asyncio.to_thread(self.end_child)
                break
            await asyncio.sleep(min(left, POLL_SECONDS))
        told = {"dag_id": self.dag_id, "run_id": self.run_id, "state": state}
        yield TriggerEvent(told)  # type: ignore[no-untyped-call]

    def end_child(self) -> None:
        """Ask for the child's end. What cannot be written here is asked for by the task, when it has a slot."""
        if self.home is None:
            return
        try:
            leave_request(Path(self.home), self.dag_id, self.run_id, CancelRequest(self.who))
        except OSError as error:
            log.warning("The run %s of %s cannot be cancelled yet: %s", self.run_id, self.dag_id, error)

    def deadline(self) -> float:
        """When the wait is over, by `uptime()` of this machine."""
        begun = Moment.read(self.begun)
        if self.limit is None or begun is None:
            return math.inf
        return uptime() + self.limit - begun.age()


def child_state(dag_id: str, run_id: str) -> str:
    """The state of a run as Airflow has it now; asked of Airflow, so in a trigger or a task."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    found = RuntimeTaskInstance.get_dagrun_state(dag_id, run_id)
    return str(getattr(found, "value", found))  # an enumeration whose text is not its value

"""Why a task's process gave no result, as a failure in words. Runs on the worker."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from medallion.runtime.protocol import Failure

OUT_OF_MEMORY = "the machine had no memory left, and the system ended the task: run less at once, or with less data"
PERHAPS_MEMORY = "the machine may have run out of memory"


@dataclass(frozen=True, slots=True)
class Death:
    """How a process ended.

    :param stopped: why the worker ended it: `Timeout`, `Killed` or `Limit`; None when it did not.
    :param status: exit status, negative for a signal; None when nobody knows.
    :param limit: the sentence of the limit that its processes exceeded.
    :param memory_ran_out: whether the system ended processes for want of memory meanwhile.
    """

    stopped: str | None
    status: int | None
    limit: str = ""
    memory_ran_out: bool = False


def failure_of(death: Death, kind: str, cell: Mapping[str, Any]) -> Failure:
    """The failure of a task without a result.

    :param kind: of the task's work, such as `notebook`.
    :param cell: what the process last said of the cell that it began; empty before the first.
    """
    name, message = in_words(death, place(kind, cell))
    return Failure(name, message, cell=cell.get("index"), line=cell.get("line"))


def place(kind: str, cell: Mapping[str, Any]) -> str:
    """Where in the user's code it was."""
    if kind != "notebook":
        return "while it ran"
    if not cell:
        return "before the first cell"
    return f"in cell {cell['index']}" + (f' "{cell["title"]}"' if cell.get("title") else "")


def in_words(death: Death, where: str) -> tuple[str, str]:
    """The kind of failure and its sentence."""
    if death.stopped == "Limit":
        return "LimitExceeded", f"{death.limit}, and was ended {where}"
    if death.stopped == "Timeout":
        return "Timeout", f"the task took longer than its time-out and was ended {where}"
    if death.stopped is not None:
        return "Killed", f"the task was cancelled {where}"
    if death.status is None or death.status >= 0:
        status = "an unknown status" if death.status is None else f"status {death.status}"
        return "Exit", f"the process ended itself with {status} {where}"
    message = f"the process was killed by {signal_name(-death.status)} {where}"
    if -death.status == signal.SIGKILL:
        message += f"; {OUT_OF_MEMORY if death.memory_ran_out else PERHAPS_MEMORY}"
    return "Killed", message


def signal_name(number: int) -> str:
    """`SIGSEGV` for 11."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

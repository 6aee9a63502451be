"""Processes below a process, also those that left its session and lost their parents. Runs on workers, in spares and tasks.

On Linux a process may ask for the orphans among its descendants (`adopt_orphans`): whatever a task started, by whatever way
it got out of its group, is then found below the task, or below whoever watches the task when it has died. Elsewhere an
orphan goes to the system's first process and is found by its group alone.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

PROC = Path("/proc")
ON_LINUX = sys.platform == "linux"
SET_CHILD_SUBREAPER = 36
SET_NAME = 15
SPARE, HOST, TASK = "medallion-spare", "medallion-host", "medallion-task"
"""Names of processes, as `ps -o comm` and /proc/*/stat tell them; at most 15 characters. A fork has its parent's."""
LASTING = frozenset({SPARE.encode(), HOST.encode()})
"""Processes that a task may be the first to need, and that outlive it."""
FIRST_TO_GO = 500
"""What the system adds to a task's badness, of 1,000, when it looks for what to kill: not a scheduler, not a driver."""
POLL_SECONDS = 0.02
GONE_SECONDS = 10.0
"""How long processes that start others faster than they can be stopped are run after; others are stopped at once."""
ENDED = frozenset({b"Z", b"X", b"x"})


def adopt_orphans(*, wanted: bool = True) -> bool:
    """Have the system give this process the orphans below it, or no more of them; False where there is no such thing.

    A fork does not inherit it.
    """
    if not ON_LINUX:
        return False
    return bool(ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, int(wanted), 0, 0, 0) == 0)


def name_process(name: str) -> None:
    """Give this process a name. Called in its main thread."""
    if ON_LINUX:
        ctypes.CDLL(None).prctl(SET_NAME, name.encode(), 0, 0, 0)


_tasks: set[int] = set()


def become_task() -> None:
    """Make this process a task's: what it starts stays below it, and where memory ends it and that goes first."""
    name_process(TASK)
    adopt_orphans()
    with contextlib.suppress(OSError):  # there is none elsewhere, and a container may forbid it
        (PROC / "self/oom_score_adj").write_text(str(FIRST_TO_GO), encoding="ascii")
    _tasks.add(os.getpid())


def is_task() -> bool:
    """Whether this process is a task's, which ends what is below it at its own end."""
    return os.getpid() in _tasks


_apart: set[int] = set()


def keep_apart(pid: int) -> None:
    """A process that this one has started looks after itself: `end_below` leaves it alone, with all below it."""
    _apart.add(pid)


def children_by_parent() -> dict[int, list[int]]:
    """The living processes of this host by their parents' ids, but those that outlive whoever starts them."""
    found: dict[int, list[int]] = {}
    for name in os.listdir(PROC):  # noqa: PTH208  a Path for each of hundreds
        if name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                # The second field is the program's name in brackets, and may hold both blanks and brackets.
                start, _, rest = (PROC / name / "stat").read_bytes().rpartition(b")")
                state, parent = rest.split(None, 2)[:2]
                if state not in ENDED and start.partition(b"(")[2] not in LASTING:
                    found.setdefault(int(parent), []).append(int(name))
    return found


def children(pid: int) -> list[int]:
    """The living children of a process."""
    if ON_LINUX:
        return children_by_parent().get(pid, [])
    import psutil

    with contextlib.suppress(psutil.Error):
        return [child.pid for child in psutil.Process(pid).children()]
    return []


def descendants(roots: Iterable[int]) -> list[int]:
    """Living processes and all below them, but those that are kept apart and what is below those."""
    return below(roots, children_by_parent() if ON_LINUX else None)


def family(pid: int) -> list[int]:
    """A process, though it is kept apart, and its descendants."""
    table = children_by_parent() if ON_LINUX else None
    return [pid, *below(children(pid) if table is None else table.get(pid, []), table)]


def below(roots: Iterable[int], table: Mapping[int, list[int]] | None) -> list[int]:
    """`descendants` by a table of children by parent; None where the system has none."""
    found: list[int] = []
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        if pid not in _apart:
            found.append(pid)
            waiting += table.get(pid, []) if table is not None else children(pid)
    return found


def end_below(pid: int, *, but: Iterable[int] = (), grace: float = 0.0) -> int:
    """End all that is below a process; gives how many had to be killed.

    They are asked to end, then killed after `grace` seconds. Before they are killed they are stopped, so that none of them
    starts another meanwhile.

    :param but: children that are left alone, with all below them.
    """
    spared = frozenset(but)

    def left() -> list[int]:
        return descendants(child for child in children(pid) if child not in spared)

    if grace:
        signal_all(left(), signal.SIGTERM)
        wait_until(lambda: not left(), grace)
    stopped: set[int] = set()
    limit = time.monotonic() + GONE_SECONDS
    while (new := set(left()) - stopped) and time.monotonic() < limit:
        signal_all(new, signal.SIGSTOP)
        stopped |= new
    signal_all(left(), signal.SIGKILL)
    return len(stopped)


def signal_all(pids: Iterable[int], number: signal.Signals) -> None:
    """Signal processes that may be gone."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    """Wait until a condition holds, at most so long."""
    limit = time.monotonic() + seconds
    while not condition() and time.monotonic() < limit:
        time.sleep(POLL_SECONDS)

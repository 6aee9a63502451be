"""Ends what worked for a home folder: the supervisor, components, drivers, the spare process, left-over tasks.

In the user's shell and in the supervisor. Every process is checked by its start before it is signalled; those of another
host are left alone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from medallion.components.database import local_runs
from medallion.components.deployment import held_elsewhere
from medallion.components.places import places_of
from medallion.components.record import Record
from medallion.compute.processes import Identity, is_running, of_this_host
from medallion.core.environment import OWNER

if TYPE_CHECKING:
    import psutil

    from medallion.settings import Settings

SUPERVISOR_SECONDS = 30
"""A supervisor needs 12 s for its components and a few for drivers."""
GRACE = 3.0


def end_everything(settings: Settings) -> list[str]:
    """End all processes of a home folder, whoever started them.

    :returns: what was ended, in words.
    """
    places = places_of(settings)
    record = Record.read(places.record)
    ended = []
    if record is not None:
        ended += end_supervised(record)
    for identity in local_runs(places).values():
        if identity.alive and identity.pid != os.getpid():
            end(identity, SUPERVISOR_SECONDS)
            ended.append(f"a run (process {identity.pid})")
    ended += sweep(settings)
    if not held_elsewhere(settings):
        places.record.unlink(missing_ok=True)
    return ended


def end_supervised(record: Record) -> list[str]:
    """End a supervisor, which ends its components; those that are left are ended here."""
    ended = []
    if record.supervisor.alive:
        end(record.supervisor, SUPERVISOR_SECONDS)
        ended.append(f"Airflow at {record.url}")
    left = [identity for identity in record.components.values() if identity.alive]
    if left:
        end_groups(left, grace=GRACE)
        ended.append(f"{len(left)} components that had lost their supervisor")
    return ended


def end_left_over(settings: Settings) -> list[str]:
    """End components whose supervisor is gone, which hold the port and the database. The caller knows that nobody is up."""
    record = Record.read(places_of(settings).record)
    return end_supervised(record) if record is not None and not record.supervisor.alive else []


def sweep(settings: Settings) -> list[str]:
    """End drivers, the spare process, and every process that carries this home's mark."""
    ended = stop_drivers(settings)
    left = marked(settings.home)
    if left:
        end_processes(left)
        ended.append(f"{len(left)} processes of tasks and drivers")
    return ended


def stop_drivers(settings: Settings) -> list[str]:
    """Stop the pooled drivers of this home, in the pool's own way."""
    if not settings.home.is_dir() or find_spec("medallion.compute.pool") is None:
        return []
    from medallion.compute.pool import DriverPool

    pool = DriverPool(settings)
    count = len(list(pool.drivers()))
    pool.stop()
    return [f"{count} Spark driver{'s' * (count != 1)}"] if count else []


def marked(home: Path) -> list[psutil.Process]:
    """Processes of this user whose environment says that they work for `home`; not this one and those above it.

    A home that is reached by a link is the same home.
    """
    import psutil

    own, real = psutil.Process(), os.path.realpath(home)
    spared = {own.pid, *(parent.pid for parent in own.parents())}
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            owner = process.environ().get(OWNER) if process.pid not in spared else None
            ours = owner is not None and os.path.realpath(owner) == real
            if ours and of_this_host(process.pid):
                found.append(process)
    return found


def end_processes(processes: Iterable[psutil.Process]) -> None:
    """SIGTERM, a little patience, SIGKILL. psutil checks the start time before each signal."""
    import psutil

    asked = list(processes)
    for process in asked:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, left = psutil.wait_procs(asked, timeout=GRACE)
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(left, timeout=GRACE)


def end(identity: Identity, seconds: float) -> None:
    """SIGTERM to one process, and SIGKILL when it is still there after so many seconds."""
    for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, GRACE)):
        if not identity.alive:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(identity.pid, number)
        wait_gone([identity], patience)


def end_groups(identities: Iterable[Identity], *, grace: float) -> None:
    """End the process groups that these processes lead. A leader that is gone still names its group.

    :param grace: seconds between SIGTERM to the leaders and SIGKILL to the groups; 0 kills at once.
    """
    leaders = list(identities)
    if grace:
        for identity in leaders:
            if identity.alive:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(identity.pid, signal.SIGTERM)
        wait_gone(leaders, grace)
    for identity in leaders:
        if identity.here and identity.started and not taken_over(identity):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(identity.pid, signal.SIGKILL)


def taken_over(identity: Identity) -> bool:
    """Whether another process has the id now. A kernel does not give out the id of a group that has members."""
    return is_running(identity.pid, None) and not identity.alive


def wait_gone(identities: Iterable[Identity], seconds: float) -> None:
    """Wait until the processes are gone, at most so long."""
    end_time = time.monotonic() + seconds
    left = list(identities)
    while left and time.monotonic() < end_time:
        time.sleep(0.05)
        left = [identity for identity in left if identity.alive]

"""Starts Airflow's four components and the jobs service, looks after them, ends all that came of them. In the user's shell.

Why not `airflow standalone`: it leaves its children behind when it is terminated, and does not notice one that dies.
Each component is the leader of a session of its own, so that a signal reaches it alone first and all of its group last.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from medallion.components.configuration import Endpoint, environment, write_configuration
from medallion.components.database import ensure_database, goes_on, local_runs
from medallion.components.health import API_SERVER, healthy_components
from medallion.components.places import Places, places_of
from medallion.components.pulse import SILENT_SECONDS, Pulse
from medallion.components.record import Record
from medallion.components.sweep import end_groups, sweep
from medallion.compute.processes import Identity
from medallion.core.environment import OWNER
from medallion.errors import MedallionError, TargetError
from medallion.runs.system_tables.store import make_system_tables

if TYPE_CHECKING:
    from medallion.settings import Settings

COMPONENTS = (API_SERVER, "scheduler", "dag-processor", "triggerer", "jobs-service")
OWN_MODULES = {"jobs-service": "medallion.runs.service"}
"""Components that are not Airflow's, and their modules."""
AIRFLOW_MODULE = "medallion.components.airflow_component"
HEALTHY_SECONDS = 240
"""How long the first start may take; 15 to 60 s were seen on two cores."""
STOP_SECONDS = 12
"""Patience between SIGTERM and SIGKILL: the scheduler takes 2 s, the DAG processor 6, a busy triggerer longer."""
FIRST_DELAY, LONGEST_DELAY, CALM_SECONDS = 1.0, 60.0, 120.0
"""Seconds before a dead component is started again: doubled with each death, back to the first after a calm while."""
DEATHS_BEFORE_READY = 3
TICK = 0.5
LOOK_TIMEOUT = 10.0
"""Seconds that the API server may take to say who is well."""

Report = Callable[[str, str], None]
"""Told what happens: the component (or `medallion`) and a sentence."""


class AlreadyUpError(MedallionError):
    """Airflow's components of this home are up already, or a run holds the database."""

    exit_code = 2


@dataclass
class Component:
    """One of the processes, and when it may be started again."""

    name: str
    process: subprocess.Popen[bytes] | None = None
    identity: Identity = field(default_factory=lambda: Identity(0, "", ""))
    deaths: int = 0
    delay: float = FIRST_DELAY
    started: float = 0.0
    again: float = 0.0


class Launcher:
    """Keeps the components of one home running until `stop`.

    :param report: told of every start, death and restart.
    """

    def __init__(self, settings: Settings, endpoint: Endpoint, report: Report) -> None:
        self.settings = settings
        self.endpoint = endpoint
        self.report = report
        self.places: Places = places_of(settings)
        self.components = [Component(name) for name in COMPONENTS]
        self.stopping = threading.Event()
        self.born = time.time()
        self.changed = False
        self.trouble = ""
        self.pulse = Pulse(lambda: healthy_components(endpoint.url, settings.home, self.born, timeout=LOOK_TIMEOUT))

    def start(self) -> None:
        """Write the configuration, migrate the database, start the components.

        :raises MedallionError: the home cannot be written, or the migration failed.
        """
        write_configuration(self.settings, self.endpoint)
        refuse_beside_runs(self.places)
        if ensure_database(self.settings):
            self.report("medallion", "database is ready")
        make_system_tables(self.settings)
        self.born = time.time()
        for component in self.components:
            self.spawn(component)
        self.write_record(ready=False)

    def spawn(self, component: Component) -> None:
        """Start one component; its output is appended to its log."""
        log = self.places.logs / f"{component.name}.log"
        with log.open("ab") as stream:
            component.process = subprocess.Popen(
                command_of(component.name),
                env=self.environment(),
                cwd=self.settings.project,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        component.identity = Identity.of(component.process.pid)
        component.started = time.monotonic()

    def environment(self) -> dict[str, str]:
        """The components' environment, with the mark by which `down` finds what is left of them."""
        return environment(self.settings) | {OWNER: str(self.settings.home)}

    def wait_healthy(self, progress: Callable[[frozenset[str]], None], seconds: float = HEALTHY_SECONDS) -> bool:
        """Wait until all components are well.

        :param progress: told which are well, at each look.
        :returns: False when `stop` was asked for meanwhile.
        :raises TargetError: one keeps dying or the time is over; carries the log's last lines.
        """
        end = time.monotonic() + seconds
        while not self.stopping.wait(TICK):
            self.look_after()
            well = healthy_components(self.endpoint.url, self.settings.home, self.born)
            progress(well)
            if len(well) == len(COMPONENTS):
                self.write_record(ready=True)
                return True
            for component in self.components:
                if component.deaths >= DEATHS_BEFORE_READY:
                    raise TargetError(f"the {component.name} ends as soon as it starts:\n{self.tail(component.name)}")
            if time.monotonic() > end:
                late = sorted(set(COMPONENTS) - well)
                tails = "\n".join(f"--- {name}\n{self.tail(name)}" for name in late)
                raise TargetError(f"not healthy after {seconds:.0f} s: {', '.join(late)}\n{tails}")
        return False

    def watch(self) -> None:
        """Look after the components until `stopping` is set. A full disk ends components, and it may have room again."""
        while not self.stopping.wait(TICK):
            try:
                self.look_after()
                self.end_silent()
                self.trouble = ""
            except OSError as error:
                self.tell(error)

    def tell(self, error: OSError) -> None:
        """Report a trouble once for as long as it lasts. What cannot be written now is with the next line."""
        from medallion.compute.room import disk_full

        if not self.trouble:
            self.trouble = str(disk_full(error, self.settings) or error)
            with contextlib.suppress(OSError):
                self.report("medallion", self.trouble)

    def look_after(self) -> None:
        """Notice dead components and start them again, later each time.

        :raises OSError: there is no room for the logs or the record; what is left to do is done at the next look.
        """
        now = time.monotonic()
        for component in self.components:
            if component.process is None:
                if now >= component.again:
                    self.spawn(component)
                    self.changed = True
            elif (status := component.process.poll()) is not None:
                self.bury(component, status, now)
            elif component.deaths and now - component.started > CALM_SECONDS:
                component.delay, component.deaths = FIRST_DELAY, 0
        if self.changed:
            self.write_record(ready=True)
            self.changed = False

    def end_silent(self) -> None:
        """End components that give no sign of life; the next look starts them again."""
        running = {item.name: item for item in self.components if item.process is not None}
        started = {name: item.started for name, item in running.items()}
        for name in self.pulse.silent(started, time.monotonic):
            self.report(name, f"has given no sign of life for {SILENT_SECONDS:.0f} s and is ended")
            end_groups([running[name].identity], grace=0)

    def bury(self, component: Component, status: int, now: float) -> None:
        """End what a dead component left and plan its next start."""
        end_groups([component.identity], grace=0)
        component.process = None
        component.deaths += 1
        component.again = now + component.delay
        how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
        log = self.places.logs / f"{component.name}.log"
        self.report(component.name, f"{how}; starts again in {component.delay:.0f} s (log: {log})")
        component.delay = min(component.delay * 2, LONGEST_DELAY)

    def write_record(self, *, ready: bool) -> None:
        """Tell other processes what runs."""
        Record(
            supervisor=Identity.of(self.own_pid()),
            url=self.endpoint.url,
            host=self.endpoint.host,
            port=self.endpoint.port,
            components={item.name: item.identity for item in self.components},
            restarts={item.name: item.deaths for item in self.components},
            ready=ready,
        ).write(self.places.record)

    @staticmethod
    def own_pid() -> int:
        """The supervisor's process id."""
        import os

        return os.getpid()

    def stop(self) -> None:
        """End the components, the drivers and the spare process, and take the record away."""
        self.stopping.set()
        living = [item for item in self.components if item.process is not None]
        for item in living:
            if item.process is not None and item.process.poll() is None:
                item.process.terminate()
        end = time.monotonic() + STOP_SECONDS
        for item in living:
            if item.process is not None:
                wait_for(item.process, end - time.monotonic())
        end_groups([item.identity for item in self.components if item.identity.pid], grace=0)
        sweep(self.settings)
        self.places.record.unlink(missing_ok=True)

    def tail(self, name: str, lines: int = 15) -> str:
        """The last lines of a component's log."""
        return tail(self.places.logs / f"{name}.log", lines)


def command_of(name: str) -> list[str]:
    """The command line of a component."""
    own = OWN_MODULES.get(name)
    return [sys.executable, "-P", "-m", own] if own else [sys.executable, "-P", "-m", AIRFLOW_MODULE, name]


def wait_for(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait for a child's end, at most so long; reaps it."""
    try:
        process.wait(timeout=max(seconds, 0.01))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def tail(log: Path, lines: int) -> str:
    """The last lines of a file, as text; empty when there is none."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - 16384))
            return "\n".join(stream.read().decode("utf-8", "replace").splitlines()[-lines:])
    except OSError:
        return ""


def refuse_beside_runs(places: Places) -> None:
    """Refuse to start beside a run outside the scheduler: the scheduler would take its tasks up as well."""
    going = [identity.pid for marker, identity in local_runs(places).items() if goes_on(marker, identity)]
    if going:
        raise AlreadyUpError(
            f"a run of `medallion run` uses the database (process {', '.join(map(str, going))})",
            hint="wait for its end, or end it with `medallion down`",
        )


def hold_lock(settings: Settings) -> TextIO:
    """Become the only supervisor of this home; the lock goes with the process.

    :raises AlreadyUpError: there is one already.
    """
    import fcntl

    places = places_of(settings)
    stream = (places.airflow_home / "up.lock").open("a+", encoding="utf-8")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.close()
        record = Record.read(places.record)
        where = f" at {record.url} (process {record.supervisor.pid})" if record else ""
        hint = "`medallion status` tells more, `medallion down` ends it"
        raise AlreadyUpError(f"Airflow is up already for {settings.home}{where}", hint=hint) from None
    return stream

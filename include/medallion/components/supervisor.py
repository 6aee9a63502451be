"""The process that stays behind `medallion up --detach`: `python -m medallion.components.supervisor HOST PORT`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from medallion.components.configuration import Endpoint, environment
from medallion.components.health import healthy_components
from medallion.components.launcher import COMPONENTS, HEALTHY_SECONDS, Launcher, hold_lock, tail
from medallion.components.places import prepare
from medallion.components.record import Record
from medallion.components.sweep import end_left_over
from medallion.core.environment import OWNER
from medallion.errors import TargetError

if TYPE_CHECKING:
    from medallion.components.launcher import Report
    from medallion.settings import Settings

Progress = Callable[[frozenset[str]], None]


def run(settings: Settings, endpoint: Endpoint, report: Report, progress: Progress, ready: Callable[[], None]) -> None:
    """Start the components, look after them until a signal comes, end them.

    :param ready: called once, when all components are well.
    :raises MedallionError: they could not be started; everything that was started is ended again.
    """
    prepare(settings)
    lock = hold_lock(settings)
    try:
        if end_left_over(settings):
            report("medallion", "ended components that an earlier start had left")
        launcher = Launcher(settings, endpoint, report)
        catch_signals(launcher)
        try:
            launcher.start()
            if launcher.wait_healthy(progress):
                ready()
            launcher.watch()
        finally:
            launcher.stop()
    finally:
        lock.close()


def catch_signals(launcher: Launcher) -> None:
    """Ctrl-C, SIGTERM and a closed terminal end the components in order. A second signal changes nothing."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        launcher.stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)


def detach(settings: Settings, endpoint: Endpoint, progress: Progress) -> Record:
    """Start a supervisor in a session of its own and wait until the components are well.

    :raises MedallionError: they are up already, or could not be started; carries what the supervisor said.
    """
    places = prepare(settings)
    hold_lock(settings).close()
    log = places.logs / "supervisor.log"
    begun = time.time()
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "medallion.components.supervisor", endpoint.host, str(endpoint.port)],
            env=environment(settings) | {OWNER: str(settings.home)},
            cwd=settings.project,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    end = time.monotonic() + HEALTHY_SECONDS + 30
    while time.monotonic() < end:
        if process.poll() is not None:
            raise TargetError(f"Airflow did not start:\n{tail(log, 25)}")
        record = Record.read(places.record)
        if record is not None and record.supervisor.pid == process.pid:
            if record.ready:
                progress(frozenset(COMPONENTS))
                return record
            progress(healthy_components(record.url, settings.home, begun))
        time.sleep(0.3)
    raise TargetError(f"Airflow is not healthy yet; its supervisor is process {process.pid}", hint=f"see {log}")


def main(arguments: list[str]) -> int:
    """Supervise until a signal comes. The standard output is the supervisor's log."""
    from medallion.settings import Settings

    def say(who: str, what: str) -> None:
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        sys.stdout.write(f"{stamp} {who}: {what}\n")
        sys.stdout.flush()

    settings = Settings.load(Path(os.environ["MEDALLION_PROJECT"]))
    try:
        endpoint = Endpoint.choose(arguments[0], int(arguments[1]))
        run(settings, endpoint, say, lambda _: None, lambda: say("medallion", f"healthy at {endpoint.url}"))
    except Exception as error:
        from medallion.compute.room import in_words

        told = in_words(error, settings)
        if told is None:
            raise
        say("error", str(told))
        return 1
    say("medallion", "ended")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

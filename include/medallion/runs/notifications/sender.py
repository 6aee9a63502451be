"""Empties the outbox: `python -m medallion.runs.notifications.sender`, a process of its own.

It is started when a message is due and ends when none is due soon. A server that hangs holds up nothing else, Airflow's
connections are read where Airflow is configured, and a `medallion run` need not wait for its messages.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from medallion.runs.notifications.destinations import Connection
from medallion.runs.notifications.outbox import Letter, Outbox, Stage
from medallion.runs.notifications.transports import OWN_CONNECTION, DeliveryError, Transports, recipients_in_words

if TYPE_CHECKING:
    from medallion.settings import Settings

AT_ONCE = 8
LIMIT_SECONDS = 40.0
"""Longest delivery: a connection, a login and an answer, each within its own time-out."""

LATE = 4
"""An attempt that has not come back is waited for, this many times as long: on a machine at its limit it is late, not lost,
and a second one would send the message twice."""

LINGER_SECONDS = 6.0
"""The process stays for a message that is due within this time, which is one more attempt. Later ones get a new process,
from `medallion up` or the next `medallion run`: after a run nothing stays behind for a dead server."""

Deliver = Callable[[Letter], None]
Say = Callable[[str], None]


def send_due(outbox: Outbox, deliver: Deliver, say: Say, *, limit: float = LIMIT_SECONDS) -> int:
    """Try every message that is due, several at once; gives how many were tried.

    :param limit: seconds that an attempt may take; one that has not come back after some times that counts as failed.
    """
    letters = outbox.due(time.time())
    if not letters:
        return 0
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="medallion-send")
    tries = {pool.submit(deliver, letter): letter for letter in letters}
    # A batch that waits for its turn has its own time.
    rounds = -(-len(letters) // AT_ONCE)
    done, late = wait(tries, timeout=limit * rounds)
    for attempt in done:
        settle(outbox, tries[attempt], attempt, say)
    # One that has not begun stays due.
    done, late = wait({attempt for attempt in late if not attempt.cancel()}, timeout=limit * (LATE - 1))
    for attempt in done:
        settle(outbox, tries[attempt], attempt, say)
    for attempt in late:
        keep_failure(outbox, tries[attempt], DeliveryError(f"no end after {limit * LATE:.0f} s"), say)
    pool.shutdown(wait=False, cancel_futures=True)
    return len(letters)


def settle(outbox: Outbox, letter: Letter, attempt: Future[None], say: Say) -> None:
    """Record how an attempt ended. An exception that is none of ours is told by its type: its text may hold secrets."""
    error = attempt.exception()
    if error is None:
        outbox.sent(letter, time.time())
        say(f"sent {described(letter)}")
    elif isinstance(error, DeliveryError):
        keep_failure(outbox, letter, error, say)
    else:
        keep_failure(outbox, letter, DeliveryError(f"{type(error).__name__} while sending"), say)


def keep_failure(outbox: Outbox, letter: Letter, error: DeliveryError, say: Say) -> None:
    """Record a failed attempt."""
    stage = outbox.failed(letter, str(error), time.time(), for_good=error.for_good)
    rest = "; it is tried again" if stage is Stage.PENDING else "; given up"
    say(f"not sent {described(letter)}: {error}{rest}")


def described(letter: Letter) -> str:
    """A message in a log's line."""
    return f"{letter.message.event} of {letter.message.subject!r} to {recipients_in_words(letter.recipient)}"


def run(outbox: Outbox, deliver: Deliver, say: Say, *, linger: float = LINGER_SECONDS) -> None:
    """Send until nothing is due within `linger` seconds."""
    while is_due_soon(outbox, linger):
        if not send_due(outbox, deliver, say):
            time.sleep(0.2)


def airflow_connection(name: str) -> Connection | None:
    """A connection from Airflow's environment variables, secrets back ends and database; None when there is none."""
    from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

    try:
        found = BaseHook.get_connection(name)
    except AirflowNotFoundException:
        return None
    return Connection(
        conn_type=found.conn_type or "",
        host=found.host or "",
        schema=found.schema or "",
        port=found.port,
        login=found.login or "",
        password=found.password or "",
        extra=found.extra_dejson,
    )


def own_mail_connection(settings: Settings) -> dict[str, str]:
    """The setting `smtp` as a variable that Airflow reads a connection from; empty without it."""
    if settings.smtp is None:
        return {}
    smtp = settings.smtp
    extra = {"disable_ssl": smtp.security != "tls", "disable_tls": smtp.security != "starttls"}
    connection = {
        "conn_type": "smtp",
        "host": smtp.host,
        "port": smtp.port,
        "login": smtp.user,
        "password": smtp.password.get_secret_value() if smtp.password else None,
        "extra": {**extra, "from_email": smtp.sender},
    }
    return {f"AIRFLOW_CONN_{OWN_CONNECTION.upper()}": json.dumps(connection)}


def main() -> int:
    """Send what is due, one sender of a home at a time."""
    from medallion.settings import Settings

    settings = Settings.load()
    os.environ.update(own_mail_connection(settings))
    outbox = Outbox(settings.home, limit=settings.notification_hours * 3600)
    deliver = Transports(settings, airflow_connection).deliver
    with outbox.file.with_name("sender.lock").open("a") as lock:
        # A message that came while the last one let go is seen at the next turn.
        while is_due_soon(outbox, LINGER_SECONDS) and taken(lock):
            run(outbox, deliver, say_dated)
            fcntl.flock(lock, fcntl.LOCK_UN)
    return 0


def taken(lock: TextIO) -> bool:
    """Take the lock; False when another sender is at work."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_due_soon(outbox: Outbox, linger: float) -> bool:
    """Whether a message is due within so many seconds."""
    due = outbox.next_due()
    return due is not None and due - time.time() <= linger


def say_dated(text: str) -> None:
    """One line of the sender's log."""
    sys.stdout.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")
    sys.stdout.flush()


def log_file(home: Path) -> Path:
    """Where the sender's lines go."""
    return home / "logs" / "notifications.log"


if __name__ == "__main__":
    status = main()
    # A thread that hangs in a server's answer would hold the process.
    os._exit(status)

"""Finds the spare process of this project and Python, or starts it. Runs on the worker."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import stat
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

from medallion.compute.folder import mtime
from medallion.compute.processes import host_id
from medallion.core.environment import OWNER, for_user_code
from medallion.errors import TargetError
from medallion.settings import Settings

LONGEST_ADDRESS = 90  # a socket's path may have 104 bytes on macOS, 108 on Linux
START_SECONDS = 20.0
FORGOTTEN_SECONDS = 24 * 3600.0
SOURCES = Path(__file__).resolve().parents[1]
ROOMS = ("compute", "core", "runtime", "spec")  # what the spare imports of Medallion


def connect(settings: Settings) -> socket.socket | None:
    """A connection to the spare process, started if there is none; None when it does not start.

    :raises TargetError: the socket's folder belongs to another user, who would answer in the spare's place.
    """
    address = address_of(settings)
    return (try_connect(address) if is_own(address.parent) else None) or start(settings, address)


def address_of(settings: Settings) -> Path:
    """The socket of the spare for this project, host, Python and state of Medallion's source.

    Another host can connect to a socket on a shared disk: its task would then run here, among processes that it cannot see.
    """
    python = "|".join((host_id(), sys.executable, sys.prefix, sys.version, os.environ.get("PYTHONPATH", "")))
    name = f"{short_digest(python)}-{source_digest()}.sock"
    folder = settings.home / "spare"
    if len(os.fsencode(folder / name)) > LONGEST_ADDRESS:
        folder = (
            Path(tempfile.gettempdir()) / f"medallion-{os.getuid()}-{short_digest(os.path.realpath(settings.home))}"
        )
    return folder / name


def short_digest(text: str) -> str:
    """Ten characters that stand for the text."""
    return hashlib.sha256(text.encode()).hexdigest()[:10]


@cache
def source_digest() -> str:
    """A digest of Medallion's own files by path, size and time: a spare with older code must not serve."""
    files = sorted([SOURCES / "errors.py", *(file for room in ROOMS for file in (SOURCES / room).rglob("*.py"))])
    states = ((str(path.relative_to(SOURCES)), path.stat()) for path in files)
    return short_digest("".join(f"{name}|{state.st_size}|{state.st_mtime_ns}\n" for name, state in states))


def try_connect(address: Path) -> socket.socket | None:
    """A connection, or None when nobody listens."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(str(address))
    except OSError:
        connection.close()
        return None
    return connection


def start(settings: Settings, address: Path) -> socket.socket | None:
    """Start the spare and connect. Of several starters one starts it and the others wait for it."""
    from filelock import FileLock, Timeout

    private_folder(address.parent)
    try:
        with FileLock(address.with_suffix(".lock"), timeout=START_SECONDS):
            connection = try_connect(address)
            if connection is None:
                stop_older(address)
                spawn(settings, address)
                connection = wait_for(address)
            return connection
    except Timeout:
        return None


def private_folder(folder: Path) -> None:
    """Make the folder for this user alone.

    :raises TargetError: it belongs to somebody else, who could answer in the spare's place.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not is_own(folder):
        raise TargetError(f"{folder} belongs to another user", hint="remove it")
    folder.chmod(0o700)


def is_own(folder: Path) -> bool:
    """Whether a folder is this user's: in a temporary folder anybody may have made it."""
    try:
        state = folder.lstat()
    except OSError:
        return False
    return state.st_uid == os.getuid() and stat.S_ISDIR(state.st_mode)


def stop_older(address: Path) -> None:
    """Ask spares of this Python with older code to end."""
    python = address.name.partition("-")[0]
    for other in address.parent.glob(f"{python}-*.sock"):
        connection = try_connect(other) if other != address else None
        if connection is not None:
            with connection, contextlib.suppress(OSError):
                connection.sendall(b'{"stop": true}\n')
        elif other != address:
            other.unlink(missing_ok=True)
    remove_forgotten(address)


def remove_forgotten(address: Path) -> None:
    """Remove sockets that nobody answers at and that are old. Most are those of containers and starts that are gone."""
    for other in address.parent.glob("*.sock"):
        if other != address and time.time() - mtime(other) > FORGOTTEN_SECONDS:
            connection = try_connect(other)
            if connection is None:
                for file in (other, other.with_suffix(".lock")):
                    file.unlink(missing_ok=True)
            else:
                connection.close()


def spawn(settings: Settings, address: Path) -> None:
    """Start the process. It detaches itself, so the wait is short."""
    command = [sys.executable, "-P", "-m", "medallion.runtime.spare", str(address), str(settings.home)]
    with (address.parent / "spare.log").open("ab") as log:
        subprocess.run(
            [*command, str(settings.spare_idle_seconds)],
            env=for_user_code(extra={OWNER: str(settings.home)}),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=False,
        )


def wait_for(address: Path) -> socket.socket | None:
    """A connection as soon as the spare listens; None when it does not in time."""
    limit = time.monotonic() + START_SECONDS
    while time.monotonic() < limit:
        if address.exists() and (connection := try_connect(address)):
            return connection
        time.sleep(0.01)
    return None

"""Spark masters by their address: whether one is this machine alone, and which way leads there. Runs on the worker."""

from __future__ import annotations

import ipaddress
import re
import socket
from contextlib import closing

from medallion.errors import TargetError

LOOPBACK = "127.0.0.1"
SOMEWHERE = "192.0.2.1"
"""An address that nobody has (RFC 5737): the way there is the default route."""
ANSWER_SECONDS = 5.0
HOST = re.compile(r"^(?:spark://|k8s://(?:https?://)?)(?P<hosts>[^/]+)")


def is_local(master: str) -> bool:
    """Whether the executors are within the driver's own process."""
    return master == "local" or master.startswith("local[")


def is_standalone(master: str) -> bool:
    """Whether it is the master of a cluster of Spark's own kind."""
    return master.startswith("spark://")


def addresses(master: str) -> list[tuple[str, int | None]]:
    """Hosts and ports of a master; a standby master adds one (`spark://a:7077,b:7077`). `yarn` names none."""
    found = HOST.match(master)
    if found is None:
        return []
    pairs: list[tuple[str, int | None]] = []
    for text in found["hosts"].split(","):
        host, colon, port = text.rpartition(":")
        pairs.append((host.strip("[]"), int(port)) if colon and port.isdigit() else (text.strip("[]"), None))
    return pairs


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its loopback."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def own_address(master: str) -> str:
    """The address of this machine that a master's machines can reach: loopback for one that is here.

    :raises TargetError: the master's name is unknown, or no way leads there.
    """
    if is_local(master):
        return LOOPBACK
    host = next((host for host, _ in addresses(master)), SOMEWHERE)
    if is_loopback(host):
        return LOOPBACK
    try:
        family, _, _, _, there = socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)[0]
        with closing(socket.socket(family, socket.SOCK_DGRAM)) as way:
            way.connect(there)  # sends nothing: it only asks for the route
            return str(way.getsockname()[0])
    except OSError as error:
        raise TargetError(
            f"no address of this machine leads to the Spark master {master}: {error}",
            hint="name the driver's address by the target's setting driver_host",
        ) from None


def require_answer(target: str, master: str) -> None:
    """Look whether a cluster's master takes connections. Spark itself would try for a minute, then end the driver.

    :raises TargetError: none of its addresses answers.
    """
    if not is_standalone(master):
        return
    reasons = []
    for host, port in addresses(master):
        try:
            socket.create_connection((host, port or 7077), timeout=ANSWER_SECONDS).close()
        except OSError as error:
            reasons.append(f"{host}:{port or 7077}: {error.strerror or error}")
        else:
            return
    raise TargetError(
        f"target {target!r}: no Spark master answers at {master} ({'; '.join(reasons)})",
        hint=f"start the master, or change master in [targets.{target}]; the next attempt of the task asks again",
    )

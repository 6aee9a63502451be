"""Free ports, and who holds one that is taken. In the user's shell."""

from __future__ import annotations

import socket


def is_free(host: str, port: int) -> bool:
    """True when a server may listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As uvicorn does: a port whose last connections are still in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(host: str, wanted: int, *, taken: frozenset[int] = frozenset()) -> int:
    """The first free port from `wanted` on; any port when the next hundred are taken."""
    for port in range(wanted, min(wanted + 100, 65536)):
        if port not in taken and is_free(host, port):
            return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def holder(port: int) -> str | None:
    """The process that listens on a port, in words; None when the system does not tell (other users' processes)."""
    import psutil

    try:
        connections = psutil.net_connections(kind="tcp")
    except (psutil.AccessDenied, OSError):
        return None
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN and tuple(connection.laddr)[1:2] == (port,) and connection.pid:
            try:
                command = " ".join(psutil.Process(connection.pid).cmdline())
            except psutil.Error:
                command = ""
            return f"process {connection.pid}" + (f" ({command[:80]})" if command else "")
    return None

"""Another user of the machine: functions that run in a process of this one's with the rights of nobody. Needs root."""

from __future__ import annotations

import json
import os
import socket
import traceback
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

NOBODY = 65534


def as_another_user(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function gives when another user of the machine calls it; it has to be JSON.

    The process is a fork, so it needs no right to read Python or the project from the disk.
    """
    assert os.geteuid() == 0, "these tests become another user of the machine, which takes root"
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(read)
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            told = {"gave": function(*arguments)}
        except BaseException:  # noqa: BLE001  it is told to the test
            told = {"failed": traceback.format_exc()}
        with os.fdopen(write, "w", encoding="utf-8") as stream:
            json.dump(told, stream)
        os._exit(0)
    os.close(write)
    with os.fdopen(read, encoding="utf-8") as stream:
        told = json.load(stream)
    os.waitpid(child, 0)
    assert "failed" not in told, told["failed"]
    return told["gave"]


def doors_of_files(paths: Iterable[str]) -> list[str]:
    """What of these files, folders and sockets opens: each with what could be done."""
    opened = []
    for path in paths:
        for what, attempt in (("read", read_it), ("written", write_it), ("connected", connect_to_it)):
            try:
                attempt(path)
            except OSError:
                continue
            opened.append(f"{path} can be {what}")
    return opened


def read_it(path: str) -> None:
    """Open a file, or list a folder."""
    os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))


def write_it(path: str) -> None:
    """Open a file to write, or make a file in a folder."""
    if Path(path).is_dir():
        file = Path(path, "made by a stranger")
        file.touch()
        file.unlink()
    else:
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))


def connect_to_it(path: str) -> None:
    """Connect to a socket in the file system."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)


def answers_of_ports(ports: Iterable[int]) -> dict[str, str]:
    """By port, the beginning of what it answers to one who knows no password: a request of HTTP, a call by Py4J."""
    answers = {}
    for port in ports:
        for kind, asked in (("HTTP", b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n"), ("Py4J", b"r\nu\njava\nrj\ne\n")):
            answers[f"{port} {kind}"] = asked_once(port, asked)
    return answers


def asked_once(port: int, asked: bytes) -> str:
    """The first bytes that a port answers."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as client:
            client.sendall(asked)
            return client.recv(200).decode("latin-1")
    except OSError as error:
        return type(error).__name__


def status_of(requests: Iterable[tuple[str, str]]) -> list[int]:
    """The status of each request by method and address, without a login."""
    found = []
    for method, address in requests:
        body = None if method == "GET" else b"{}"
        headers = {"Content-Type": "application/json"}
        try:
            with urllib.request.urlopen(
                urllib.request.Request(address, body, headers, method=method), timeout=30
            ) as got:
                found.append(got.status)
        except urllib.error.HTTPError as error:
            found.append(error.code)
    return found

"""Finds waits without an end in Python source: locks of files and threads, programs, servers, threads."""

from __future__ import annotations

import ast
from collections.abc import Iterator

FILE_LOCKS = frozenset({"FileLock", "SoftFileLock", "UnixFileLock", "BaseFileLock", "ReadWriteLock"})
THREAD_LOCKS = frozenset({"Lock", "RLock", "Condition", "Semaphore", "BoundedSemaphore", "Barrier"})
THREAD_MODULES = frozenset({"threading", "multiprocessing"})
PROGRAMS = frozenset({"subprocess.run", "subprocess.call", "subprocess.check_call", "subprocess.check_output"})
SERVERS = frozenset({"urllib.request.urlopen", "socket.create_connection", "smtplib.SMTP", "smtplib.SMTP_SSL"})
TIMEOUT_AT = {"FileLock": 1, "SoftFileLock": 1, "UnixFileLock": 1, "BaseFileLock": 1, "urlopen": 2}
"""Place of the time-out among the arguments, where it may stand without its name."""


def locks(source: str) -> list[int]:
    """Lines that take a lock of a file or make one of a thread, which may be waited for without an end."""
    tree = ast.parse(source)
    return sorted({call.lineno for call, name in calls(tree) if is_endless_lock(call, name)})


def waits(source: str) -> list[int]:
    """Lines that wait without an end for a program, a server, a thread or an event."""
    tree = ast.parse(source)
    return sorted({call.lineno for call, name in calls(tree) if is_endless_wait(call, name)})


def calls(tree: ast.Module) -> Iterator[tuple[ast.Call, str]]:
    """Every call with its full name, whatever it was imported as."""
    names = imported(tree)
    for call in ast.walk(tree):
        if isinstance(call, ast.Call):
            first, dot, rest = ast.unparse(call.func).partition(".")
            yield call, names.get(first, first) + dot + rest
            # `partial(FileLock, path)` and the like hand the class on.
            for item in call.args:
                if isinstance(item, ast.Name) and names.get(item.id, "").rpartition(".")[2] in FILE_LOCKS:
                    yield ast.copy_location(ast.Call(item, [], []), item), names[item.id]


def imported(tree: ast.Module) -> dict[str, str]:
    """What each name stands for: imports anywhere in the file, and second names that are given to them."""
    found: dict[str, str] = {}
    for item in ast.walk(tree):
        if isinstance(item, ast.Import):
            found |= {alias.asname or alias.name.partition(".")[0]: alias.name for alias in item.names if alias.asname}
        elif isinstance(item, ast.ImportFrom):
            found |= {alias.asname or alias.name: f"{item.module}.{alias.name}" for alias in item.names}
        elif isinstance(item, ast.Assign) and isinstance(item.value, ast.Name | ast.Attribute):
            first, dot, rest = ast.unparse(item.value).partition(".")
            known = found.get(first, first) + dot + rest
            if known.rpartition(".")[2] in FILE_LOCKS | {"flock", "lockf"}:
                found |= {target.id: known for target in item.targets if isinstance(target, ast.Name)}
    return found


def is_endless_lock(call: ast.Call, name: str) -> bool:
    module, _, last = name.rpartition(".")
    if last in FILE_LOCKS:
        return not has_end(call, last)
    if last in {"flock", "lockf"}:
        flags = call.args[1] if len(call.args) > 1 else call
        return not {"LOCK_NB", "LOCK_UN"} & {item.attr for item in ast.walk(flags) if isinstance(item, ast.Attribute)}
    if last in THREAD_LOCKS:
        return module.partition(".")[0] in THREAD_MODULES
    return last == "acquire" and not has_end(call, last) and not is_trial(call)


def is_endless_wait(call: ast.Call, name: str) -> bool:
    last = name.rpartition(".")[2]
    if name in PROGRAMS | SERVERS or last == "urlopen":
        return not has_end(call, last)
    return "." in name and last in {"wait", "join", "communicate"} and not call.args and not has_end(call, last)


def has_end(call: ast.Call, last: str) -> bool:
    """Whether a call has a time-out, and not one that stands for none."""
    place = TIMEOUT_AT.get(last, len(call.args))
    given = [item.value for item in call.keywords if item.arg in {"timeout", "seconds"}] or call.args[place : place + 1]
    return bool(given) and not any(ast.unparse(item) in {"None", "-1", "-1.0"} for item in given)


def is_trial(call: ast.Call) -> bool:
    """Whether a lock is only tried."""
    values = [*call.args, *(item.value for item in call.keywords if item.arg == "blocking")]
    return any(ast.unparse(item) == "False" for item in values)

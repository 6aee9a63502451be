"""Numbers that no machine holds. Runs at parse, in the CLI and in tests; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from medallion.spec.findings import Findings
from medallion.spec.positions import JsonPath

SHORT = frozenset(
    (
        *("timeout_seconds", "min_retry_interval_millis", "max_retries", "max_concurrent_runs", "concurrency"),
        *("num_workers", "min_workers", "max_workers"),
    )
)
"""Fields of 32 bits (Jobs API reference); the others have 64."""


def check_numbers(raw: Mapping[str, Any], findings: Findings) -> None:
    """An error for each number beyond what its field holds. The number is not written out: it may have many digits."""
    for path, name, value in numbers(raw):
        bits = 32 if name in SHORT else 64
        if not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
            findings.error(path, f"{name} is a number beyond the {bits} bits that the Jobs API has for it")


def numbers(raw: Mapping[str, Any]) -> Iterator[tuple[JsonPath, str, int | float]]:
    """Each number with its path and the nearest name, in the order of the text; without recursion."""
    waiting: list[tuple[JsonPath, str, object]] = [((), "", raw)]
    while waiting:
        path, name, value = waiting.pop()
        if isinstance(value, Mapping):
            waiting += [((*path, key), str(key), item) for key, item in reversed(list(value.items()))]
        elif isinstance(value, (list, tuple)):
            waiting += [((*path, place), name, item) for place, item in reversed(list(enumerate(value)))]
        elif isinstance(value, (int, float)) and value == value:
            yield path, name, value

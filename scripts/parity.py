#!/usr/bin/env python
"""Writes docs/parity.md: a row per field and enum word of the Jobs API, with its state and the test that proves it.

The rows come from the models (tests/spec/test_sdk_drift.py holds them against databricks-sdk), the states from
docs/parity.toml. `scripts/parity.py` writes the page; `--check` says whether it is up to date (exit code 1: it is not).
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from medallion.spec.job import Job
from medallion.spec.model import Choice, Model
from medallion.spec.shape import shape_of

PROJECT = Path(__file__).resolve().parent.parent
TABLE = PROJECT / "docs" / "parity.toml"
PAGE = PROJECT / "docs" / "parity.md"

READING = "tests/spec/test_job.py::test_every_field_survives_a_round_trip"
STATES = {
    "works": "works",
    "ignored": "accepted and ignored",
    "databricks": "Databricks only, not yet here",
    "refused": "refused",
}
"""Tables of parity.toml and their words on the page."""


class ParityError(ValueError):
    """The table of states does not fit the fields or the tests."""


@dataclass(frozen=True)
class Row:
    """A field of the API, or a word of one of its enums.

    :param path: where it stands in a job: `tasks[].run_if`, or `tasks[].run_if = ALL_DONE` for a word.
    :param owner: the model or enum that has it.
    :param shares: path of the same object elsewhere, whose rows hold for this one too.
    """

    path: str
    owner: type[Model] | type[Choice]
    name: str
    shares: str | None = None


@dataclass(frozen=True)
class State:
    """What is known of a row. `tests` prove it; a state that is not "works" has a reason."""

    kind: str
    reason: str = ""
    tests: tuple[str, ...] = field(default=())


@cache
def rows() -> tuple[Row, ...]:
    """Every field and word, each object once, at the place nearest to the job."""
    return tuple(walk())


def walk() -> Iterator[Row]:
    """The rows, breadth first."""
    places: dict[type[Model] | type[Choice], str] = {Job: ""}
    waiting: deque[type[Model]] = deque([Job])
    while waiting:
        model = waiting.popleft()
        prefix = f"{places[model]}." if places[model] else ""
        for name, shape in shape_of(model).items():
            path = f"{prefix}{name}{'[]' if shape.many and shape.model else ''}"
            inner = shape.model or shape.choice
            known = places.get(inner) if inner else None
            yield Row(path, model, name, known)
            if inner is None or known is not None:
                continue
            places[inner] = path
            if shape.model:
                waiting.append(shape.model)
        for name, shape in shape_of(model).items():
            if shape.choice and places[shape.choice] == f"{prefix}{name}":
                for member in shape.choice:
                    yield Row(f"{prefix}{name} = {member.value}", shape.choice, member.value)


def states(table: dict[str, Any]) -> dict[str, State]:
    """State by pattern: a path, or a path and `*` for what has no row of its own below it."""
    found: dict[str, State] = {}
    for kind, entries in table.items():
        if kind not in STATES:
            raise ParityError(f"parity.toml: unknown state {kind}; known are {', '.join(STATES)}")
        for pattern, value in entries.items():
            if pattern in found:
                raise ParityError(f"parity.toml: {pattern} has two states")
            found[pattern] = state(kind, pattern, value)
    return found


def state(kind: str, pattern: str, value: object) -> State:
    """One entry: works = test or tests; the others = reason, or [reason, test…]."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise ParityError(f"parity.toml: {pattern} must be a text or a list of texts")
    if kind != "works":
        return State(kind, texts[0], tuple(texts[1:]) or (READING,))
    if pattern.endswith("*"):
        raise ParityError(f"parity.toml: {pattern}: what works is named field by field")
    return State(kind, "", tuple(texts))


def state_of(row: Row, known: dict[str, State]) -> State | None:
    """The state of a row: its own, else that of the longest pattern that covers it."""
    if row.path in known:
        return known[row.path]
    covering = [pattern for pattern in known if pattern.endswith("*") and row.path.startswith(pattern[:-1])]
    return known[max(covering, key=len)] if covering else None


def problems(known: dict[str, State]) -> list[str]:
    """Rows without a state, states without a row, tests that do not exist."""
    paths = {row.path for row in rows()}
    found = [f"{row.path} has no state" for row in rows() if state_of(row, known) is None]
    for pattern, entry in known.items():
        prefix = pattern[:-1]
        covers = any(path.startswith(prefix) for path in paths) if pattern.endswith("*") else pattern in paths
        if not covers:
            found.append(f"{pattern} is no field")
        found += [f"{pattern}: there is no test {test}" for test in entry.tests if not test_exists(test)]
    return found


@cache
def tests_in(file: Path) -> frozenset[str]:
    """Names of a file's tests: functions, and methods as Class::method."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    names = {node.name for node in tree.body if isinstance(node, functions)}
    for owner in tree.body:
        if isinstance(owner, ast.ClassDef):
            names |= {f"{owner.name}::{node.name}" for node in owner.body if isinstance(node, functions)}
    return frozenset(name for name in names if name.rpartition("::")[2].startswith("test"))


def test_exists(test: str) -> bool:
    """Whether a test id names a test in this project: file::function, file::Class::method, with or without [case]."""
    place, _, name = test.partition("::")
    file = PROJECT / place
    return place.startswith("tests/") and file.is_file() and name.partition("[")[0] in tests_in(file)


test_exists.__test__ = False  # type: ignore[attr-defined]  # not a test, whatever its name


def page(known: dict[str, State]) -> str:
    """The text of the page."""
    entries = [(row, entry) for row in sorted(rows(), key=by_path) if (entry := state_of(row, known))]
    counts = Counter(entry.kind for _, entry in entries)
    lines = [
        "# Parity with the Jobs API",
        "",
        "One row per field and enum word of a job's settings. Written by `scripts/parity.py` from the models and",
        "`docs/parity.toml`, not by hand. Every field, of whatever state, is read, checked, kept and written back.",
        "",
        "| state | rows |",
        "|---|---|",
        *[f"| {words} | {counts[kind]} |" for kind, words in STATES.items()],
        "",
        "| field or word | state | note | proof |",
        "|---|---|---|---|",
        *[line(row, entry) for row, entry in entries],
    ]
    return "\n".join(lines) + "\n"


def by_path(row: Row) -> tuple[str, ...]:
    """Sorts a field before its parts and its words."""
    return tuple(row.path.replace("[]", "").replace(" = ", ".").split("."))


def line(row: Row, entry: State) -> str:
    """One line of the table."""
    note = "; ".join(text for text in (entry.reason, f"parts as in `{row.shares}`" if row.shares else "") if text)
    return f"| `{row.path}` | {STATES[entry.kind]} | {note} | {'<br>'.join(f'`{test}`' for test in entry.tests)} |"


def main(arguments: list[str]) -> int:
    """Writes the page or, with --check, compares it."""
    known = states(tomllib.loads(TABLE.read_text(encoding="utf-8")))
    if faults := problems(known):
        print("\n".join(faults))
        return 1
    text = page(known)
    if "--check" in arguments:
        same = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text
        print("docs/parity.md is up to date" if same else "docs/parity.md is old: run scripts/parity.py")
        return 0 if same else 1
    PAGE.write_text(text, encoding="utf-8")
    print(f"wrote {PAGE} with {len(rows())} rows")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

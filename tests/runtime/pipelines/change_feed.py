"""Changes to apply, and what comes of them by another way: plain Python that goes through them one by one."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Row = dict[str, Any]
DATA = ("region", "id", "name", "city", "address")
KEYS = ("region", "id")


def random_changes(seed: int, count: int, keys: int) -> list[Row]:
    """Changes of some keys, in no order, with two truncates and, for type 2, rows that say nothing new."""
    chance = random.Random(seed)
    numbers = chance.sample(range(1, 10 * count), count)
    cut = set(chance.sample(numbers, 2))
    found = []
    for number in numbers:
        kind = "T" if number in cut else chance.choices("UD", (85, 15))[0]
        key = chance.randrange(keys)
        row: Row = {"op": kind, "at": number // 7, "n": number}
        if kind != "T":
            row |= {"region": "ab"[key % 2], "id": key // 2}
        if kind == "U":
            street = {"street": chance.choice(["x", "y", None]), "zip": chance.choice([1, 2, None])}
            row |= {
                "name": chance.choice(["Ann", "Bob", None]),
                "city": chance.choice(["Oslo", "Rome", None]),
                "address": chance.choice([street, street, None]),
            }
        found.append(row)
    return found


def write(folder: Path, name: str, changes: Iterable[Row]) -> None:
    """A file of changes, a line for each."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text("".join(f"{json.dumps(change)}\n" for change in changes))


def data_of(change: Row) -> Row:
    """The columns of the target."""
    return {name: change.get(name) for name in DATA}


def merged(old: Any, new: Any) -> Any:
    """The new value, with the old one where it says nothing; field by field in a structure."""
    if isinstance(new, dict) and isinstance(old, dict):
        return {name: merged(old[name], new[name]) for name in new}
    return old if new is None else new


def newest(changes: Iterable[Row], fill: Iterable[str] = ()) -> list[Row]:
    """Type 1: the rows after all changes, applied in their order."""
    table: dict[tuple[Any, ...], Row] = {}
    for change in sorted(changes, key=lambda change: change["n"]):
        key = tuple(change.get(name) for name in KEYS)
        if change["op"] == "T":
            table.clear()
        elif change["op"] == "D":
            table.pop(key, None)
        else:
            row, old = data_of(change), table.get(key)
            table[key] = filled(old, row, fill)
    return sorted(table.values(), key=repr)


def history(changes: Iterable[Row], tracked: Iterable[str], fill: Iterable[str] = ()) -> list[Row]:
    """Type 2: each row with the span in which it held; truncates are none of its business."""
    done: list[Row] = []
    live: dict[tuple[Any, ...], Row] = {}
    for change in sorted(changes, key=lambda change: change["n"]):
        key, number = tuple(change.get(name) for name in KEYS), change["n"]
        if change["op"] == "T":
            continue
        old = live.pop(key, None)
        if change["op"] == "D":
            done += [{**old, "__END_AT": number}] if old else []
            continue
        row = filled(old, data_of(change), fill)
        if old and all(old[name] == row[name] for name in tracked):
            live[key] = {**row, "__START_AT": old["__START_AT"], "__END_AT": None}
            continue
        done += [{**old, "__END_AT": number}] if old else []
        live[key] = {**row, "__START_AT": number, "__END_AT": None}
    return sorted([*done, *live.values()], key=repr)


def filled(old: Row | None, row: Row, fill: Iterable[str]) -> Row:
    """A row with the old values of some columns where it has none."""
    return {name: merged(old[name], value) if old and name in fill else value for name, value in row.items()}

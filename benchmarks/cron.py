"""How fast fire times are found: lines a second of `medallion cron next --batch`, beside croniter when it is installed.

Run by hand: `python benchmarks/cron.py [--lines 50000]`. One process, one core. The same questions go to both; croniter
reads each expression anew, because it has no cache of its own, and it knows no Quartz, so it gets what both can read.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable
from datetime import datetime
from importlib.util import find_spec
from time import process_time
from zoneinfo import ZoneInfo

from medallion.cli.cron_batch import answer

ZONES = ("UTC", "Europe/Warsaw", "America/New_York")
SIMPLE = ("0 {m} {h} * * ?", "0 */15 * * * ?", "0 0 9 * * ?", "{s} {m} {h} {d} * ?", "0 {m} * * * ?")
DAYS = ("0 {m} {h} L * ?", "0 {m} {h} {d}W * ?", "0 {m} {h} ? * 6L", "0 {m} {h} ? * MON#1", "0 {m} {h} ? * MON-FRI")
SPARSE = ("0 0 0 29 2 ? 2096", "0 0 0 ? 2 SUN#5", "0 0 12 31 12 ? 2120", "0 0 0 30 2 ?")


def questions(forms: tuple[str, ...], lines: int, count: int) -> list[dict]:
    """Random questions of some forms, the same each time."""
    source = random.Random(1)
    found = []
    for _ in range(lines):
        parts = {"s": source.randint(0, 59), "m": source.randint(0, 59), "h": source.randint(0, 23)}
        expression = source.choice(forms).format(**parts, d=source.randint(1, 28))
        after = source.randint(1_700_000_000, 1_900_000_000)
        found.append({"expr": expression, "tz": source.choice(ZONES), "after": after, "n": count})
    return found


def speed(ask: Callable[[dict], object], asked: list[dict]) -> float:
    """Questions a second of this process's own time."""
    begun = process_time()
    for question in asked:
        ask(question)
    return len(asked) / (process_time() - begun)


def ours(question: dict) -> str:
    """The batch mode's work on one line."""
    return answer(json.dumps(question).encode())


def croniter_answer(question: dict) -> str:
    """The same with croniter: seconds first, every day field as a star."""
    from croniter import croniter

    asked = json.loads(json.dumps(question))
    start = datetime.fromtimestamp(asked["after"], ZoneInfo(asked["tz"]))
    times = croniter(asked["expr"].replace("?", "*"), start, second_at_beginning=True)
    return json.dumps({"next": [int(times.get_next(float)) for _ in range(asked["n"])]})


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=50_000)
    lines = parser.parse_args().lines
    rival = find_spec("croniter") is not None
    print(f"{'questions':<44}{'medallion':>12}{'croniter' if rival else 'no rival':>12}   lines a second")
    rows = (
        ("simple, 1 fire time", SIMPLE, 1, True),
        ("simple, 5 fire times", SIMPLE, 5, True),
        ("L, W, # and weekdays, 5 fire times", DAYS, 5, False),
        ("sparse (29 February 2096, never, …), 1", SPARSE, 1, False),
    )
    for name, forms, count, comparable in rows:
        asked = questions(forms, lines, count)
        theirs = f"{speed(croniter_answer, asked[: lines // 25]):,.0f}" if rival and comparable else "-"
        print(f"{name:<44}{speed(ours, asked):>12,.0f}{theirs:>12}")


if __name__ == "__main__":
    main()

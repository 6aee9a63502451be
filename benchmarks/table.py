"""The README's table of figures, made from `benchmarks/results`.

    python benchmarks/table.py            prints it, and what is wrong with the results
    python benchmarks/table.py --check    fails when the README has another table
    python benchmarks/table.py --write    puts it into the README; refuses results that are older than the code that they
                                          measure or have fewer than five rounds
    python benchmarks/table.py --write --accept chain pipeline_10000
                                          takes these as they are: the table says when and in how many rounds

Each row names its figures by their path in the result, so no figure is typed by hand.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from measured import PROJECT, changed

RESULTS = Path(__file__).parent / "results"
README = PROJECT / "README.md"
HEAD = "| what | Medallion | beside it | ratio | measured |\n|---|---|---|---|---|\n"
ROUNDS = 5

Result = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    :param result: name of the file.
    :param ours: our figure, from the result.
    :param rival: the other figure, and what it is of.
    """

    what: str
    result: str
    command: str
    ours: Callable[[Result], str]
    rival: Callable[[Result], str]
    ratio: Callable[[Result], str]
    rounds: Callable[[Result], int]


def at(*path: str) -> Callable[[Result], Any]:
    """What stands at a path of a result; the median of a list."""

    def look(result: Result) -> Any:
        found: Any = result
        for name in path:
            found = found[name]
        return middle(found) if isinstance(found, list) else found

    return look


def middle(values: Sequence[float]) -> float:
    """The median."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def seconds(value: float) -> str:
    """`17 s`, `2.5 s`, `0.08 s`, `3 ms`: two digits that count."""
    if value < 0.02:
        return f"{value * 1000:.0f} ms"
    digits = 0 if value >= 10 else 1 if value >= 1 else 2
    return f"{value:.{digits}f} s"


def row(
    what: str,
    result: str,
    command: str,
    ours: Callable[[Result], Any],
    rivals: Mapping[str, Callable[[Result], Any]],
    rounds: Callable[[Result], Any] | None = None,
    show: Callable[[float], str] = seconds,
) -> Row:
    """A row whose ratios are ours by each rival's.

    :param rivals: the others' figures by what they are of.
    """
    return Row(
        what,
        result,
        command,
        lambda found: show(ours(found)),
        lambda found: "; ".join(f"{show(look(found))}: {name}" for name, look in rivals.items()),
        lambda found: "; ".join(f"{ours(found) / look(found):.2f}" for look in rivals.values()),
        lambda found: int(rounds(found) if rounds else found.get("rounds", 1)),
    )


def pipeline_rounds(*ways: str) -> Callable[[Result], int]:
    """The fewest rounds of the ways of a pipeline."""
    return lambda result: min(len(result["seconds"][way]) for way in ways)


def pipeline(what: str, orders: int, ours: str, rival: str, name: str) -> Row:
    """A row of RetailHub."""
    command = f"benchmarks/pipeline.py --orders {orders} --rounds 5"
    rivals = {name: at("seconds", rival)}
    return row(what, f"pipeline_{orders}", command, at("seconds", ours), rivals, pipeline_rounds(ours, rival))


def share(value: float) -> str:
    """`17 % of a core`."""
    return f"{value:.1%} of a core".replace("%", " %")


PLAIN = "the same notebooks in one plain PySpark process, set up as Delta's quick start says"
THOUSAND = ("jobs", "1000", "milliseconds")


def thousand(name: str) -> Callable[[Result], float]:
    """Seconds of a parse of 1,000 jobs."""
    look = at(*THOUSAND, name)
    return lambda result: look(result) / 1000


LOOP = ("seconds", "200 iterations at concurrency 10")
START = "seconds to the first line"

ROWS = (
    pipeline("RetailHub, 10,000 orders, scheduler and driver running", 10_000, "a_warm", "c_plain", PLAIN),
    pipeline("the same, nothing running, a new home", 10_000, "b_cold", "c_plain", "the same"),
    pipeline("the same, running", 10_000, "a_warm", "c_plain_tuned", "plain PySpark with our Spark settings"),
    pipeline("the same, running", 10_000, "a_warm", "d_spark_submit", "Airflow with a spark-submit per task"),
    pipeline("RetailHub, 1,000,000 orders, running", 1_000_000, "a_warm", "c_plain", "plain PySpark as above"),
    pipeline("the same, nothing running, a new home", 1_000_000, "b_cold", "c_plain", "the same"),
    row(
        "parse of 1,000 jobs of 8 tasks",
        "parse",
        "benchmarks/parse.py",
        thousand("medallion"),
        {"by hand in Python": thousand("by_hand"), "with dag-factory": thousand("dag_factory")},
    ),
    row(
        "a task's own parse, 1,000 jobs in the folder",
        "parse",
        "benchmarks/parse.py",
        thousand("task"),
        {"by hand, the one DAG alone in its file": thousand("alone")},
    ),
    row(
        "dag processor with 1,000 jobs, nothing changes",
        "processor",
        "benchmarks/scheduler.py processor",
        at("CPU while nothing changes, share of a core"),
        {"plain Airflow, the DAGs by hand in 40 files": at("the same of plain Airflow")},
        show=share,
    ),
    row(
        "lease to the first line of a notebook, warm",
        "notebook_start",
        "benchmarks/notebook_start.py",
        at(START, "spare process, median"),
        {"a fresh process": at(START, "fresh process, median")},
    ),
    row(
        "a chain of 8 notebooks under the scheduler",
        "chain",
        "benchmarks/scheduler.py chain",
        at("seconds", "8 notebooks"),
        {"8 plain Airflow Python tasks": at("seconds", "8 plain Python tasks")},
    ),
    row(
        "a for-each of 200 Python files, 10 at a time",
        "for_each",
        "benchmarks/control_flow.py loop",
        at(*LOOP, "medallion"),
        {"200 mapped plain Airflow Python tasks": at(*LOOP, "plain")},
    ),
    row(
        "Auto Loader, 1,000,000 orders in 100 JSON files",
        "auto_loader_1000000",
        "benchmarks/auto_loader.py",
        at("auto_loader"),
        {"Spark's file stream with the schema given": at("plain")},
    ),
    row(
        "a pipeline task of three datasets",
        "pipelines_task",
        "benchmarks/pipelines_task.py",
        at("seconds", "a_task"),
        {"`spark-pipelines run`": at("seconds", "b_spark_pipelines")},
        pipeline_rounds("a_task", "b_spark_pipelines"),
    ),
)


def read(name: str) -> Result:
    """One result."""
    found: Result = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def table(results: Mapping[str, Result]) -> str:
    """The table."""
    return HEAD + "".join(line(item, results[item.result]) for item in ROWS)


def line(item: Row, result: Result) -> str:
    """One row as Markdown.

    :raises SystemExit: the result lacks a figure; says how to measure it.
    """
    try:
        return cells(item, result)
    except LookupError as error:
        raise SystemExit(f"results/{item.result}.json has no {error}: python {item.command}") from None


def cells(item: Row, result: Result) -> str:
    """One row as Markdown. Raises LookupError."""
    day = date.fromisoformat(result["date"])
    rounds = item.rounds(result)
    when = f"{day.day} {day:%b %Y}, {rounds} round{'s' * (rounds != 1)}"
    return f"| {item.what} | {item.ours(result)} | {item.rival(result)} | {item.ratio(result)} | {when} |\n"


def faults(item: Row, result: Result) -> list[str]:
    """What speaks against a row's result: code that has changed since, too few rounds."""
    found = []
    if parts := changed(item.result, result):
        found.append(f"measured on {result['date']}, before changes of {', '.join(parts)}")
    if (rounds := item.rounds(result)) < ROUNDS:
        found.append(f"{rounds} rounds, wanted are {ROUNDS}")
    return found


def refused(results: Mapping[str, Result], accepted: Sequence[str]) -> list[str]:
    """A line for each result that does not count, with the command that measures it again."""
    found = {}
    for item in ROWS:
        if item.result not in accepted and (why := faults(item, results[item.result])):
            found[item.result] = f"{item.result}: {'; '.join(why)}\n    python {item.command}"
    return list(found.values())


def shown(text: str) -> str:
    """The table that a text holds."""
    lines = text.splitlines(keepends=True)
    starts = [number for number, item in enumerate(lines) if item.startswith(HEAD.partition("\n")[0][:40])]
    if len(starts) != 1:
        raise SystemExit(f"{README.name} has {len(starts)} tables that begin with {HEAD.partition(chr(10))[0]!r}")
    end = next((at for at in range(starts[0], len(lines)) if not lines[at].startswith("|")), len(lines))
    return "".join(lines[starts[0] : end])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print, check or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true")
    what.add_argument("--write", action="store_true")
    parser.add_argument("--accept", nargs="*", default=[], metavar="RESULT")
    given = parser.parse_args(arguments)
    results = {item.result: read(item.result) for item in ROWS}
    made, text = table(results), README.read_text(encoding="utf-8")
    if given.check:
        if shown(text) != made:
            sys.stderr.write(
                f"{README.name} has another table than its results give: python benchmarks/table.py --write\n"
            )
        return int(shown(text) != made)
    refusals = refused(results, given.accept)
    if given.write and not refusals:
        README.write_text(text.replace(shown(text), made), encoding="utf-8")
        return 0
    print(made)
    sys.stderr.write("".join(f"{item}\n" for item in refusals))
    return int(given.write)


if __name__ == "__main__":
    sys.exit(main())

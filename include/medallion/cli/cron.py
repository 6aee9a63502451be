"""`medallion cron`: fire times of a schedule, and what it says in plain English. In the user's shell."""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime
from typing import Annotated

import typer

from medallion.errors import MedallionError
from medallion.spec.quartz import Schedule, clock_of, parse_schedule

app = typer.Typer(
    help="Ask a Quartz cron expression for its fire times.", no_args_is_help=True, rich_markup_mode="rich"
)

NEXT_EXAMPLES = """
Examples:

  medallion cron next "0 30 9 ? * MON-FRI" --timezone Europe/Warsaw

  medallion cron next "0 0 2 L * ?" --after 2026-02-01T00:00 -n 3 --json

  medallion cron next --batch < questions.jsonl
"""

EXPLAIN_EXAMPLES = """
Examples:

  medallion cron explain "0 15 10 ? * 6L 2026-2030"

  medallion cron explain "*/5 9-17 * * 1-5"
"""


class TimeError(MedallionError):
    """A time on the command line cannot be read."""

    exit_code = 2


@app.command("next", epilog=NEXT_EXAMPLES)
def next_command(
    expression: Annotated[str | None, typer.Argument(metavar="EXPR", help="Quartz expression, or Unix cron.")] = None,
    timezone: Annotated[str, typer.Option("--timezone", "--tz", help="Java time-zone id.")] = "UTC",
    after: Annotated[str | None, typer.Option(help="Epoch seconds or ISO time; without offset in --timezone.")] = None,
    count: Annotated[int, typer.Option("-n", min=1, max=100_000, help="How many fire times.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    batch: Annotated[bool, typer.Option("--batch", help="Answer JSON lines from standard input.")] = False,
) -> None:
    """Print the next fire times of a schedule."""
    if batch:
        from medallion.cli.cron_batch import run

        run(sys.stdin.fileno(), sys.stdout.fileno())
        return
    if expression is None:
        raise typer.BadParameter("give an expression, or --batch", param_hint="EXPR")
    schedule = parse_schedule(expression)
    start = int(time.time()) if after is None else instant(after, timezone)
    times = schedule.quartz.next_times(start, timezone, count)
    zone = clock_of(timezone).zone
    local = [datetime.fromtimestamp(at, zone) for at in times]
    if as_json:
        told = {"expression": expression, "timezone": timezone, "note": schedule.note, "next": times}
        sys.stdout.write(json.dumps({**told, "times": [at.isoformat() for at in local]}) + "\n")
        return
    show_note(schedule)
    for epoch, at in zip(times, local, strict=True):
        typer.echo(f"{at:%a %Y-%m-%d %H:%M:%S %z}  {epoch}")
    if not times:
        typer.echo(f"never fires after {datetime.fromtimestamp(start, zone):%Y-%m-%d %H:%M:%S %z}")


@app.command("explain", epilog=EXPLAIN_EXAMPLES)
def explain_command(
    expression: Annotated[str, typer.Argument(metavar="EXPR", help="Quartz expression, or Unix cron.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say in plain English when a schedule fires."""
    schedule = parse_schedule(expression)
    text = schedule.quartz.describe()
    if as_json:
        sys.stdout.write(json.dumps({"expression": expression, "note": schedule.note, "description": text}) + "\n")
        return
    show_note(schedule)
    typer.echo(text)


def show_note(schedule: Schedule) -> None:
    """How the expression was read, where that may surprise; on standard error, so that output stays fire times."""
    if schedule.note:
        typer.echo(f"note: {schedule.note}", err=True)


def instant(text: str, timezone: str) -> int:
    """Epoch seconds of a time that a person typed.

    :param text: epoch seconds, or ISO 8601; without an offset it is a time on the clock of `timezone`.
    :raises TimeError: it is neither, or out of the years that a clock can show.
    """
    try:
        if text.strip().lstrip("-").isdecimal():
            return int(datetime.fromtimestamp(int(text), clock_of("UTC").zone).timestamp())
        read = datetime.fromisoformat(text.strip())
        return int((read if read.tzinfo else read.replace(tzinfo=clock_of(timezone).zone)).timestamp() // 1)
    except (ValueError, OverflowError, OSError):
        hint = "give epoch seconds such as 1774672630, or 2026-03-28T09:30, or 2026-03-28T09:30+01:00"
        raise TimeError(f"{text!r} is not a time", hint=hint) from None

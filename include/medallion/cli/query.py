"""`medallion sql`: statements on the default driver. In the user's shell."""

from __future__ import annotations

import csv
import io
import json
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medallion.cli.output import JsonOption, console, print_json, settings_of

if TYPE_CHECKING:
    from medallion.components.sql_query import Answer

NUMBERS = ("tinyint", "smallint", "int", "bigint", "float", "double", "decimal")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("sql", rich_help_panel="Jobs")(sql)


def sql(
    ctx: typer.Context,
    statement: Annotated[str, typer.Argument(metavar="STATEMENT", help="SQL text; `-` reads standard input.")],
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many rows.")] = 100,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the rows as CSV.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Run SQL on the default Spark driver and print the last statement's rows. A first call starts the driver.

    \b
    Examples:
      medallion sql "SELECT * FROM retailhub.gold.gold_daily_orders" --limit 5
      medallion sql "SHOW CATALOGS"
      medallion sql - --csv < report.sql > report.csv
    """
    from medallion.components.sql_query import query

    if as_csv and as_json:
        raise typer.BadParameter("--csv and --json exclude each other")
    settings = settings_of(ctx)
    err = console(error=True)

    def say(text: str) -> None:
        if not as_json:
            err.print(text, markup=False)

    text = sys.stdin.read() if statement == "-" else statement
    answer = query(settings, text, limit=limit, say=say)
    if as_json:
        print_json(as_object(answer))
    elif as_csv:
        sys.stdout.write(as_text(answer))
    else:
        show(answer, limit)


def as_object(answer: Answer) -> dict[str, Any]:
    """The answer as JSON. Rows are lists, as two columns may have one name; decimals keep their digits as text."""
    return {
        "columns": [{"name": name, "type": kind} for name, kind in zip(answer.columns, answer.types, strict=True)],
        "rows": [[number_of(value) for value in row] for row in answer.rows],
        "truncated": answer.more,
    }


def number_of(value: Any) -> Any:
    """A decimal as a number when no digit is lost, else as text."""
    if not isinstance(value, Decimal):
        return value
    return float(value) if Decimal(str(float(value))) == value else str(value)


def as_text(answer: Answer) -> str:
    """The answer as CSV with a header."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(answer.columns)
    writer.writerows([cell(value) for value in row] for row in answer.rows)
    return stream.getvalue()


def cell(value: Any) -> str:
    """A value as text: nothing for null, JSON for arrays and structs."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, default=str, ensure_ascii=False) if isinstance(value, (dict, list)) else str(value)


def show(answer: Answer, limit: int) -> None:
    """The answer as a table."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    out = console()
    if not answer.columns:
        out.print("OK")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, kind in zip(answer.columns, answer.types, strict=True):
        table.add_column(Text(name), justify="right" if kind.startswith(NUMBERS) else "left", overflow="fold")
    for row in answer.rows:
        table.add_row(*(Text("NULL", style="dim") if value is None else Text(cell(value)) for value in row))
    out.print(table)
    if answer.more:
        out.print(f"the first {limit} rows; --limit shows more", style="dim")

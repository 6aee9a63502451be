"""`medallion settings`, `doctor` and `setup`: this machine and this project. In the user's shell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from medallion.cli.output import JsonOption, console, print_json, settings_of

if TYPE_CHECKING:
    from medallion.settings import Settings

VERDICT_COLOURS = {"ok": "green", "warning": "yellow", "missing": "red"}


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command(rich_help_panel="Machine")(doctor)
    app.command("settings", rich_help_panel="Machine")(show_settings)
    app.command(rich_help_panel="Machine")(setup)


def show_settings(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Show every setting, its value, and where the value comes from: a variable, medallion.toml, or the default.

    \b
    Examples:
      medallion settings
      MEDALLION_PORT=9090 medallion settings --json | jq .settings.port.value
    """
    from medallion.settings import Settings, read_sources

    settings = settings_of(ctx)
    _, origins = read_sources(ctx.obj)
    values = settings.model_dump(mode="json")
    fields = Settings.model_fields
    if as_json:
        print_json(
            {
                "settings": {
                    name: {"value": values[name], "origin": origins[name], "description": field.description or ""}
                    for name, field in fields.items()
                }
            }
        )
        return
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("setting", "value", "from", "meaning"):
        table.add_column(title, overflow="fold")
    for name, field in fields.items():
        strong = "bold" if origins[name] not in {"default", "found"} else ""
        cells = (name, "" if values[name] is None else str(values[name]), origins[name], field.description or "")
        table.add_row(*(escape(cell) for cell in cells), style=strong)
    console().print(table)


def doctor(
    ctx: typer.Context,
    fetch: Annotated[bool, typer.Option("--fetch", help="Fetch the JARs that are missing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Say what this machine lacks to run jobs, and how to get it. The exit status is 2 when something is missing.

    \b
    Examples:
      medallion doctor
      medallion doctor --fetch
    """
    from medallion.components.diagnosis import Verdict, examine
    from medallion.errors import MedallionError, SettingsError

    try:
        settings = settings_of(ctx)
    except SettingsError as error:
        raise SettingsError(error.message, hint=error.hint or "mend it first: nothing else can be looked at") from None
    failed_fetch = None
    if fetch:
        try:
            fetch_jars(settings, quiet=as_json)
        except MedallionError as error:
            failed_fetch = error
    findings = list(examine(settings))
    missing = failed_fetch is not None or any(item.verdict is Verdict.MISSING for item in findings)
    if as_json:
        told = {"error": str(failed_fetch)} if failed_fetch else {}
        print_json({"ok": not missing, "findings": [item.as_json() for item in findings], **told})
    else:
        out = console()
        out.print(findings_table(findings))
        if failed_fetch:
            out.print(f"[red]{failed_fetch}[/red]")
    raise typer.Exit(2 if missing else 0)


def findings_table(findings: list[Any]) -> Any:
    """The findings as a rich table."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("", "matter", "found", "what to do"):
        table.add_column(title, overflow="fold")
    for item in findings:
        colour = VERDICT_COLOURS[item.verdict]
        table.add_row(f"[{colour}]{item.verdict}[/{colour}]", item.matter, escape(item.found), escape(item.remedy))
    return table


def fetch_jars(settings: Settings, *, quiet: bool) -> None:
    """Fetch the JARs, with a bar on standard error."""
    from medallion.compute import jars

    jars.fetch_jars(settings, progress=False if quiet else None)


def setup(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Make this project ready: look for Java, fetch the JARs, make Airflow's database. A second call does nothing.

    \b
    Examples:
      medallion setup
    """
    import time

    from medallion.components.configuration import Endpoint, write_configuration
    from medallion.components.database import ensure_database
    from medallion.components.deployment import require_own_database
    from medallion.compute.java import find_java

    settings = settings_of(ctx)
    require_own_database(settings)
    err = console(error=True)
    steps: dict[str, float] = {}
    found: dict[str, str] = {}

    def java() -> str:
        runtime = find_java(settings.java_home)
        return f"Java {runtime.version} ({runtime.origin})"

    def jars() -> str:
        fetch_jars(settings, quiet=as_json)
        return "JARs of Delta"

    def database() -> str:
        write_configuration(settings, Endpoint(settings.host, settings.port))
        ensure_database(settings)
        return "Airflow's database"

    for name, step in {"java": java, "jars": jars, "database": database}.items():
        started = time.monotonic()
        found[name] = step()
        steps[name] = round(time.monotonic() - started, 2)
        if not as_json:
            err.print(f"[green]ok[/green] {found[name]} ({steps[name]:.1f} s)")
    if as_json:
        print_json({"ok": True, "found": found, "seconds": steps})

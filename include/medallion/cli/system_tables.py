"""`medallion system-tables` and `medallion jobs-service`: what happened, as tables. In the user's shell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from medallion.cli.output import JsonOption, console, print_json, settings_of

if TYPE_CHECKING:
    from collections.abc import Callable

REBUILD_SECONDS = 3600

tables = typer.Typer(no_args_is_help=True, help="The catalog system: what happened to jobs and runs, as Delta tables.")


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.add_typer(tables, name="system-tables", rich_help_panel="Jobs")
    app.command("jobs-service", rich_help_panel="Airflow")(jobs_service)


@tables.command()
def rebuild(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Make the tables of runs again from Airflow's database. Rows of runs that Airflow has forgotten stay.

    \b
    Examples:
      medallion system-tables rebuild
    """
    from medallion.components.configuration import Endpoint, environment, write_configuration
    from medallion.components.database import ensure_database
    from medallion.components.places import places_of
    from medallion.errors import RunError, TargetError

    settings = settings_of(ctx)
    if not places_of(settings).configuration.is_file():
        write_configuration(settings, Endpoint(settings.host, settings.port))
    ensure_database(settings)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "medallion.runs.system_tables.rebuild"],
            env=environment(settings),
            cwd=settings.project,
            capture_output=True,
            text=True,
            timeout=REBUILD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        hint = "ask again when less runs: what was written counts, and is not written twice"
        raise TargetError(f"the system tables were not rebuilt within {REBUILD_SECONDS} s", hint=hint) from None
    if done.returncode:
        tail = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise RunError(f"the system tables could not be rebuilt:\n{tail}", hint=f"look at {settings.lake / 'system'}")
    told = json.loads(done.stdout.strip().splitlines()[-1])
    if as_json:
        print_json(told)
        return
    for name, count in told["rows"].items():
        console().print(f"{name:<45} {count:>8} rows", markup=False, highlight=False)


def jobs_service(
    ctx: typer.Context,
    check: Annotated[bool, typer.Option("--check", help="Only tell whether it is well, by the exit status.")] = False,
) -> None:
    """Run the jobs service by itself, where Airflow's components are started in another way than by `medallion up`.

    \b
    Examples:
      medallion jobs-service
      medallion jobs-service --check
    """
    from medallion.components.configuration import environment
    from medallion.components.places import prepare

    settings = settings_of(ctx)
    prepare(settings)
    replace: Callable[..., None] = os.execve
    more = ["--check"] if check else []
    replace(sys.executable, [sys.executable, "-P", "-m", "medallion.runs.service", *more], environment(settings))

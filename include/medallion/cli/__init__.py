"""The `medallion` command: its groups, its global option, and how it ends. Runs in the user's shell.

Start-up is kept under half a second: command modules import Airflow, Spark and pydantic inside the functions that need
them, and a group made elsewhere is imported only when it is asked for.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from medallion.cli import (
    control,
    definitions,
    machine,
    notifications,
    query,
    running,
    runs,
    services,
    starts,
    system_tables,
    targets,
    tokens,
    triggers,
)
from medallion.cli.output import announce_code, fail
from medallion.errors import MedallionError

INTERRUPTED = 130
"""Exit status of a command ended by Ctrl-C, as shells count it: 128 + SIGINT."""

app = typer.Typer(
    name="medallion",
    help="Runs Databricks Lakeflow Jobs, as they are written, on Apache Airflow, Spark and Delta Lake.",
    epilog="Start with [bold]medallion doctor[/bold], [bold]medallion list[/bold], [bold]medallion run JOB[/bold].",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def show_version(wanted: bool) -> None:
    """Print the version and end."""
    if wanted:
        from medallion import __version__

        typer.echo(f"medallion {__version__}")
        raise typer.Exit


@app.callback()
def global_options(
    ctx: typer.Context,
    project: Annotated[
        Path | None,
        typer.Option(
            "--project",
            metavar="DIR",
            help="The project folder: it holds medallion.toml and jobs/. Default: found from the working directory.",
            exists=True,
            file_okay=False,
            resolve_path=True,
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Keep the project for the command that follows."""
    del version
    ctx.obj = project


for group in (
    definitions,
    running,
    starts,
    runs,
    control,
    notifications,
    services,
    query,
    machine,
    targets,
    triggers,
    system_tables,
    tokens,
):
    group.register(app)


def mount_cron(arguments: Sequence[str]) -> None:
    """Add `medallion cron`. Its module evaluates Quartz expressions and is imported when asked for or listed."""
    listed = not arguments or arguments[0] in {"-h", "--help", "cron"} or "cron" in arguments
    if not listed or any(entry.name == "cron" for entry in app.registered_groups):
        return
    from medallion.cli import cron

    app.add_typer(cron.app, name="cron")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit status: 0 good, 1 a failed run, 2 wrong input, 130 stopped by Ctrl-C."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in given
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files need not be UTF-8, nor need the terminal
    announce_code()
    try:
        mount_cron(given)
        answer = typer.main.get_command(app).main(args=given, prog_name="medallion", standalone_mode=False)
    except typer.TyperException as error:
        return usage_error(error, as_json=as_json)
    except MedallionError as error:
        return fail(error, as_json=as_json)
    except (KeyboardInterrupt, typer.Abort) as stop:
        typer.echo(f"\n{stop}" if str(stop) else "\nstopped", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away (`medallion list | head`). Nothing may be written any more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except OSError as error:
        return fail(without_room(error) or unreachable_place(error), as_json=as_json)
    except Exception as error:  # noqa: BLE001  a fault of ours: the user gets words, the traceback goes to a file
        return fail(without_room(error) or own_fault(error), as_json=as_json)
    return answer if isinstance(answer, int) else 0


def usage_error(error: typer.TyperException, *, as_json: bool) -> int:
    """Say what is wrong with the command line, with typer's own box, or as JSON."""
    from typer import rich_utils

    if as_json:
        return fail(MedallionError(error.format_message()), as_json=True, code=error.exit_code)
    rich_utils.rich_format_error(cast("Any", error))
    return error.exit_code


def without_room(error: Exception) -> MedallionError | None:
    """The words for a full disk; None for another error."""
    import contextlib

    from medallion.compute.room import disk_full
    from medallion.settings import Settings

    with contextlib.suppress(MedallionError, OSError):
        return disk_full(error, Settings.load())
    return None


def own_fault(error: Exception) -> MedallionError:
    """An error that is a mistake of Medallion, in words; its traceback is kept for the report."""
    import tempfile
    import traceback

    text = f"this is a fault of Medallion itself: {type(error).__name__}: {error}"
    told = "".join(traceback.format_exception(error))
    try:
        descriptor, name = tempfile.mkstemp(prefix="medallion-fault-", suffix=".txt")
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(told)
    except OSError:
        return MedallionError(text, hint=f"please report it:\n{told}")
    return MedallionError(text, hint=f"please report it with {name}")


def unreachable_place(error: OSError) -> MedallionError:
    """A file or folder that cannot be used, in words."""
    place = error.filename or "a file"
    text = f"{place}: {error.strerror or error}"
    hint = "choose a place that can be written with MEDALLION_HOME, or the setting `home`"
    return MedallionError(text, hint=hint if isinstance(error, PermissionError) or error.errno == 30 else None)

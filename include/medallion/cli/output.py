"""What every command prints with: consoles, the one JSON object, problems with their line. In the user's shell."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medallion.core.text import json_for_terminal, storable
from medallion.errors import MedallionError, SpecError

if TYPE_CHECKING:
    from rich.console import Console

    from medallion.settings import Settings
    from medallion.spec.problems import Problem

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
TargetOption = Annotated[
    str | None, typer.Option("--target", "-t", metavar="NAME", help="Target of asset bundles, as in databricks.yml.")
]
VariableOption = Annotated[
    list[str] | None, typer.Option("--var", metavar="NAME=VALUE", help="Value of a bundle variable; may be repeated.")
]
COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}
SOURCE_WIDTH = 120
"""Characters shown of a source line."""
PLAIN_WIDTH = 160
"""Columns of a table when the output is no terminal: a file or a pipe has no width of its own."""


def announce_code() -> None:
    """Show on standard error what the reading of bundles runs, whatever Airflow does with logs."""
    import logging

    log = logging.getLogger("medallion.spec.bundle.python_resources")
    if not log.handlers:
        log.addHandler(logging.StreamHandler(ErrorStream()))
        log.propagate = False


class ErrorStream:
    """The standard error of the moment."""

    def write(self, text: str) -> None:
        """Write to it."""
        sys.stderr.write(text)

    def flush(self) -> None:
        """Nothing is kept here."""
        sys.stderr.flush()


def settings_of(ctx: typer.Context) -> Settings:
    """Settings of the project that the command line names. Raises SettingsError."""
    from medallion.settings import Settings

    return Settings.load(ctx.obj)


def console(*, error: bool = False) -> Console:
    """A rich console on standard output, or on standard error. What a run printed cannot give orders to the terminal."""
    from medallion.cli.safe_console import SafeConsole

    stream = sys.stderr if error else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else PLAIN_WIDTH
    return SafeConsole(stderr=error, width=width, highlight=False, soft_wrap=False)


def print_json(value: Mapping[str, Any]) -> None:
    """The one JSON object of `--json`."""
    sys.stdout.write(json_for_terminal(json.dumps(value, indent=2, default=str, ensure_ascii=False)) + "\n")
    sys.stdout.flush()


def fail(error: MedallionError, *, as_json: bool, code: int | None = None) -> int:
    """Print an error in words and give the exit status."""
    if as_json:
        problems = {"problems": [item.as_json() for item in error.problems]} if isinstance(error, SpecError) else {}
        print_json({"error": str(error), **problems})
    elif isinstance(error, SpecError):
        show_problems(error.problems, console(error=True))
    else:
        from rich.text import Text

        err = console(error=True)
        err.print(Text.assemble(("error: ", "bold red"), error.message))
        if error.hint:
            err.print(Text.assemble(("  hint: ", "bold"), error.hint))
    return error.exit_code if code is None else code


def show_problems(problems: Iterable[Problem], out: Console) -> None:
    """Each problem with its place, its source line and a caret below the column."""
    from rich.text import Text

    for problem in problems:
        place = ":".join(str(part) for part in (shown(problem.file), problem.line, problem.column) if part is not None)
        head = Text.assemble(
            (f"{place}: " if place else "", "bold"),
            (f"{problem.severity}: ", f"bold {COLOURS[str(problem.severity)]}"),
            problem.message,
        )
        if problem.path:
            head.append(f"  {problem.path}", style="dim")
        out.print(head, soft_wrap=True)
        for line in source_lines(problem):
            out.print(Text(line, style="dim"), soft_wrap=True)
        if problem.hint:
            out.print(Text.assemble(("  hint: ", "bold"), problem.hint), soft_wrap=True)


def source_lines(problem: Problem) -> list[str]:
    """The line that a problem points at and a caret below it; empty when the file gives none."""
    if problem.file is None or problem.line is None:
        return []
    try:
        lines = problem.file.read_text(encoding="utf-8", errors="replace").splitlines()
        text = lines[problem.line - 1]
    except (OSError, IndexError):
        return []
    number = f"{problem.line:>5} | "
    start = problem.column - 1 if problem.column else len(text) - len(text.lstrip())
    if len(text) > SOURCE_WIDTH:
        # JSON on one line: only the part around the fault helps.
        first = max(0, start - SOURCE_WIDTH // 2)
        text, start = text[first : first + SOURCE_WIDTH], start - first
    # Tabs are kept in front of the caret so that it stands below its column whatever their width.
    gap = "".join("\t" if char == "\t" else " " for char in text[:start])
    return [number + text, " " * 5 + " | " + gap + "^"]


def shown(path: Path | None) -> str | None:
    """A path as the user would type it: relative to the working directory when below it."""
    if path is None:
        return None
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def assignments(pairs: Iterable[str] | None, option: str, *, once: bool = False) -> dict[str, str]:
    """`name=value` texts of a repeated option as a mapping. The value may hold further equal signs.

    :param once: a name may be given once only; else the last value counts.
    """
    found: dict[str, str] = {}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{pair!r} is not NAME=VALUE", param_hint=option)
        if storable(pair) != pair:
            raise typer.BadParameter(f"{storable(pair)} is no UTF-8 text", param_hint=option)
        if once and name in found:
            raise typer.BadParameter(f"{name} is given twice: {found[name]!r} and {value!r}", param_hint=option)
        found[name] = value
    return found

"""`medallion check`, `resolve` and `list`: what the job files say. In the user's shell; no Airflow, no Spark."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medallion.cli.output import (
    JsonOption,
    TargetOption,
    VariableOption,
    assignments,
    console,
    print_json,
    settings_of,
    show_problems,
    shown,
)

if TYPE_CHECKING:
    from medallion.spec.positions import Positions
    from medallion.spec.problems import Problem

UserOption = Annotated[
    str | None, typer.Option("--user", metavar="NAME", help="User name that bundles resolve current_user to.")
]
NoPythonOption = Annotated[
    bool, typer.Option("--no-python", help="Do not run the Python code with which bundles define resources.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command(rich_help_panel="Jobs")(check)
    app.command("resolve", rich_help_panel="Jobs")(show_resolved)
    app.command("list", rich_help_panel="Jobs")(list_jobs)


def check(
    ctx: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="PATH", help="Job files, bundles, folders, or jobs by name. Default: the jobs folder."),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
    definitions_only: Annotated[
        bool,
        typer.Option("--definitions-only", help="Do not ask whether this machine has what a run needs."),
    ] = False,
    no_python: NoPythonOption = False,
    target: TargetOption = None,
    var: VariableOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check job files and bundles, and report every problem at once.

    What a run here would miss is an error too: a cluster without a target, a file that is not there. For a bundle that
    is meant for a workspace alone, --definitions-only leaves that out.
    A bundle that defines resources in Python has that code run, and a note says so; --no-python refuses it.
    The exit status is 2 when there is an error, or a warning under --strict, or nothing to check.

    \b
    Examples:
      medallion check
      medallion check jobs/retailhub/job.json --strict
      medallion check my_bundle --target prod --var catalog=main --json
      medallion check my_bundle --definitions-only
    """
    from medallion.components.jobs import circles, duplicates, ids_of, missing_here, places_named, read
    from medallion.spec.problems import Severity

    settings = settings_of(ctx)
    forbid_python(no_python)
    places = places_named(settings, paths or ())
    variables = assignments(var, "--var")
    found = read(settings, places, target=target, variables=variables)
    ids = ids_of(settings, found, varied=bool(variables))
    problems = [*(item for entry in found for item in entry.loaded.problems), *duplicates(ids), *circles(ids)]
    problems += [nothing_in(folder) for folder in map(Path, paths or ()) if not places_named(settings, [str(folder)])]
    problems += [ran_python(entry.path) for entry in found if not no_python and runs_python(entry.loaded.positions)]
    if not definitions_only:
        problems += missing_here(settings, found)
    bad = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    failed = any(item.severity in bad for item in problems)
    jobs = sum(len(entry.loaded.jobs) for entry in found)
    if as_json:
        print_json(
            {"problems": [item.as_json() for item in problems], "files": len(found), "jobs": jobs, "ok": not failed}
        )
    else:
        out = console()
        show_problems(problems, out)
        out.print(summary(problems, files=len(found), jobs=jobs))
    raise typer.Exit(2 if failed else 0)


def forbid_python(forbidden: bool) -> None:
    """Have bundles that define resources in Python refused, in this process and those that it starts."""
    from medallion.spec.bundle.python_resources import FORBIDDEN

    if forbidden:
        os.environ[FORBIDDEN] = "1"


def runs_python(positions: Positions | None) -> bool:
    """Whether reading a bundle runs Python code of its own."""
    from medallion.spec.bundle.python_resources import SECTIONS, has_code
    from medallion.spec.bundle.tree import TreePositions

    return isinstance(positions, TreePositions) and any(has_code(positions.root.at(*at)) for at in SECTIONS)


def ran_python(place: Path) -> Problem:
    """The note about a bundle whose Python code was run."""
    from medallion.spec.problems import Problem, Severity

    message = "the bundle defines resources in Python, and that code was run to check it"
    return Problem(Severity.NOTE, message, place, hint="--no-python refuses it")


def nothing_in(folder: Path) -> Problem:
    """The error of a folder that holds nothing to check."""
    from medallion.spec.problems import Problem, Severity

    hint = (
        "a job is a JSON file with tasks, a YAML file with resources.jobs, or a folder with databricks.yml; "
        f"`medallion check {shown(folder)}/FILE` says what is wrong with a file that should be one"
    )
    return Problem(Severity.ERROR, "there is no job and no bundle in this folder", folder.absolute(), hint=hint)


def summary(problems: list[Problem], *, files: int, jobs: int) -> str:
    """One line that ends `check`."""
    counts = {name: sum(str(item.severity) == name for item in problems) for name in ("error", "warning", "note")}
    told = ", ".join(f"{count} {name}{'s' * (count != 1)}" for name, count in counts.items() if count)
    return f"{files} file{'s' * (files != 1)}, {jobs} job{'s' * (jobs != 1)}: {told or 'no problems'}"


def show_resolved(
    ctx: typer.Context,
    path: Annotated[
        str, typer.Argument(help="A bundle's folder or databricks.yml, a job file, or a job's name.", metavar="PATH")
    ],
    target: TargetOption = None,
    var: VariableOption = None,
    user: UserOption = None,
    no_python: NoPythonOption = False,
    as_json: JsonOption = False,
) -> None:
    """Print the resolved resources of a bundle or job file as JSON, with paths as the Databricks CLI would deploy them.

    What it says of a bundle is what `databricks bundle validate` says; `check` says more about its jobs.

    \b
    Examples:
      medallion resolve my_bundle --target dev --user someone@example.com
      medallion resolve my_bundle --var catalog=main | jq .jobs
    """
    from medallion.components.jobs import places_named, resolve
    from medallion.errors import SpecError

    del as_json  # it is JSON in any case
    settings = settings_of(ctx)
    forbid_python(no_python)
    given = assignments(var, "--var", once=True)
    resources: dict[str, Any] = {}
    problems: list[Problem] = []
    failed = False
    for place in places_named(settings, [path]):
        found = resolve(settings, place, target=target, variables=given, user=user)
        problems += found.problems
        failed = failed or bool(found.errors)
        for kind, items in found.resources.items():
            resources.setdefault(kind, {}).update(items)
    if failed:
        raise SpecError(problems)
    show_problems(problems, console(error=True))
    print_json({"resources": resources})


def list_jobs(
    ctx: typer.Context, target: TargetOption = None, no_python: NoPythonOption = False, as_json: JsonOption = False
) -> None:
    """List the jobs of the jobs folder: what starts each, its tasks, its file, its problems.

    Names that several jobs have are marked; a command takes the path of the one that is meant.

    \b
    Examples:
      medallion list
      medallion list --json | jq '.jobs[].name'
    """
    from medallion.components.jobs import find, read, rows

    settings = settings_of(ctx)
    forbid_python(no_python)
    table = rows(settings, read(settings, find(settings, []), target=target, variables={}))
    if as_json:
        print_json({"jobs": table})
        return
    out = console()
    if not table:
        out.print(f"no jobs below {settings.jobs_folder}; put a job.json or a bundle there")
        return
    out.print(table_of(table))


def table_of(jobs: list[dict[str, Any]]) -> Any:
    """The rows of `list` as a rich table."""
    from collections import Counter

    from rich import box
    from rich.markup import escape
    from rich.table import Table

    names = Counter(job["name"] for job in jobs)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("job", "DAG id", "tasks", "starts", "status", "file", "problems"):
        table.add_column(title, overflow="fold", justify="right" if title in {"tasks", "problems"} else "left")
    for job in jobs:
        problems = f"[red]{len(job['problems'])}[/red]" if job["problems"] else ""
        alike = names[job["name"]]
        name = f"{job['name']} (name of {alike} jobs)" if alike > 1 and job["clashes"] else job["name"]
        cells = (name, job["dag_id"], len(job["tasks"]), job["starts"], job["status"], shown(Path(job["file"])))
        table.add_row(*(escape(str(cell)) for cell in cells), problems)
    return table

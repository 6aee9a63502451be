"""`medallion check`, `resolve` and `list`: what the job files say. In the user's shell; no Airflow, no Spark."""

from __future__ import annotations

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
    from medallion.spec.problems import Problem

UserOption = Annotated[
    str | None, typer.Option("--user", metavar="NAME", help="User name that bundles resolve current_user to.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command(rich_help_panel="Jobs")(check)
    app.command("resolve", rich_help_panel="Jobs")(show_resolved)
    app.command("list", rich_help_panel="Jobs")(list_jobs)


def check(
    ctx: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH", help="Job files, bundles or folders. Default: the jobs folder."),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
    target: TargetOption = None,
    var: VariableOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check job files and bundles, and report every problem at once.

    The exit status is 2 when there is an error, or a warning under --strict.

    \b
    Examples:
      medallion check
      medallion check jobs/retailhub/job.json --strict
      medallion check my_bundle --target prod --var catalog=main --json
    """
    from medallion.components.jobs import circles, duplicates, find, read
    from medallion.spec.problems import Severity

    settings = settings_of(ctx)
    places = find(settings, [path.absolute() for path in paths or ()])
    found = read(settings, places, target=target, variables=assignments(var, "--var"))
    problems = [*(item for entry in found for item in entry.loaded.problems), *duplicates(found), *circles(found)]
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


def summary(problems: list[Problem], *, files: int, jobs: int) -> str:
    """One line that ends `check`."""
    counts = {name: sum(str(item.severity) == name for item in problems) for name in ("error", "warning", "note")}
    told = ", ".join(f"{count} {name}{'s' * (count != 1)}" for name, count in counts.items() if count)
    return f"{files} file{'s' * (files != 1)}, {jobs} job{'s' * (jobs != 1)}: {told or 'no problems'}"


def show_resolved(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(help="A bundle's folder or databricks.yml, or a job file.")],
    target: TargetOption = None,
    var: VariableOption = None,
    user: UserOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the resolved resources of a bundle or job file as JSON, with paths as the Databricks CLI would deploy them.

    What it says of a bundle is what `databricks bundle validate` says; `check` says more about its jobs.

    \b
    Examples:
      medallion resolve my_bundle --target dev --user someone@example.com
      medallion resolve my_bundle --var catalog=main | jq .jobs
    """
    from medallion.components.jobs import find, resolve
    from medallion.errors import SpecError

    del as_json  # it is JSON in any case
    settings = settings_of(ctx)
    given = assignments(var, "--var", once=True)
    resources: dict[str, Any] = {}
    problems: list[Problem] = []
    failed = False
    for place in find(settings, [path.absolute()]):
        found = resolve(settings, place, target=target, variables=given, user=user)
        problems += found.problems
        failed = failed or bool(found.errors)
        for kind, items in found.resources.items():
            resources.setdefault(kind, {}).update(items)
    if failed:
        raise SpecError(problems)
    show_problems(problems, console(error=True))
    print_json({"resources": resources})


def list_jobs(ctx: typer.Context, target: TargetOption = None, as_json: JsonOption = False) -> None:
    """List the jobs of the jobs folder: what starts each, its tasks, its file, its problems.

    \b
    Examples:
      medallion list
      medallion list --json | jq '.jobs[].name'
    """
    from medallion.components.jobs import find, read, rows

    settings = settings_of(ctx)
    table = rows(read(settings, find(settings, []), target=target, variables={}))
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
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("job", "DAG id", "tasks", "starts", "status", "file", "problems"):
        table.add_column(title, overflow="fold", justify="right" if title in {"tasks", "problems"} else "left")
    for job in jobs:
        problems = f"[red]{len(job['problems'])}[/red]" if job["problems"] else ""
        cells = (job["name"], job["dag_id"], len(job["tasks"]), job["starts"], job["status"], shown(Path(job["file"])))
        table.add_row(*(escape(str(cell)) for cell in cells), problems)
    return table

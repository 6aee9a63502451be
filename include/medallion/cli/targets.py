"""`medallion targets`: where Spark can run, what chooses each place, and whether it works. In the user's shell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medallion.cli.output import JsonOption, console, print_json, settings_of

if TYPE_CHECKING:
    from medallion.settings import Settings, TargetSettings


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command(rich_help_panel="Machine")(targets)


def targets(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Only this target.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Try each: start a driver, run a function on its executors.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List the targets of the settings, and what chooses each.

    The exit status is 1 when settings name a target that does not exist, and with --check when one does not work.

    \b
    Examples:
      medallion targets
      medallion targets cluster --check
    """
    from medallion.compute.target_check import Tried
    from medallion.compute.target_check import check as try_out
    from medallion.compute.targets import target_named

    settings = settings_of(ctx)
    chosen = {name: target_named(settings, name)} if name else dict(sorted(settings.targets.items()))
    rows = {key: row(settings, key, target) for key, target in chosen.items()}
    lost = [] if name else unknown(settings)
    out = console(error=as_json)
    tried: dict[str, Tried] = {}
    if check:
        for key in chosen:
            tried[key] = try_out(settings, key, lambda line: out.print(line, style="dim", markup=False))
            rows[key] |= tried[key].to_json()
    if as_json:
        print_json({"targets": list(rows.values()), "unknown": lost})
    else:
        show(list(rows.values()), lost)
    raise typer.Exit(1 if lost or any(item.fault for item in tried.values()) else 0)


def row(settings: Settings, name: str, target: TargetSettings) -> dict[str, Any]:
    """What there is to say of a target."""
    by = [who for who, named in choices(settings) if named == name]
    return {"target": name, "kind": target.kind, "master": target.master, "chosen_by": by}


def choices(settings: Settings) -> Iterator[tuple[str, str]]:
    """Who names a target in the settings, and which."""
    tables = {"cluster": settings.clusters, "warehouse": settings.warehouses, "definition": settings.node_types}
    for kind, table in tables.items():
        yield from ((f"{kind} {key}", named) for key, named in table.items())
    for job, said in settings.jobs.items():
        if said.target is not None:
            yield f"job {job}", said.target
        yield from ((f"task {key} of job {job}", named) for key, named in said.tasks.items())


def unknown(settings: Settings) -> list[str]:
    """In words: what names a target that settings do not have."""
    from medallion.spec.problems import did_you_mean

    lost = [(who, named) for who, named in choices(settings) if named not in settings.targets]
    return [
        f"{who} names target {named!r}, which does not exist; "
        + (did_you_mean(named, settings.targets) or f"add a table [targets.{named}]")
        for who, named in lost
    ]


def show(rows: list[dict[str, Any]], lost: list[str]) -> None:
    """The targets as lines of text."""
    out = console()
    for item in rows:
        chosen = ", ".join(item["chosen_by"]) or ("what names no other" if item["target"] == "default" else "--compute")
        out.print(f"{item['target']}: {item['kind']} {item['master']}; by {chosen}", markup=False, soft_wrap=True)
        if "works" in item:
            told = "; ".join(item["workers"]) if item["works"] else item["fault"]
            word = "works" if item["works"] else "does not work"
            out.print(f"  {word} after {item['seconds']} s: {told}", markup=False, soft_wrap=True)
    for line in lost:
        console(error=True).print(f"error: {line}", markup=False, soft_wrap=True)

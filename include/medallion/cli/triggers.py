"""`medallion triggers`: what will start a job, when, and what its triggers have seen. In the user's shell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from medallion.cli.output import JsonOption, console, print_json, settings_of

if TYPE_CHECKING:
    from medallion.triggers.outlook import Outlook, TriggerOutlook


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("triggers", rich_help_panel="Jobs")(triggers)


def triggers(
    ctx: typer.Context,
    job: Annotated[str, typer.Argument(help="A job's name, DAG id or bundle key, or the path of its file.")],
    count: Annotated[int, typer.Option("--next", "-n", min=0, max=1000, help="How many times of a schedule.")] = 5,
    as_json: JsonOption = False,
) -> None:
    """Say what will start a job, when, and what its triggers have seen so far.

    \b
    Examples:
      medallion triggers orders_pipeline
      medallion triggers nightly --next 10 --json
    """
    from medallion.components.jobs import choose
    from medallion.triggers.outlook import outlook

    settings = settings_of(ctx)
    chosen = choose(settings, job, target=None, variables={})
    told = outlook(settings, chosen.dag_id, chosen.definition.job, count)
    if as_json:
        print_json(told.to_json())
    else:
        show(told)


def show(told: Outlook) -> None:
    """The triggers as text."""
    from rich.text import Text

    from medallion.triggers.outlook import firing_words, moment

    out = console()
    out.print(Text(told.job, style="bold"))
    if not told.triggers:
        out.print("nothing starts it by itself: medallion run-now starts it", markup=False)
    for trigger in told.triggers:
        for line in lines_of(trigger):
            out.print(Text(line))
    if told.firings:
        out.print(Text("Fired", style="bold"))
    for firing in told.firings:
        out.print(Text(f"  {moment(firing.at):%Y-%m-%d %H:%M:%S} UTC  {firing.key}  {firing_words(firing)}"))


def lines_of(trigger: TriggerOutlook) -> list[str]:
    """One trigger, a line for each thing that there is to say."""
    from medallion.triggers.outlook import seen_words

    lines = [f"  {trigger.text}" + (" (paused)" if trigger.paused else "")]
    lines += [f"    {trigger.says}"] if trigger.says else []
    lines += [f"    next {at:%a %Y-%m-%d %H:%M:%S} UTC" for at in trigger.next]
    lines += [f"    {line}" for line in seen_words(trigger.seen)]
    if trigger.problem:
        lines.append(f"    not watched: {trigger.problem}")
    elif not trigger.paused and not trigger.next and not trigger.seen and not trigger.key.startswith("continuous"):
        lines.append("    not looked at yet: `medallion up` watches it")
    if trigger.fired:
        lines.append(f"    fired last {trigger.fired:%Y-%m-%d %H:%M:%S} UTC")
    return lines

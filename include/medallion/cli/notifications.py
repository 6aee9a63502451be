"""`medallion notifications`: what was sent of runs, and what could not be. In the user's shell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from medallion.cli.output import JsonOption, console, print_json, settings_of

if TYPE_CHECKING:
    from medallion.runs.notifications.outbox import Letter

COLOURS = {"sent": "green", "pending": "yellow", "failed": "red"}


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("notifications", rich_help_panel="Jobs")(notifications)


def notifications(
    ctx: typer.Context,
    failed: Annotated[
        bool, typer.Option("--failed", help="Only those that could not be sent, so far or for good.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many, the newest.")] = 50,
    send: Annotated[bool, typer.Option("--send", help="Try the waiting ones again now.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the notifications of runs: to whom, whether they were sent, and why not.

    A message that cannot be sent is tried again, later each time, for as long as the setting `notification_hours` says.

    \b
    Examples:
      medallion notifications
      medallion notifications --failed --json
      medallion notifications --send
    """
    import time

    from medallion.runs.notifications.outbox import open_existing

    settings = settings_of(ctx)
    outbox = open_existing(settings.home)
    if outbox is not None and send and outbox.hurry(time.time()):
        from medallion.runs.notifications.consumer import start_sender

        start_sender(settings).wait()
    letters = outbox.letters(failed=failed, most=limit) if outbox is not None else []
    if as_json:
        print_json({"notifications": [as_object(letter) for letter in letters]})
        return
    if not letters:
        console().print("no notifications" + (" failed" if failed else ""))
        return
    console().print(table_of(letters))


def as_object(letter: Letter) -> dict[str, Any]:
    """One notification as JSON. Times are epoch milliseconds."""
    message = letter.message
    return {
        "event": message.event,
        "job": message.job,
        "run_id": message.run_id,
        "airflow_run_id": message.airflow_run_id,
        "task_key": message.task or None,
        "recipient": letter.recipient.name,
        "kind": letter.recipient.kind,
        "state": str(letter.stage),
        "attempts": letter.attempts,
        "error": letter.error or None,
        "created_time": round(letter.created * 1000),
        "sent_time": round(letter.ended * 1000) if letter.ended and letter.stage == "sent" else None,
        "next_time": round(letter.due * 1000) if letter.stage == "pending" else None,
    }


def table_of(letters: list[Letter]) -> Any:
    """The notifications as a rich table."""
    import time

    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("when", "what", "to", "state", "attempts", "why not"):
        table.add_column(title, overflow="fold")
    for item in letters:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(item.created))
        colour = COLOURS[str(item.stage)]
        state = f"[{colour}]{item.stage}[/{colour}]"
        table.add_row(
            when,
            escape(item.message.subject),
            escape(item.recipient.name),
            state,
            str(item.attempts),
            escape(item.error),
        )
    return table

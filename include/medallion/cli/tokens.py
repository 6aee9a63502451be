"""`medallion token`: personal tokens with which the Databricks clients ask Medallion. In the user's shell."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medallion.cli.output import JsonOption, console, print_json, settings_of

if TYPE_CHECKING:
    from medallion.components.api_client import ApiClient

DAY = 24 * 3600

tokens = typer.Typer(no_args_is_help=True, help="Personal tokens, with which the Databricks clients ask Medallion.")


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.add_typer(tokens, name="token", rich_help_panel="Airflow")


@tokens.command()
def create(
    ctx: typer.Context,
    days: Annotated[int, typer.Option("--days", min=1, max=730, help="How long it holds.")] = 90,
    comment: Annotated[str, typer.Option("--comment", help="What it is for.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Make a token and print it: it is not shown again. It may do what you may do in Airflow.

    \b
    Examples:
      export DATABRICKS_TOKEN=$(medallion token create)
      medallion token create --days 7 --comment CI --json
    """
    client = client_of(ctx)
    told = client.own("POST", "/tokens", {"lifetime_seconds": days * DAY, "comment": comment})
    if as_json:
        print_json({"token": told["token_value"], "host": client.url, **told["token_info"]})
        return
    typer.echo(told["token_value"])


@tokens.command("list")
def list_them(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Show your tokens: what each is for and when it ends.

    \b
    Examples:
      medallion token list
    """
    found: list[dict[str, Any]] = client_of(ctx).own("GET", "/tokens")["token_infos"]
    if as_json:
        print_json({"tokens": found})
        return
    for item in found:
        ends = time.strftime("%Y-%m-%d %H:%M", time.localtime(item["expiry_time"] / 1000))
        over = item["expiry_time"] <= time.time() * 1000
        line = f"{item['token_id']}  {'ended' if over else 'until'} {ends}  {item['comment']}".rstrip()
        console().print(line, soft_wrap=True, markup=False, highlight=False)
    if not found:
        console().print("no tokens; `medallion token create` makes one")


@tokens.command()
def revoke(
    ctx: typer.Context,
    token_id: Annotated[str, typer.Argument(metavar="ID", help="As `medallion token list` shows it.")],
    as_json: JsonOption = False,
) -> None:
    """End a token for good, at once.

    \b
    Examples:
      medallion token revoke 3f9c1b6a20d47e85
    """
    from medallion.components.api_client import quoted

    told = client_of(ctx).own("DELETE", f"/tokens/{quoted(token_id)}")
    if as_json:
        print_json(told)
        return
    console().print(f"revoked {token_id}", markup=False, highlight=False)


def client_of(ctx: typer.Context) -> ApiClient:
    """The API server that keeps the tokens.

    :raises TargetError: none is up.
    """
    from medallion.components.api_client import ApiClient
    from medallion.components.deployment import server_of
    from medallion.errors import TargetError

    settings = settings_of(ctx)
    server = server_of(settings)
    if server is None:
        raise TargetError("no API server is up, and tokens are kept there", hint="`medallion up` starts it")
    return ApiClient(settings, server)

"""`medallion up`, `down`, `status` and `airflow`: Airflow's components on this machine. In the user's shell."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medallion.cli.output import JsonOption, console, print_json, settings_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from medallion.components.configuration import Endpoint
    from medallion.components.record import Record
    from medallion.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command(rich_help_panel="Airflow")(up)
    app.command(rich_help_panel="Airflow")(down)
    app.command(rich_help_panel="Airflow")(status)
    app.command(
        rich_help_panel="Airflow",
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
    )(airflow)


def up(
    ctx: typer.Context,
    port: Annotated[int | None, typer.Option("--port", help="Port of the web UI.", min=1, max=65535)] = None,
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on.")] = None,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return when it is healthy; a supervisor stays.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Start Airflow's components for this project and look after them. Ctrl-C, or `medallion down`, ends them.

    \b
    Examples:
      medallion up
      medallion up --detach --port 8081
    """
    from medallion.components.deployment import require_own_database
    from medallion.components.supervisor import detach as start_detached
    from medallion.components.supervisor import run

    settings = settings_of(ctx)
    require_own_database(settings)
    begun = time.monotonic()
    endpoint = endpoint_for(settings, host, port)
    with Progress(as_json=as_json) as progress:
        if detach:
            record = start_detached(settings, endpoint, progress.well)
            progress.close()
            announce(settings, record.url, time.monotonic() - begun, as_json=as_json, detached=True)
            return

        def ready() -> None:
            progress.close()
            announce(settings, endpoint.url, time.monotonic() - begun, as_json=as_json, detached=False)

        run(settings, endpoint, progress.say, progress.well, ready)
    if not as_json:
        console().print("ended: nothing of it is left running")


def endpoint_for(settings: Settings, host: str | None, port: int | None) -> Endpoint:
    """Where to listen. Refuses a port that is taken, and says by whom and which one is free."""
    from medallion.components.configuration import Endpoint
    from medallion.components.launcher import AlreadyUpError, hold_lock
    from medallion.components.places import prepare
    from medallion.components.ports import free_port, holder, is_free
    from medallion.components.sweep import end_left_over

    address, number = host or settings.host, port or settings.port
    prepare(settings)
    hold_lock(settings).close()
    end_left_over(settings)
    if not is_free(address, number):
        who = holder(number) or "a process of another user"
        other = free_port(address, number + 1)
        raise AlreadyUpError(f"port {number} of {address} is taken by {who}", hint=f"medallion up --port {other}")
    return Endpoint.choose(address, number)


class Progress:
    """Shows which components are well: a spinner on a terminal, a line each elsewhere. On standard error."""

    def __init__(self, *, as_json: bool) -> None:
        self.out = console(error=True)
        self.quiet = as_json
        self.known: frozenset[str] = frozenset()
        self.status = self.out.status("starting Airflow") if self.out.is_terminal and not as_json else None

    def __enter__(self) -> Progress:
        if self.status:
            self.status.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def well(self, names: frozenset[str]) -> None:
        """Tell of components that became well."""
        from medallion.components.launcher import COMPONENTS

        for name in COMPONENTS:
            if name in names and name not in self.known:
                self.say(name, "healthy")
        self.known |= names
        if self.status:
            waiting = [name for name in COMPONENTS if name not in names]
            self.status.update(f"waiting for {', '.join(waiting)}" if waiting else "healthy")

    def say(self, who: str, what: str) -> None:
        """Tell what happened to a component."""
        if not self.quiet:
            self.out.print(f"{time.strftime('%H:%M:%S')} [bold]{who}[/bold] {what}")

    def close(self) -> None:
        """Take the spinner away."""
        if self.status:
            self.status.stop()
            self.status = None


def announce(settings: Settings, url: str, seconds: float, *, as_json: bool, detached: bool) -> None:
    """Where the UI is and how to get in."""
    from medallion.components.places import places_of
    from medallion.components.secret_files import ADMIN, admin_password

    passwords = places_of(settings).passwords
    if as_json:
        print_json({"url": url, "user": ADMIN, "password_file": str(passwords), "seconds": round(seconds, 1)})
        return
    out = console()
    out.print(f"Airflow is up after {seconds:.0f} s: [bold]{url}[/bold]")
    out.print(f"  user {ADMIN}, password {admin_password(passwords)}   (kept in {passwords})")
    out.print("  `medallion down` ends it" if detached else "  Ctrl-C ends it")


def down(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """End everything of this project: Airflow's components, runs, Spark drivers, the spare process.

    \b
    Examples:
      medallion down
    """
    from medallion.components.sweep import end_everything

    settings = settings_of(ctx)
    ended = end_everything(settings)
    if as_json:
        print_json({"ended": ended})
        return
    out = console()
    for line in ended:
        out.print(f"ended {line}")
    if not ended:
        out.print(f"nothing was running for {settings.home}")


def status(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Show what runs: Airflow's components, Spark drivers. The exit status is 1 when Airflow is not up and healthy.

    \b
    Examples:
      medallion status
      medallion status --json | jq -r .url
    """
    from medallion.components.places import places_of
    from medallion.components.record import Record

    settings = settings_of(ctx)
    record = None if settings.api_url else Record.read(places_of(settings).record)
    told = state_there(settings.api_url) if settings.api_url else state_of(settings, record)
    told["drivers"] = drivers_of(settings)
    told["notifications_waiting"] = notifications_waiting(settings)
    if as_json:
        print_json(told)
    else:
        show_status(told)
    raise typer.Exit(0 if told["state"] == "healthy" else 1)


def state_there(url: str) -> dict[str, Any]:
    """What the API server of a deployment says of its components; it knows neither processes nor the jobs service."""
    from medallion.components.health import API_SERVER, REPORTS, health_report

    report = health_report(url.rstrip("/"), timeout=10.0)
    if report is None:
        return {"state": "no answer", "url": url, "components": {}}
    parts = {name: str((report.get(part) or {}).get("status") or "unknown") for name, part in REPORTS.items()}
    components = {
        name: {"pid": None, "state": state, "restarts": 0} for name, state in {API_SERVER: "healthy", **parts}.items()
    }
    return {
        "state": "healthy" if set(parts.values()) == {"healthy"} else "starting or ill",
        "url": url,
        "components": components,
    }


def state_of(settings: Settings, record: Record | None) -> dict[str, Any]:
    """What the record and the processes say."""
    from medallion.components.health import healthy_components

    if record is None:
        return {"state": "down", "url": None, "components": {}}
    well = healthy_components(record.url, settings.home) if record.supervisor.alive else frozenset()
    components = {
        name: {
            "pid": identity.pid,
            "state": "healthy" if name in well and identity.alive else "running" if identity.alive else "ended",
            "restarts": record.restarts.get(name, 0),
        }
        for name, identity in record.components.items()
    }
    if not record.supervisor.alive:
        state = "abandoned" if any(item["state"] != "ended" for item in components.values()) else "down"
    else:
        state = "healthy" if all(item["state"] == "healthy" for item in components.values()) else "starting or ill"
    return {"state": state, "url": record.url, "supervisor": record.supervisor.pid, "components": components}


def drivers_of(settings: Settings) -> list[dict[str, Any]]:
    """The Spark drivers of this home."""
    from importlib.util import find_spec

    if not settings.home.is_dir() or find_spec("medallion.compute.pool") is None:
        return []
    from medallion.compute.pool import DriverPool

    return [asdict(driver) for driver in DriverPool(settings).drivers()]


def driver_in_words(driver: dict[str, Any]) -> str:
    """A driver in a line: its name, its state, what it takes and who has it."""
    parts = [driver["state"]]
    if driver["pid"]:
        parts.append(f"process {driver['pid']}")
    if driver["memory"]:
        parts.append(f"{driver['memory'] / 2**20:,.0f} MiB")
    parts.append(f"lent to {', '.join(driver['holders'])}" if driver["holders"] else "lent to nobody")
    return f"{driver['driver']}: {', '.join(parts)}"


def notifications_waiting(settings: Settings) -> int:
    """How many messages of runs could not be sent yet."""
    from contextlib import closing

    from medallion.runs.notifications.outbox import open_existing

    outbox = open_existing(settings.home)
    if outbox is None:
        return 0
    with closing(outbox):
        return outbox.waiting()


def show_status(told: dict[str, Any]) -> None:
    """The state as lines."""
    out = console()
    words = {"abandoned": "its supervisor is gone; `medallion down` ends what is left", "down": "not running"}
    out.print(f"Airflow: {words.get(told['state'], told['state'])}" + (f" at {told['url']}" if told["url"] else ""))
    for name, item in told["components"].items():
        again = f", started again {item['restarts']} times" if item["restarts"] else ""
        process = f" (process {item['pid']}{again})" if item["pid"] else ""
        out.print(f"  {name:<14} {item['state']}{process}")
    for driver in told["drivers"]:
        out.print(f"  Spark driver   {driver_in_words(driver)}", markup=False, soft_wrap=True)
    if count := told["notifications_waiting"]:
        rest = (
            "" if told["state"] == "healthy" else "; `medallion notifications --send` tries now, `medallion up` goes on"
        )
        out.print(f"  notifications  {count} to be sent{rest}")


def airflow(ctx: typer.Context) -> None:
    """Run Airflow's own command for this project, for example `medallion airflow dags test JOB`.

    \b
    Examples:
      medallion airflow dags list
      medallion airflow dags test RetailHub_Medallion_Pipeline
    """
    from medallion.components.configuration import Endpoint, environment, write_configuration
    from medallion.components.database import ensure_database
    from medallion.components.deployment import refuse_elsewhere, require_own_database
    from medallion.components.places import places_of
    from medallion.components.record import Record
    from medallion.runs.system_tables.store import make_system_tables

    settings = settings_of(ctx)
    require_own_database(settings)
    refuse_elsewhere(settings)
    record = Record.read(places_of(settings).record)
    if record is None or not record.supervisor.alive:
        write_configuration(settings, Endpoint(settings.host, settings.port))
        ensure_database(settings)
        make_system_tables(settings)
    replace: Callable[..., None] = os.execve
    replace(sys.executable, [sys.executable, "-P", "-m", "airflow", *ctx.args], environment(settings))

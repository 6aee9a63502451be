"""The record of runs: from the API server when it is up, else from this machine's database. In the user's shell."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.parse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from medallion.components.api_client import ApiClient
from medallion.components.configuration import environment
from medallion.components.control import has_aside, served_place
from medallion.components.database import aside, connection
from medallion.components.deployment import server_of
from medallion.components.places import places_of
from medallion.errors import RunError, TargetError

if TYPE_CHECKING:
    from medallion.settings import Settings

READ_SECONDS = 300


def list_runs(settings: Settings, dag_id: str | None, limit: int, state: str | None) -> list[dict[str, Any]]:
    """Runs without their tasks, the newest first, those beside a scheduler among them.

    :param state: `active` or `completed`; None for both.
    """
    asked = {"limit": limit, "state": state, "dag_ids": [dag_id] if dag_id else None}
    server = server_of(settings)
    if server is not None:
        query = {"limit": limit, "dag_id": dag_id, "state": state}
        text = urllib.parse.urlencode({name: value for name, value in query.items() if value is not None})
        found = list(ApiClient(settings, server).own("GET", f"/runs?{text}")["runs"])
    else:
        found = list(from_database(settings, asked).get("runs", ()))
    if has_aside(settings) and (server is None or server.own):
        found += from_database(settings, asked, connection(aside(settings))).get("runs", ())
    return sorted(found, key=lambda item: int(item["start_time"] or item["queued_time"]), reverse=True)[:limit]


def show_run(settings: Settings, run: str, dag_id: str | None) -> dict[str, Any]:
    """One run with its tasks, attempts and repairs. Raises RunError when there is none."""
    server, asked = server_of(settings), {"run": run, "dag_id": dag_id}
    try:
        if server is not None:
            client = ApiClient(settings, server)
            return client.own("GET", served_place(client, run, dag_id))
        return from_database(settings, asked)
    except RunError:
        if not has_aside(settings) or not (server is None or server.own):
            raise
    return from_database(settings, asked, connection(aside(settings)))


def from_database(
    settings: Settings, asked: Mapping[str, Any], database: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Ask `medallion.runs.history` in a process of its own: importing Airflow takes seconds and needs its environment.

    :param database: the variable that names another database than the usual one.
    :raises RunError: there is no such run, or there never was one.
    """
    variables = environment(settings) | dict(database or {})
    if not database and not places_of(settings).database.exists():
        if "run" in asked:
            raise RunError(f"there is no run {asked['run']}: nothing has run here yet")
        return {}
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "medallion.runs.history"],
            env=variables,
            cwd=settings.project,
            input=json.dumps(dict(asked)),
            capture_output=True,
            text=True,
            timeout=READ_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TargetError(
            f"the runs could not be read within {READ_SECONDS} s: the machine is busy, or the database is held",
            hint="ask again when less runs; `medallion doctor` looks at the database",
        ) from None
    try:
        told = answer_in(done.stdout)
    except ValueError:
        tail = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise TargetError(
            f"the runs cannot be read:\n{tail}", hint="`medallion doctor` looks at the database"
        ) from None
    if "error" in told:
        raise RunError(told["error"], hint=told.get("hint"))
    return told


def answer_in(printed: str) -> dict[str, Any]:
    """The object in the last line. Plugins of other packages may log to standard output while Airflow is imported.

    :raises ValueError: the last line is none.
    """
    told = json.loads((printed.strip().splitlines() or [""])[-1])
    if not isinstance(told, dict):
        raise ValueError(f"{told!r} is no answer")
    return told

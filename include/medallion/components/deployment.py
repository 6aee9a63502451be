"""Whose Airflow a command works with: the own one of `medallion up`, or a deployment that others run. In the user's shell.

A command works on this project's own database, or asks an API server. It never runs anything, and never writes
configuration, on a database that is not its own: the components that serve it have their own bundles, drivers and keys.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from medallion.components.places import Places, places_of
from medallion.components.record import Record
from medallion.compute.folder import is_held
from medallion.errors import MedallionError

if TYPE_CHECKING:
    from medallion.settings import Settings

DATABASE_VARIABLES = tuple(
    f"AIRFLOW__{section}__SQL_ALCHEMY_CONN{form}"
    for section in ("DATABASE", "CORE")
    for form in ("", "_CMD", "_SECRET")
)
"""How Airflow is told of its database by the environment."""
PASSWORDS_VARIABLE = "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"
WRITTEN_BY = "# Written by `medallion`"
"""How a configuration file of ours begins."""


class OtherDeploymentError(MedallionError):
    """The command would have worked on the database of another deployment."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Server:
    """An API server that commands go through.

    :param url: its address, without a slash at the end.
    :param own: it is that of this project's `medallion up`.
    """

    url: str
    own: bool


def server_of(settings: Settings) -> Server | None:
    """The API server that a command goes through; None when none is up, so that a run may go in a process of its own.

    :raises OtherDeploymentError: nobody said where the server of the database is, it is another host's, or components run
        that have lost their supervisor.
    """
    if settings.api_url:
        return Server(settings.api_url, own=False)
    require_own_database(settings)
    record = Record.read(places_of(settings).record)
    if record is None:
        return None
    if record.supervisor.alive:
        return Server(record.url, own=True)
    refuse_elsewhere(settings)
    refuse_left_over(record)
    return None


def require_own_database(settings: Settings) -> None:
    """Refuse to work on a database that is not this project's own.

    :raises OtherDeploymentError: says what names the other one, and what to set.
    """
    found = other_database(places_of(settings), os.environ)
    if found is None:
        return
    ways = "set MEDALLION_API_URL to the address of its API server, and MEDALLION_API_TOKEN to a token of it"
    if settings.api_url:
        ways = f"`medallion` asks {settings.api_url} for runs (run, run-now, backfill, runs, cancel, repair)"
    raise OtherDeploymentError(
        f"the database of another deployment is set by {found}; `medallion` neither runs nor writes there",
        hint=f"{ways}; or take {found} away to work on this project's own",
    )


def other_database(places: Places, environ: Mapping[str, str]) -> str | None:
    """What names another database than this project's own; None when nothing does."""
    for variable in DATABASE_VARIABLES:
        if (value := environ.get(variable)) and not is_own(value, places):
            return variable
    value = configured_by_others(places.configuration)
    return f"sql_alchemy_conn in {places.configuration}" if value and not is_own(value, places) else None


def is_own(url: str, places: Places) -> bool:
    """Whether an address of SQLAlchemy is a database in this home: the usual one, or that of runs beside a scheduler."""
    scheme, _, rest = url.partition("://")
    path = Path(rest.partition("?")[0][1:])
    return scheme.startswith("sqlite") and path.parent == places.airflow_home


def configured_by_others(file: Path) -> str | None:
    """The database that an airflow.cfg in our home names which is not of our making."""
    try:
        text = file.read_text(encoding="utf-8")
        if text.startswith(WRITTEN_BY):
            return None
        parser = configparser.RawConfigParser(strict=False)
        parser.read_string(text)
        return parser.get("database", "sql_alchemy_conn", fallback=None)
    except (OSError, ValueError, configparser.Error):
        return None


def held_elsewhere(settings: Settings) -> Record | None:
    """The record of an `up` that looks after this home from another host, such as a container."""
    places = places_of(settings)
    record = Record.read(places.record)
    elsewhere = record is not None and not record.supervisor.here and is_held(places.airflow_home / "up.lock")
    return record if elsewhere else None


def refuse_elsewhere(settings: Settings) -> None:
    """Refuse to work beside the `up` of another host. Raises OtherDeploymentError."""
    record = held_elsewhere(settings)
    if record is not None:
        raise OtherDeploymentError(
            f"Airflow is up for {settings.home} on another host or in a container (process {record.supervisor.pid} there)",
            hint=f"set MEDALLION_API_URL to its address as seen from here (there it is {record.url}), or end it there",
        )


def refuse_left_over(record: Record) -> None:
    """Refuse to work beside components that have lost their supervisor: a scheduler among them takes up every task.

    :raises OtherDeploymentError: some live.
    """
    left = [name for name, identity in record.components.items() if identity.alive]
    if left:
        raise OtherDeploymentError(
            f"Airflow's {', '.join(left)} still run{'s' * (len(left) == 1)} though what looked after them is gone",
            hint="`medallion down` ends what is left, `medallion up` starts all of it again",
        )


def login_file(settings: Settings) -> Path | None:
    """The file with the password of `admin`: that of the own `up`, or the one that a deployment's own variables name."""
    if not settings.api_url:
        return places_of(settings).passwords
    named = os.environ.get(PASSWORDS_VARIABLE)
    return Path(named) if named and Path(named).is_file() else None

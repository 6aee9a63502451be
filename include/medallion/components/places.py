"""Where the components keep their files below the home folder. Runs everywhere; pure."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from medallion.errors import MedallionError

if TYPE_CHECKING:
    from medallion.settings import Settings

PACKAGE = Path(__file__).resolve().parents[1]


class HomeError(MedallionError):
    """The home folder cannot be used: read-only, not a folder, or the disk is full."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Places:
    """Files and folders of the components.

    :param airflow_home: Airflow's own home: airflow.cfg, the database, the password.
    :param logs: the components' logs, one file each, and the task logs below `tasks`.
    :param record: what `up` started: process ids and start times, address.
    """

    airflow_home: Path
    configuration: Path
    database: Path
    passwords: Path
    logs: Path
    task_logs: Path
    record: Path
    spare: Path


def places_of(settings: Settings) -> Places:
    """The places of a project."""
    airflow_home, logs = settings.home / "airflow", settings.home / "logs"
    return Places(
        airflow_home=airflow_home,
        configuration=airflow_home / "airflow.cfg",
        database=airflow_home / "airflow.db",
        passwords=airflow_home / "passwords.json",
        logs=logs,
        task_logs=logs / "tasks",
        record=settings.home / "up.json",
        spare=settings.home / "spare",
    )


def prepare(settings: Settings) -> Places:
    """Make the folders. Raises HomeError when the home cannot be written."""
    places = places_of(settings)
    try:
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        keep_private(settings.home)
        # Secrets and the database live here: nobody else needs to look in.
        places.airflow_home.mkdir(mode=0o700, exist_ok=True)
        places.task_logs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HomeError(
            f"the home folder {settings.home} cannot be made: {error.strerror or error}",
            hint="set `home` in medallion.toml, or MEDALLION_HOME, to a folder that can be written",
        ) from None
    if not os.access(places.airflow_home, os.W_OK):
        raise HomeError(
            f"the home folder {settings.home} cannot be written",
            hint="set `home` in medallion.toml, or MEDALLION_HOME, to a folder that can be written",
        )
    return places


def shipped(name: str, project: Path) -> Path:
    """The project's own `dags` or `plugins` folder when it has Python files, else the one that comes with Medallion.

    A wheel carries them inside the package; a checkout has them beside `include`.
    """
    candidates = (project / name, PACKAGE / "airflow_home" / name, PACKAGE.parents[1] / name)
    return next((folder for folder in candidates if any(folder.glob("*.py"))), project / name)


def keep_private(folder: Path) -> None:
    """Take away what other users may do in a folder of ours: logs, tables and records lie below."""
    state = folder.stat()
    if state.st_uid == os.getuid() and state.st_mode & 0o077:
        folder.chmod(0o700)

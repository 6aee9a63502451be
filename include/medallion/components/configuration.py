"""Airflow's configuration for this project, as `airflow.cfg` below the home folder. In the user's shell.

It is a file, and not a long list of environment variables, for two reasons: the keys in it stay out of the environment
that notebooks see, and a plain `airflow` command works with AIRFLOW_HOME alone. A variable AIRFLOW__SECTION__OPTION of
the user still wins over it, as everywhere in Airflow.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from medallion.components.airflow_options import own_options
from medallion.components.deployment import WRITTEN_BY, require_own_database
from medallion.components.places import PACKAGE, Places, places_of, prepare
from medallion.components.ports import free_port
from medallion.components.secret_files import admin_password, kept_keys, write_private
from medallion.compute.master import LOOPBACK
from medallion.errors import SettingsError

if TYPE_CHECKING:
    from medallion.settings import Settings

LOG_SERVER_PORT = 8793
"""Airflow's default for the server that hands a running task's log to the UI."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the components listen.

    :param worker_logs: port of the scheduler's log server.
    :param trigger_logs: port of the triggerer's log server.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    worker_logs: int = LOG_SERVER_PORT
    trigger_logs: int = LOG_SERVER_PORT + 1

    @property
    def url(self) -> str:
        """What a browser on this machine opens; without a slash at the end."""
        anywhere = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104  read, not bound
        host = anywhere.get(self.host, f"[{self.host}]" if ":" in self.host else self.host)
        return f"http://{host}:{self.port}"

    @classmethod
    def choose(cls, host: str, port: int) -> Endpoint:
        """An endpoint with free ports for the log servers; `port` is taken as given."""
        worker = free_port(LOOPBACK, LOG_SERVER_PORT, taken=frozenset({port}))
        trigger = free_port(LOOPBACK, worker + 1, taken=frozenset({port}))
        return cls(host, port, worker, trigger)


def render(table: Mapping[tuple[str, str], str]) -> str:
    """The text of airflow.cfg. A per cent sign is doubled: Airflow interpolates the file.

    :raises SettingsError: a value has several lines.
    """
    sections: dict[str, list[str]] = {}
    for (section, option), value in table.items():
        if "\n" in value or "\r" in value:  # the next line would be an option of its own
            raise SettingsError(f"the option {option} of [{section}] would have a line end in it: {value!r}")
        sections.setdefault(section, []).append(f"{option} = {value.replace('%', '%%')}")
    head = f"{WRITTEN_BY}; set AIRFLOW__SECTION__OPTION in the environment to change an option.\n"
    return head + "\n".join(f"[{section}]\n" + "\n".join(lines) + "\n" for section, lines in sections.items())


def write_configuration(settings: Settings, endpoint: Endpoint) -> Places:
    """Make the home's folders, keys, login and airflow.cfg. Raises HomeError, OtherDeploymentError."""
    require_own_database(settings)
    places = prepare(settings)
    admin_password(places.passwords)
    keys = kept_keys(places.configuration)
    text = render(own_options(settings, endpoint) | keys)
    if not places.configuration.is_file() or places.configuration.read_text(encoding="utf-8") != text:
        write_private(places.configuration, text)
    return places


def environment(settings: Settings, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of Airflow's processes for this project, from `base` (default: this process's own)."""
    given = dict(os.environ if base is None else base)
    places = places_of(settings)
    binaries = str(Path(sys.executable).parent)
    given |= {
        "AIRFLOW_HOME": str(places.airflow_home),
        "AIRFLOW_CONFIG": str(places.configuration),
        "MEDALLION_PROJECT": str(settings.project),
        "MEDALLION_HOME": str(settings.home),
        # Airflow starts bare `airflow` and `python` commands.
        "PATH": os.pathsep.join([binaries, *without(given.get("PATH", os.defpath), binaries)]),
        "PYTHONPATH": os.pathsep.join([*python_path(settings), *without(given.get("PYTHONPATH", ""), "")]),
        # Workers are forked from processes with threads; macOS stops such children without this.
        "OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES",
        "PYTHONUNBUFFERED": "1",
    }
    if not given["PYTHONPATH"]:
        del given["PYTHONPATH"]
    return given


def python_path(settings: Settings) -> list[str]:
    """Folders that tasks import from besides the environment: this package's when not installed, the project's own."""
    candidates = [PACKAGE.parent, settings.project / "include"]
    installed = {Path(entry).resolve() for entry in sys.path if entry.endswith("site-packages")}
    return list(dict.fromkeys(str(item) for item in candidates if item.is_dir() and item.resolve() not in installed))


def without(path_list: str, entry: str) -> list[str]:
    """The entries of a search path but one, and no empty ones."""
    return [item for item in path_list.split(os.pathsep) if item and item != entry]

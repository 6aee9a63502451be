"""Notices components that live and no longer work, by their signs of life. Runs in the supervisor of `medallion up`.

Airflow's scheduler, for one, can wait for ever for a worker when it ends after an error of the database.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from medallion.components.health import API_SERVER

LOOK_SECONDS = 10.0
SILENT_SECONDS = 180.0
"""How long a component may give no sign of life. Airflow calls one ill after 30 s; a busy machine is late by more."""


class Pulse:
    """When each component was last seen well.

    :param look: gives the components that are well.
    """

    def __init__(self, look: Callable[[], Collection[str]]) -> None:
        self.look = look
        self.well: dict[str, float] = {}
        self.due = 0.0

    def silent(self, started: Mapping[str, float], clock: Callable[[], float]) -> list[str]:
        """Components that have been silent for too long; looks no more often than `LOOK_SECONDS`.

        :param started: running components and when they were started, in seconds of the clock.
        """
        if clock() < self.due:
            return []
        found = self.look()
        now = clock()
        self.due = now + LOOK_SECONDS
        for name in started:
            # While the API server does not answer nothing is known of those that it tells of.
            if name in found or (API_SERVER not in found and name != API_SERVER):
                self.well[name] = now
        return [
            name for name, begun in started.items() if now - max(begun, self.well.get(name, begun)) > SILENT_SECONDS
        ]

"""What every kind of trigger looks at changes with. Runs in the triggerer, in threads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import Any

from medallion.triggers.store import State


class Source(ABC):
    """Sees changes and keeps them until they are taken.

    `changed` is when the latest was seen, seconds since the epoch; `problem` why something is not watched; `gone` holds
    names to forget.
    """

    remote = False
    """Whether a look may take long: it then runs in a thread of its own."""

    def __init__(self) -> None:
        self.changed = 0.0
        self.problem = ""
        self.gone: set[str] = set()

    @abstractmethod
    def look(self, now: float) -> None:
        """Look for changes."""

    @property
    @abstractmethod
    def ready(self) -> bool:
        """Whether the changes so far are enough to fire."""

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """The pending changes as a run is told them."""

    @abstractmethod
    def state(self, *, taken: bool) -> State:
        """What must be known after a restart.

        :param taken: with the pending changes as taken.
        """

    @abstractmethod
    def clear(self) -> None:
        """The pending changes were taken."""

    def names(self) -> Collection[str]:
        """Names that become known when the pending changes are taken."""
        return ()

    @abstractmethod
    def seen(self) -> dict[str, Any]:
        """What people are shown."""

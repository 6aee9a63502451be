"""When a trigger that saw a change fires: its two timers. Pure; runs in the triggerer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timers:
    """`min_time_between_triggers_seconds` and `wait_after_last_change_seconds`.

    With both, the interval since the last firing passes first, then the quiet time; every change starts the quiet time
    anew (Databricks page "Trigger jobs when source tables are updated").

    :param between: seconds.
    :param wait: seconds.
    """

    between: float = 0
    wait: float = 0

    def fire_at(self, changed: float, fired: float | None) -> float:
        """When to fire, seconds since the epoch.

        :param changed: when the latest change was seen.
        :param fired: when the trigger fired last; None for never.
        """
        free = changed if fired is None else max(changed, fired + self.between)
        return free + self.wait

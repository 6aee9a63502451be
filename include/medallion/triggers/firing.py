"""What a firing tells the run that it starts. Pure; runs in the triggerer, the task process and wherever runs are told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

MARK = "lakeflow"
"""Key of an event's payload that tells it is ours."""

TYPES = {
    "file_arrival": "FILE_ARRIVAL",
    "table_update": "TABLE",
    "job_completion": "JOB_COMPLETION",
    "schedule": "PERIODIC",
    "periodic": "PERIODIC",
}
"""Kind of trigger and the Jobs API's word for a run that it started (`TriggerType`)."""


@dataclass(frozen=True, slots=True)
class Firing:
    """One firing of one trigger.

    :param firing: names it for good, so that it is told once.
    :param key: which of the job's triggers.
    :param at: seconds since the epoch.
    :param facts: by kind: `location`, `files`, `count`; `tables` (version and commit time by name); `jobs`; `time`.
    """

    firing: str
    dag_id: str
    key: str
    kind: str
    at: float
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def trigger_type(self) -> str:
        """The Jobs API's word."""
        return TYPES.get(self.kind, "ONE_TIME")

    def to_payload(self) -> dict[str, Any]:
        """The payload of Airflow's event."""
        return {
            MARK: 1,
            "firing": self.firing,
            "dag_id": self.dag_id,
            "key": self.key,
            "kind": self.kind,
            "at": self.at,
            "facts": dict(self.facts),
        }

    @classmethod
    def from_payload(cls, payload: object) -> Firing | None:
        """The firing that a payload tells, None when it is not ours."""
        if not isinstance(payload, Mapping) or MARK not in payload:
            return None
        return cls(**{name: payload[name] for name in ("firing", "dag_id", "key", "kind", "at", "facts")})


def firings_of(extras: Iterable[object]) -> list[Firing]:
    """The firings among the `extra` of asset events, oldest first.

    :param extras: `extra` of each event that started a run. Airflow puts a trigger's payload under `payload`.
    """
    found = (Firing.from_payload(extra.get("payload")) for extra in extras if isinstance(extra, Mapping))
    return sorted((firing for firing in found if firing is not None), key=lambda firing: firing.at)

"""What `medallion up` started, on disk, so that another process can look at it and end it. In the user's shell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from medallion.compute.processes import Identity, draft_of


@dataclass(frozen=True, slots=True)
class Record:
    """One start of the components.

    :param supervisor: the process that looks after the components; its host says whose start this is.
    :param ready: True once all of them were healthy.
    :param restarts: how often each was started again after it died.
    """

    supervisor: Identity
    url: str
    host: str
    port: int
    components: Mapping[str, Identity] = field(default_factory=dict)
    restarts: Mapping[str, int] = field(default_factory=dict)
    ready: bool = False

    def write(self, path: Path) -> None:
        """Write it whole or not at all."""
        draft = draft_of(path)
        draft.write_text(json.dumps(asdict(self), indent=2), encoding="utf-8")
        draft.replace(path)

    @classmethod
    def read(cls, path: Path) -> Record | None:
        """The record, or None when there is none that can be read."""
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            raw["supervisor"] = Identity(**raw["supervisor"])
            raw["components"] = {name: Identity(**item) for name, item in raw["components"].items()}
            return cls(**raw)
        except (OSError, ValueError, TypeError, KeyError):
            return None

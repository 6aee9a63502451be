"""Keeps `jobs` and `job_tasks` in line with the definitions. Runs in the jobs service."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from medallion.runs.system_tables.audit import definition_event
from medallion.runs.system_tables.history import changed, job_id_of, job_row, task_rows
from medallion.runs.system_tables.periods import moment

if TYPE_CHECKING:
    from datetime import datetime

    from medallion.runs.definitions import Definitions
    from medallion.runs.system_tables.rows import Row
    from medallion.runs.system_tables.store import Store
    from medallion.settings import Settings
    from medallion.spec.definition import JobDefinition

LOOK_SECONDS = 5.0
SHARE = 50
"""A look at many files is followed by a pause so many times as long."""


class Defined:
    """The definitions as the tables have them.

    Where a definition lies is kept in a file of our own: the tables have no column for it. A job whose file is elsewhere,
    because somebody ran it by its path, is not deleted before that file is.
    """

    def __init__(self, settings: Settings, store: Store, definitions: Definitions) -> None:
        self.settings = settings
        self.store = store
        self.definitions = definitions
        self.place = settings.home / "jobs_service" / "defined.json"
        self.files: dict[str, str] = self.read()
        self.seen: dict[str, str] = {}
        self.next = 0.0

    def read(self) -> dict[str, str]:
        """File by job id."""
        try:
            told = json.loads(self.place.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return {str(key): str(value) for key, value in told.items()} if isinstance(told, dict) else {}

    def tick(self) -> None:
        """Look at the definitions when it is time to."""
        begun = time.monotonic()
        if begun < self.next:
            return
        found, whole = self.definitions.all()
        self.sync(found, whole=whole)
        self.next = time.monotonic() + max(LOOK_SECONDS, SHARE * (time.monotonic() - begun))

    def know(self, dag_id: str, definition: JobDefinition | None) -> None:
        """Make sure that the tables have a job of which a run is told: as it is now, and not as the run had it."""
        if definition is None or job_id_of(dag_id, definition) in self.seen:
            return
        now = self.definitions.of(dag_id)
        if now is not None:
            self.sync({dag_id: now}, whole=False)

    def sync(self, found: Mapping[str, JobDefinition], *, whole: bool) -> None:
        """Write what changed.

        :param whole: these are all definitions, and all files could be read: what is missing may be gone.
        """
        by_id = {job_id_of(dag_id, item): (dag_id, item) for dag_id, item in found.items()}
        prints = {key: json.dumps(item.job.to_json(), sort_keys=True) for key, (_, item) in by_id.items()}
        gone = frozenset(self.gone(by_id)) if whole else frozenset()
        if not gone and all(self.seen.get(key) == text for key, text in prints.items()):
            return
        with self.store.alone():
            self.write(by_id, gone)
        self.remember({**self.files, **{key: str(item.file) for key, (_, item) in by_id.items()}}, gone)
        self.seen.update(prints)

    def write(self, by_id: Mapping[str, tuple[str, JobDefinition]], gone: frozenset[str]) -> None:
        """Add the rows of what changed. Under the tables' lock: two that see one change write it once."""
        user, at = self.settings.user, moment(time.time())
        latest = newest(self.store.rows("jobs"), lambda row: str(row["job_id"]))
        jobs = {key: job_row(dag_id, item, user) for key, (dag_id, item) in by_id.items()}
        rows = changed(latest, jobs, at, gone=gone)
        files = {key: str(item.file) for key, (_, item) in by_id.items()}
        self.store.add_alone("audit", self.events(rows, latest, files, at))
        self.store.add_alone("job_tasks", self.changed_tasks(by_id, gone, at))
        self.store.add_alone("jobs", rows)

    def gone(self, by_id: Mapping[str, object]) -> list[str]:
        """Known jobs that no file defines any more."""
        below = self.settings.jobs_folder
        return [
            key
            for key, file in self.files.items()
            if key not in by_id and (Path(file).is_relative_to(below) or not Path(file).exists())
        ]

    def changed_tasks(
        self, by_id: Mapping[str, tuple[str, JobDefinition]], gone: frozenset[str], at: datetime
    ) -> list[Row]:
        """New rows of tasks."""
        known = newest(self.store.rows("job_tasks"), lambda row: f"{row['job_id']}\x1f{row['task_key']}")
        now = {
            f"{key}\x1f{name}": row
            for key, (dag_id, item) in by_id.items()
            for name, row in task_rows(dag_id, item).items()
        }
        owned = {*by_id, *gone}
        left = frozenset(name for name in known if name not in now and name.partition("\x1f")[0] in owned)
        rows = changed(known, now, at, gone=left)
        return [{name: value for name, value in row.items() if name != "create_time"} for row in rows]

    def events(self, rows: list[Row], latest: Mapping[str, Row], files: Mapping[str, str], at: datetime) -> list[Row]:
        """The audit's rows for changed jobs."""
        told = []
        for row in rows:
            before = latest.get(row["job_id"])
            living = before is not None and before["delete_time"] is None
            action = "delete" if row["delete_time"] is not None else "update" if living else "create"
            file = files.get(row["job_id"]) or self.files.get(row["job_id"], "")
            since = before["change_time"] if before is not None else None
            told.append(definition_event(action, row, at, since, file, owner_of(file)))
        return told

    def remember(self, files: Mapping[str, str], gone: frozenset[str]) -> None:
        """Write where the definitions lie."""
        kept = {key: file for key, file in files.items() if key not in gone}
        for key in gone:
            self.seen.pop(key, None)
        if kept != self.files:
            self.files = kept
            self.place.parent.mkdir(parents=True, exist_ok=True)
            draft = self.place.with_suffix(".new")
            draft.write_text(json.dumps(kept), encoding="utf-8")
            draft.replace(self.place)


def newest(rows: list[Row], key: Callable[[Row], str]) -> dict[str, Row]:
    """The latest row of each key."""
    found: dict[str, Row] = {}
    for row in rows:
        name = key(row)
        if name not in found or found[name]["change_time"] <= row["change_time"]:
            found[name] = row
    return found


def owner_of(file: str) -> str | None:
    """Who owns a file, as this machine names them."""
    try:
        return Path(file).owner()
    except (OSError, KeyError):
        return None

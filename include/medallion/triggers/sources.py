"""What the kinds of triggers look at: files, tables, ended runs, the clock. Runs in the triggerer, in threads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from medallion.triggers.delta_log import LogCursor, TableCommit, table_place
from medallion.triggers.ended import EndedRuns
from medallion.triggers.entries import Entry
from medallion.triggers.listing import Listing, listing_of
from medallion.triggers.store import State, Store

if TYPE_CHECKING:
    from medallion.settings import Settings

SHOWN_FILES = 10
"""New files that a firing names."""

SWEEP_SECONDS = 60.0
"""A file that is missing in two looks so far apart is forgotten; a file of its name is new again."""

RESOLVE_SECONDS = 10.0
"""How often a job or table that was not found is looked for again."""


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


class Files(Source):
    """New names below a place."""

    def __init__(self, url: str, listing: Listing, known: set[str] | None) -> None:
        super().__init__()
        self.url = url
        self.listing = listing
        self.remote = listing.remote
        self.known = known
        self.pending: dict[str, float] = {}
        self.missing: set[str] = set()
        self.swept = 0.0

    @classmethod
    def make(cls, entry: Entry, state: State | None, store: Store, dag_id: str, settings: Settings) -> Files:
        """The source of an entry; a place that was not watched before begins with what is there."""
        url = str(entry.settings["url"])
        same = state is not None and state.get("url") == url
        return cls(url, listing_of(url, settings), store.names(dag_id, entry.key) if same else None)

    @override
    def look(self, now: float) -> None:
        if self.known is None:
            self.known = set(self.listing.names())
            return
        new = [name for name in self.listing.names() if name not in self.known and name not in self.pending]
        if new:
            self.pending |= dict.fromkeys(new, now)
            self.changed = now
        if now - self.swept >= SWEEP_SECONDS:
            self.sweep(now)

    def sweep(self, now: float) -> None:
        """Forget names whose files are gone for good. A folder that is not there, as when a disk is away, tells nothing."""
        self.swept = now
        there = self.listing.all_names()
        if there is None:
            return
        missing = (self.known or set()) - there
        self.gone |= missing & self.missing
        self.missing = missing - self.gone
        if self.known is not None:
            self.known -= self.gone

    @property
    @override
    def ready(self) -> bool:
        return bool(self.pending)

    @override
    def facts(self) -> dict[str, Any]:
        return {"location": self.url, "count": len(self.pending), "files": sorted(self.pending)[:SHOWN_FILES]}

    @override
    def state(self, *, taken: bool) -> State:
        return {"url": self.url}

    @override
    def names(self) -> Collection[str]:
        return tuple(self.pending)

    @override
    def clear(self) -> None:
        if self.known is not None:
            self.known |= self.pending.keys()
        self.pending = {}

    @override
    def seen(self) -> dict[str, Any]:
        return {"location": self.url, "known_files": len(self.known or ()), "new_files": len(self.pending)}


class Tables(Source):
    """Commits to tables that change data."""

    def __init__(self, cursors: Mapping[str, LogCursor], problems: Collection[str], *, every: bool) -> None:
        super().__init__()
        self.cursors = dict(cursors)
        self.every = every
        self.problem = "; ".join(problems)
        self.pending: dict[str, TableCommit] = {}
        self.taken = {name: (cursor.version, cursor.identity) for name, cursor in self.cursors.items()}

    @classmethod
    def make(cls, entry: Entry, state: State | None, store: Store, dag_id: str, settings: Settings) -> Tables:
        """The source of an entry; a table that was not watched before begins with what is there."""
        before = (state or {}).get("tables", {})
        cursors, problems = {}, []
        for name in dict.fromkeys(str(name).lower() for name in entry.settings["table_names"]):
            place = table_place(settings.lake, name)
            if place.folder is None:
                problems.append(place.problem)
                continue
            cursors[name] = cursor_of(place.folder, before.get(name))
        return cls(cursors, problems, every=entry.settings.get("condition") == "ALL_UPDATED")

    @override
    def look(self, now: float) -> None:
        for name, cursor in self.cursors.items():
            for commit in cursor.look():
                if commit.changes_data:
                    self.pending[name] = commit
                    self.changed = now

    @property
    @override
    def ready(self) -> bool:
        return bool(self.pending) and (not self.every or (len(self.pending) == len(self.cursors) and not self.problem))

    @override
    def facts(self) -> dict[str, Any]:
        return {
            "tables": {
                name: {"version": commit.version, "commit_timestamp": commit.timestamp, "own": commit.own}
                for name, commit in sorted(self.pending.items())
            }
        }

    @override
    def state(self, *, taken: bool) -> State:
        told = dict(self.taken)
        for name, cursor in self.cursors.items():
            # Commits that changed no data need no second look; those before a pending one must be read again.
            if taken or name not in self.pending:
                told[name] = (cursor.version, cursor.identity)
        return {"tables": {name: [version, *(identity or ())] for name, (version, identity) in told.items()}}

    @override
    def clear(self) -> None:
        self.taken = {name: (cursor.version, cursor.identity) for name, cursor in self.cursors.items()}
        self.pending = {}

    @override
    def seen(self) -> dict[str, Any]:
        return {
            "tables": {
                name: {"version": cursor.version if cursor.version >= 0 else None, "updated": name in self.pending}
                for name, cursor in self.cursors.items()
            }
        }


def cursor_of(folder: str, before: list[int] | None) -> LogCursor:
    """A cursor at the version that was taken last, or at the table's latest."""
    if before is None:
        cursor = LogCursor(folder)
        cursor.start()
        return cursor
    version, *identity = before
    cursor = LogCursor(folder, version, (identity[0], identity[1]) if len(identity) == 2 else None)
    cursor.resume()
    return cursor


class Completions(Source):
    """Ends of runs of other jobs."""

    def __init__(self, jobs: tuple[str, ...], status: str, ended: EndedRuns, find: Callable[[str], str | None]) -> None:
        super().__init__()
        self.jobs = jobs
        self.status = status
        self.ended = ended
        self.find = find
        self.dags: dict[str, str] = {}
        self.resolved = 0.0
        self.pending: dict[str, dict[str, Any]] = {}
        self.taken = ended.offset

    @classmethod
    def make(cls, entry: Entry, state: State | None, store: Store, dag_id: str, settings: Settings) -> Completions:
        """The source of an entry; runs that ended before it was watched do not count."""
        jobs = tuple(dict.fromkeys(str(job["job_id"]) for job in entry.settings["jobs"]))
        ended = EndedRuns.of(settings.home, (state or {}).get("offset"))
        return cls(jobs, str(entry.settings.get("if_status") or "SUCCESS"), ended, job_finder(settings, dag_id))

    @override
    def look(self, now: float) -> None:
        if len(self.dags) < len(self.jobs) and now - self.resolved >= RESOLVE_SECONDS:
            self.resolve(now)
        for run in self.ended.look():
            for job, dag_id in self.dags.items():
                if run["dag_id"] == dag_id and self.counts(str(run["state"])):
                    self.pending[job] = run
                    self.changed = now

    def resolve(self, now: float) -> None:
        """Find the DAGs of the jobs. A job may be written after the one that waits for it."""
        self.resolved = now
        self.dags = {job: dag_id for job in self.jobs if (dag_id := self.find(job)) is not None}
        lost = [job for job in self.jobs if job not in self.dags]
        self.problem = f"no job of this project has the id {', '.join(lost)}" if lost else ""

    def counts(self, state: str) -> bool:
        """Whether an end is what the trigger waits for. Airflow's `success` is SUCCESS or SUCCESS_WITH_FAILURES."""
        return self.status == "DONE" or (state == "success") == (self.status == "SUCCESS")

    @property
    @override
    def ready(self) -> bool:
        return bool(self.jobs) and len(self.pending) == len(self.jobs)

    @override
    def facts(self) -> dict[str, Any]:
        return {"jobs": dict(self.pending)}

    @override
    def state(self, *, taken: bool) -> State:
        return {"offset": self.ended.offset if taken or not self.pending else self.taken}

    @override
    def clear(self) -> None:
        self.taken = self.ended.offset
        self.pending = {}

    @override
    def seen(self) -> dict[str, Any]:
        return {"jobs": {job: {"dag_id": self.dags.get(job), "ended": job in self.pending} for job in self.jobs}}


def job_finder(settings: Settings, dag_id: str) -> Callable[[str], str | None]:
    """Finds the DAG of a job by the id that the job `dag_id` names it with."""

    def find(job_id: str) -> str | None:
        from medallion.factory.jobs import definitions_by_dag, names_job

        found, _ = definitions_by_dag(settings)
        caller = found.get(dag_id)
        if caller is None:
            return None
        return next((name for name, definition in found.items() if names_job(job_id, caller, definition)), None)

    return find


class Times(Source):
    """The clock, for schedules with a `sql_condition`."""

    def __init__(self, next_fire: Callable[[datetime], datetime | None], last: float | None) -> None:
        super().__init__()
        self.next_fire = next_fire
        self.last = last
        self.upcoming: float | None = None
        self.due: float | None = None
        self.begun = False

    @classmethod
    def make(cls, entry: Entry, state: State | None, store: Store, dag_id: str, settings: Settings) -> Times:
        """The source of an entry. Fires that were missed are not made up for."""
        from medallion.triggers.watched import next_fire_of

        return cls(next_fire_of(entry.kind, entry.settings), (state or {}).get("last"))

    @override
    def look(self, now: float) -> None:
        if not self.begun:
            self.begun = True
            self.plan(max(now - 1, self.last or 0))
        if self.upcoming is not None and now >= self.upcoming:
            self.due = self.changed = self.upcoming
            self.plan(now)

    def plan(self, after: float) -> None:
        """Work out the next fire."""
        found = self.next_fire(datetime.fromtimestamp(after, UTC))
        self.upcoming = None if found is None else found.timestamp()

    @property
    @override
    def ready(self) -> bool:
        return self.due is not None

    @override
    def facts(self) -> dict[str, Any]:
        return {"time": datetime.fromtimestamp(self.due or 0, UTC).isoformat()}

    @override
    def state(self, *, taken: bool) -> State:
        return {"last": self.due if taken and self.due is not None else self.last}

    @override
    def clear(self) -> None:
        self.last, self.due = self.due, None

    @override
    def seen(self) -> dict[str, Any]:
        return {"next": self.upcoming}


SOURCES: Mapping[str, Callable[[Entry, State | None, Store, str, Settings], Source]] = {
    "file_arrival": Files.make,
    "table_update": Tables.make,
    "job_completion": Completions.make,
    "schedule": Times.make,
    "periodic": Times.make,
}
"""Kind of trigger and how its source is made."""

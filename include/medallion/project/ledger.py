"""Which job has which DAG id, kept in `<home>/job_ids.json`. Runs everywhere; no Airflow, no Spark.

A run's history hangs on the DAG id, so a job that has one keeps it, whatever is defined later. Jobs that are new at once
get theirs in the order of their places: without the file the answer is the same again.

The file is read without a lock and replaced as a whole; those who change it take a lock and read it again first.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from medallion.project.naming import dag_id as plain_dag_id
from medallion.project.naming import dag_ids, folded

log = logging.getLogger(__name__)

FILE = "job_ids.json"
LOCK_SECONDS = 60
VERSION = 1


class Place(NamedTuple):  # a thousand are made when a task's process reads the ledger: tuples are quick
    """Where a job is defined.

    :param file: the definition's file: below the jobs folder relative to it, else absolute.
    :param key: resource key in a bundle; the file's stem for bare JSON.
    :param variant: target of a bundle: each target's job is one of its own. Empty outside bundles.
    """

    file: str
    key: str
    variant: str = ""

    def __str__(self) -> str:
        return "::".join(part for part in self if part)


class Claim(NamedTuple):
    """A job that wants a DAG id.

    :param name: its name.
    :param job_id: the id that its definition states, if any.
    """

    place: Place
    name: str
    job_id: int | None = None


Ids = Mapping[str, Claim]
"""DAG ids and the jobs that have them. A `job_id` in it is the job's own: of several that state one, the first has it."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the ledger asks of the world around it.

    :param is_gone: whether the job of a place is defined no more, so that its id is free for another.
    :param has_history: whether runs hang on a DAG id.
    """

    is_gone: Callable[[Place], bool] = lambda _place: False
    has_history: Callable[[str], bool] = lambda _dag_id: True


def assign(known: Ids, claims: Sequence[Claim], rules: Rules) -> dict[str, Claim]:
    """The ledger with these jobs in it. Jobs that are not among the claims keep what they have.

    A renamed job keeps its DAG id when runs hang on it; else it gets one by its new name.
    """
    ids = dict(known)
    places = {claim.place: dag_id for dag_id, claim in ids.items()}
    new: list[Claim] = []
    for claim in sorted(claims, key=lambda item: item.place):
        old = places.get(claim.place)
        if old is None:
            new.append(claim)
        elif plain_dag_id(ids[old].name) == plain_dag_id(claim.name) or rules.has_history(old):
            ids[old] = claim._replace(job_id=ids[old].job_id)
        else:
            del ids[old]
            new.append(claim)
    holders = {folded(dag_id): dag_id for dag_id in ids}
    for claim in new:
        dag_id = first_free(claim, ids, holders, rules)
        ids.pop(holders.get(folded(dag_id), ""), None)
        ids[dag_id] = claim._replace(job_id=None)
        holders[folded(dag_id)] = dag_id
    return with_numbers(ids, {claim.place: claim.job_id for claim in claims}, rules)


def assign_all(known: Ids, groups: Iterable[Sequence[Claim]], rules: Rules) -> dict[str, Claim]:
    """`assign` for one group after the other."""
    ids = dict(known)
    for claims in groups:
        ids = assign(ids, claims, rules)
    return ids


def first_free(claim: Claim, ids: Ids, holders: Mapping[str, str], rules: Rules) -> str:
    """The best DAG id that no living job has."""
    for dag_id in dag_ids(claim.name, str(claim.place)):
        holder = holders.get(folded(dag_id))
        if holder is None or rules.is_gone(ids[holder].place):
            return dag_id
    raise AssertionError(f"no DAG id is free for {claim.place}")  # a digest of 256 bits


def with_numbers(ids: dict[str, Claim], stated: Mapping[Place, int | None], rules: Rules) -> dict[str, Claim]:
    """The ledger with the `job_id` that each definition states, where no other job has it."""
    ids = {
        dag_id: claim._replace(job_id=None) if stated.get(claim.place, claim.job_id) != claim.job_id else claim
        for dag_id, claim in ids.items()
    }
    holders = {claim.job_id: dag_id for dag_id, claim in ids.items() if claim.job_id is not None}
    for dag_id, claim in sorted(ids.items(), key=lambda item: item[1].place):
        number = stated.get(claim.place)
        if number is None or claim.job_id == number:
            continue
        holder = holders.get(number)
        if holder is not None and rules.is_gone(ids[holder].place):
            ids[holder] = ids[holder]._replace(job_id=None)
            holder = None
        if holder is None:
            ids[dag_id] = claim._replace(job_id=number)
            holders[number] = dag_id
    return ids


class Ledger:
    """The ledger of a home folder."""

    def __init__(self, home: Path) -> None:
        self.file = home / FILE
        self._state: tuple[int, int, int] | None = None
        self._ids: dict[str, Claim] = {}
        self._places: dict[Place, str] = {}
        self._numbers: set[int] = set()

    def read(self) -> Ids:
        """The ids as they are now. A file that is no ledger counts as empty; its jobs get ids again."""
        state = state_of(self.file)
        if state != self._state:
            self._keep(contents(self.file) if state else {}, state)
        return self._ids

    def dag_id(self, place: Place) -> str | None:
        """The DAG id of a job; None when it has none yet."""
        self.read()
        return self._places.get(place)

    def is_settled(self, claim: Claim) -> bool:
        """Whether a job stands in the ledger as it is now. Of several jobs that state one `job_id`, one has it."""
        dag_id = self.dag_id(claim.place)
        if dag_id is None or self._ids[dag_id].name != claim.name:
            return False
        return self._ids[dag_id].job_id == claim.job_id or claim.job_id in self._numbers

    def settle(self, groups: Sequence[Sequence[Claim]], rules: Rules) -> None:
        """Give DAG ids to the jobs that have none. A home that cannot be written to has the same ids in memory.

        :param groups: the jobs; those of an earlier group choose first.
        """
        from filelock import FileLock, Timeout

        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self.file.with_suffix(".lock"), timeout=LOCK_SECONDS):
                before = self.read()
                after = assign_all(before, groups, rules)
                if after != before:
                    write(self.file, after)
                    self.read()
        except (OSError, Timeout) as error:
            log.warning("%s cannot be written: %s", self.file, error)
            self.look_ahead(groups, rules)

    def look_ahead(self, groups: Sequence[Sequence[Claim]], rules: Rules) -> None:
        """Give DAG ids to the jobs that have none, in memory alone, until the file changes."""
        self._keep(assign_all(self.read(), groups, rules), self._state)

    def _keep(self, ids: dict[str, Claim], state: tuple[int, int, int] | None) -> None:
        self._ids, self._state = ids, state
        self._places = {claim.place: dag_id for dag_id, claim in ids.items()}
        self._numbers = {claim.job_id for claim in ids.values() if claim.job_id is not None}


def state_of(file: Path) -> tuple[int, int, int] | None:
    """What changes with the file; None when there is none."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def contents(file: Path) -> dict[str, Claim]:
    """The ids of a ledger's file; none of one that cannot be read."""
    try:
        return parse(file.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, LookupError, TypeError) as error:
        log.warning("%s cannot be read and counts as empty: %s", file, error)
        return {}


def parse(data: bytes) -> dict[str, Claim]:
    """The ids of the file's text.

    :raises ValueError, LookupError, TypeError: it is no ledger.
    """
    told = json.loads(data)
    if told["version"] != VERSION:
        raise ValueError(f"version {told['version']!r}")
    return {
        dag_id: Claim(Place(file, key, variant), name, job_id)
        for dag_id, (file, key, variant, name, job_id) in told["jobs"].items()
    }


def write(file: Path, ids: Ids) -> None:
    """Replace the file as a whole. What it held before is kept beside it when it was no ledger."""
    jobs = {dag_id: [*claim.place, claim.name, claim.job_id] for dag_id, claim in sorted(ids.items())}
    lines = ",\n".join(f"{json.dumps(dag_id)}: {json.dumps(job)}" for dag_id, job in jobs.items())
    keep_damaged(file)
    replace_file(file, f'{{"version": {VERSION}, "jobs": {{\n{lines}\n}}}}\n')


def replace_file(file: Path, text: str) -> None:
    """Replace a file as a whole, safe from a loss of power.

    :raises OSError: it cannot be written; what was there stays.
    """
    handle, draft = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(draft).chmod(0o644)
        Path(draft).replace(file)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def keep_damaged(file: Path) -> None:
    """Move a file that is no ledger aside."""
    try:
        parse(file.read_bytes())
    except FileNotFoundError:
        return
    except (ValueError, LookupError, TypeError):
        with suppress(OSError):
            file.replace(file.with_suffix(".damaged"))

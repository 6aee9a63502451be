"""Which files COPY INTO has loaded into a table. Runs in the task process; the files lie in the table's log folder.

A load is one Delta commit, which carries a transaction number of the application `medallion.copy_into`: that number
and the rows are there together or not at all. Before the commit the names of the files go to `<number>-<id>.json`, and
the id into the commit's user metadata; after it, all names so far to `<number>.json`. So whatever is killed at any time,
the next COPY INTO reads the number and knows what was loaded. Of two loads at once one commits; the other begins anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from medallion.runtime.spark.files import Folder, java_class

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

APPLICATION = "medallion.copy_into"
KEY = "copy_into"
HISTORY_LOOKED_AT = 200


@dataclass(frozen=True, slots=True)
class Load:
    """A load that has begun: its number and id."""

    number: int
    id: str


class CopyLog:
    """The record of one table.

    :param location: the table's folder.
    """

    def __init__(self, spark: SparkSession, location: str) -> None:
        self._spark, self._location = spark, location
        self._folder = Folder(spark, f"{location.rstrip('/')}/_delta_log/_copy_into_log")

    def number(self) -> int:
        """The number of the last load that was committed; 0 = none."""
        option = java_class(self._spark, "scala.Option")
        log = java_class(self._spark, "org.apache.spark.sql.delta.DeltaLog").forTable(
            self._spark._jsparkSession, self._location
        )
        found = log.update(False, option.empty(), option.empty()).transactions().get(APPLICATION)  # noqa: FBT003
        return int(found.get()) if found.isDefined() else 0

    def loaded(self) -> tuple[int, set[str]]:
        """The number of the last load, and the files of all loads."""
        number = self.number()
        names = self._folder.names()
        whole = max((int(name[:-5]) for name in names if name[:-5].isdecimal() and int(name[:-5]) <= number), default=0)
        files = set(json.loads(self._folder.read(f"{whole}.json"))) if whole else set()
        if whole < number:  # killed after the commit
            files |= self._files_of(number, [name for name in names if name.startswith(f"{number}-")])
            self._finish(number, files)
        return number, files

    def _files_of(self, number: int, drafts: list[str]) -> set[str]:
        """The files of a load that was committed, of those that tried for its number."""
        if len(drafts) > 1:
            ids = self.committed_ids()
            drafts = [name for name in drafts if name[:-5].partition("-")[2] in ids]
        return {file for name in drafts for file in json.loads(self._folder.read(name))}

    def committed_ids(self) -> set[str]:
        """Ids of the newest commits that were loads."""
        from delta.tables import DeltaTable

        history = DeltaTable.forPath(self._spark, self._location).history(HISTORY_LOOKED_AT)
        return {load_id(row.userMetadata) for row in history.select("userMetadata").collect()} - {""}

    def begin(self, number: int, files: Iterable[str]) -> Load:
        """Write down what is about to be loaded."""
        load = Load(number, uuid4().hex)
        self._folder.write(f"{number}-{load.id}.json", json.dumps(sorted(files)))
        return load

    def end(self, load: Load, files: Iterable[str]) -> bool:
        """After the write: whether this load was the one that committed. Then all its files are kept as loaded."""
        if load.id not in self.committed_ids():
            return False
        self._finish(load.number, files)
        return True

    def _finish(self, number: int, files: Iterable[str]) -> None:
        self._folder.write(f"{number}.json", json.dumps(sorted(files)))


def load_id(metadata: str | None) -> str:
    """The load's id in a commit's user metadata; empty when it was no load."""
    try:
        value = json.loads(metadata or "")
    except ValueError:
        return ""
    return str(value.get(KEY, "")) if isinstance(value, dict) else ""


def with_load(metadata: str | None, load: Load) -> str:
    """The user metadata of the session, which tells the run and task, with the load's id."""
    value: Any
    try:
        value = json.loads(metadata or "{}")
    except ValueError:
        value = {"text": metadata}
    return json.dumps({**(value if isinstance(value, dict) else {"text": metadata}), KEY: load.id})

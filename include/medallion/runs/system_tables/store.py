"""The Delta tables of the catalog `system`: made, added to, kept small. Runs in the jobs service; needs no Spark.

Rows are added and never changed, and each has a key. What a table has already is left out, under a lock of this machine,
so that the same rows written twice are there once: a crash between a write and its note costs nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.runs.system_tables.schema import CATALOG, TABLES, arrow_schema

if TYPE_CHECKING:
    from medallion.settings import Settings

Row = dict[str, Any]

TIDY_COMMITS = 100
"""After so many commits small files are put together, and old ones and old log entries go."""
KEEP_HOURS = 2
"""How long files stay that a reader may still need."""
PROPERTIES = {
    "delta.logRetentionDuration": "interval 1 days",
    "delta.checkpointInterval": str(TIDY_COMMITS),
}


log = logging.getLogger(__name__)


def make_system_tables(settings: Settings) -> None:
    """Make the tables that are not there, so that a query before the first run finds them empty.

    A lake that cannot be written to is told of by who needs to write.
    """
    store = Store(settings)
    if not store.missing():
        return
    from deltalake.exceptions import DeltaError

    try:
        store.ensure()
    except (OSError, DeltaError) as error:
        log.warning("the system tables could not be made: %s", error)


class Store:
    """The tables of one lake."""

    def __init__(self, settings: Settings) -> None:
        self.folder = settings.lake / CATALOG
        self.lock = settings.home / "jobs_service" / "tables.lock"
        self.tables: dict[str, Any] = {}

    def place(self, name: str) -> Path:
        """A table's folder."""
        return self.folder / TABLES[name].schema / name

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only writer on this machine."""
        self.lock.parent.mkdir(parents=True, exist_ok=True)
        with self.lock.open("a") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield

    def ensure(self) -> None:
        """Make the tables that are not there. Readers find them empty before the first run."""
        if missing := self.missing():
            with self.alone():
                for name in missing:
                    self.create(name)

    def missing(self) -> list[str]:
        """The tables that are not there."""
        return [name for name in TABLES if not (self.place(name) / "_delta_log").is_dir()]

    def create(self, name: str) -> None:
        """Make one table; nothing happens when it is there."""
        from deltalake import DeltaTable

        place, table = self.place(name), TABLES[name]
        place.mkdir(parents=True, exist_ok=True)
        DeltaTable.create(
            str(place),
            schema=arrow_schema(name),
            mode="ignore",
            name=name,
            description=table.comment,
            configuration=dict(PROPERTIES),
        )

    def table(self, name: str) -> Any:
        """A table at its newest version."""
        from deltalake import DeltaTable

        if not (self.place(name) / "_delta_log").is_dir():
            self.tables.pop(name, None)
            self.create(name)
        known = self.tables.get(name)
        if known is None:
            known = self.tables[name] = DeltaTable(str(self.place(name)))
        else:
            known.update_incremental()
        return known

    def forget(self, name: str) -> None:
        """Open a table anew next time: somebody may have replaced its folder."""
        self.tables.pop(name, None)

    def add(self, name: str, rows: Sequence[Row]) -> int:
        """Add the rows that the table has not; gives how many. One commit, or none."""
        if not rows:
            return 0
        with self.alone():
            try:
                return self.add_alone(name, rows)
            except BaseException:
                self.forget(name)
                raise

    def add_alone(self, name: str, rows: Sequence[Row]) -> int:
        """`add`, by one who holds the lock."""
        if not rows:
            return 0
        import pyarrow as pa
        from deltalake import write_deltalake

        table, description = self.table(name), TABLES[name]
        present = self.present(table, name, {row[description.look] for row in rows})
        new = list({key: row for row in rows if (key := self.key(name, row)) not in present}.values())
        if not new:
            return 0
        schema = arrow_schema(name)
        write_deltalake(table, pa.Table.from_pylist(new, schema=schema), mode="append")
        self.tidy(table)
        return len(new)

    @staticmethod
    def key(name: str, row: Row) -> tuple[Any, ...]:
        """The values that name a row."""
        return tuple(row[column] for column in TABLES[name].key)

    def dataset(self, name: str, table: Any) -> Any:
        """The rows of an open table, for Arrow.

        Arrow opens the files itself. With file objects of Delta's library, which are Python's, a thread of Arrow may need
        the interpreter while a short command ends, and that aborts the process.
        """
        from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

        return table.to_pyarrow_dataset(filesystem=SubTreeFileSystem(str(self.place(name)), LocalFileSystem()))

    def present(self, table: Any, name: str, looked: Iterable[Any]) -> set[tuple[Any, ...]]:
        """The keys of present rows with one of the values in the table's `look` column."""
        import pyarrow.dataset as ds

        description = TABLES[name]
        found = self.dataset(name, table).to_table(
            columns=list(description.key), filter=ds.field(description.look).isin(list(looked))
        )
        return {self.key(name, row) for row in found.to_pylist()}

    def rows(self, name: str, columns: Sequence[str] | None = None, **equal: Any) -> list[Row]:
        """The rows of a table.

        :param equal: only rows with these values.
        """
        import pyarrow.dataset as ds

        condition = None
        for column, value in equal.items():
            part = ds.field(column) == value
            condition = part if condition is None else condition & part
        found = self.dataset(name, self.table(name)).to_table(columns=columns, filter=condition)
        listed: list[Row] = found.to_pylist()
        return listed

    def replace(self, name: str, rows: Sequence[Row]) -> None:
        """Replace all rows in one commit."""
        import pyarrow as pa
        from deltalake import write_deltalake

        data = pa.Table.from_pylist(list(rows), schema=arrow_schema(name))
        write_deltalake(self.table(name), data, mode="overwrite")

    @staticmethod
    def tidy(table: Any) -> None:
        """Put small files together now and then. Failing to is no failure: the next commit tries again."""
        version = table.version()
        if version == 0 or version % TIDY_COMMITS:
            return
        with contextlib.suppress(Exception):
            table.optimize.compact()
            table.vacuum(retention_hours=KEEP_HOURS, enforce_retention_duration=False, dry_run=False)
            table.create_checkpoint()
            table.cleanup_metadata()

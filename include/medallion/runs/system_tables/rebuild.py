"""Makes the tables of runs again from Airflow's database: `python -m medallion.runs.system_tables.rebuild`.

In a process of its own, with the project's environment. Rows of runs that Airflow has forgotten stay; so do the parts of a
repaired run before its last repair, which Airflow overwrites. `jobs` and `job_tasks` are brought up to date, their history
stays. Readers see each table before or after, never between: it is replaced in one commit.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from medallion.runs.following import load_airflow
from medallion.runs.metadata import runs_of
from medallion.runs.system_tables.consumer import SystemTables
from medallion.runs.system_tables.schema import TABLES

if TYPE_CHECKING:
    from medallion.runs.system_tables.rows import Row, Whole
    from medallion.runs.system_tables.store import Store
    from medallion.settings import Settings

RUN_TABLES = ("job_run_timeline", "job_task_run_timeline", "job_task_writes", "audit")


def rebuild(settings: Settings) -> dict[str, int]:
    """Rebuild; gives the number of rows by table."""
    from airflow.utils.session import create_session

    load_airflow()
    tables = SystemTables(settings)
    store = tables.store
    for name in TABLES:
        mend(store, name)
    store.ensure()
    found, whole = tables.definitions.all()
    tables.defined.sync(found, whole=whole)
    with create_session() as session:
        runs = [tables.whole(session, run) for run in runs_of(session)]
    runs = [run for run in runs if tables.is_ours(run)]
    with store.alone():
        rows = tables.rows_of(runs)
        for name in RUN_TABLES:
            store.replace(name, merged(name, rows[name], store.rows(name), runs))
    tables.write_pipelines(runs)
    tables.read_log()
    return {table.full_name: len(store.rows(table.name, [table.look])) for table in TABLES.values()}


def mend(store: Store, name: str) -> None:
    """Throw a table away that cannot be read; it is made again."""
    if not store.place(name).is_dir():
        return
    try:
        store.rows(name)
    except Exception:  # noqa: BLE001  a broken log or a missing file shows in many ways
        shutil.rmtree(store.place(name))
        store.forget(name)


def merged(name: str, new: Iterable[Row], old: Iterable[Row], runs: Iterable[Whole]) -> list[Row]:
    """The rows of a table after the rebuild: the new ones, and of the old ones those that nothing can make again."""
    from medallion.runs.system_tables.store import Store

    found = {Store.key(name, row): row for row in new}
    starts = {run.run_id: run.snapshot.start for run in runs}
    for row in old:
        key = Store.key(name, row)
        if key not in found and lasting(name, row, starts):
            found[key] = row
    return list(found.values())


def lasting(name: str, row: Row, starts: dict[str, float | None]) -> bool:
    """Whether a row that the rebuild did not make stays."""
    if name == "job_task_run_timeline":
        return row["job_run_id"] not in starts
    if name == "job_run_timeline" and row["run_id"] in starts:
        start = starts[row["run_id"]]
        return start is not None and row["period_end_time"].timestamp() <= start
    return True


if __name__ == "__main__":
    from medallion.settings import Settings

    sys.stdout.write(json.dumps({"rows": rebuild(Settings.load())}) + "\n")

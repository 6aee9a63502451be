"""Old versions of materialized views, put back when their update failed. Runs in the task process.

Spark's engine empties a materialized view before it computes it anew, so a flow that fails would leave it empty. On
Databricks the table keeps what it had. A target of changes is such a view to the engine.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medallion.runtime.pipelines.events import Update
    from medallion.runtime.pipelines.registry import Book


def versions(book: Book, lake: Path) -> dict[str, int]:
    """The versions of the materialized views and targets of changes that exist, by full name."""
    from deltalake import DeltaTable

    views = [name for name, kind in book.kinds.items() if kind == "MATERIALIZED_VIEW"]
    places = {name: lake.joinpath(*name.split(".")) for name in {*views, *book.backing}}
    return {name: DeltaTable(str(place)).version() for name, place in places.items() if (place / "_delta_log").is_dir()}


def put_back(update: Update, before: dict[str, int], lake: Path) -> list[str]:
    """Restore the views whose flow did not complete and that changed; their names."""
    from deltalake import DeltaTable

    done = update.completed_flows()  # a view's flow has its name
    restored = []
    for name, version in before.items():
        table = DeltaTable(str(lake.joinpath(*name.split("."))))
        if name not in done and table.version() > version:
            table.restore(version)
            restored.append(name)
    return restored

"""What the kinds of triggers look at: files, tables, ended runs, the clock. Runs in the triggerer, in threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from medallion.triggers.sources.base import Source
from medallion.triggers.sources.completions import Completions
from medallion.triggers.sources.files import Files
from medallion.triggers.sources.tables import Tables
from medallion.triggers.sources.times import Times

if TYPE_CHECKING:
    from medallion.settings import Settings
    from medallion.triggers.entries import Entry
    from medallion.triggers.store import State, Store

SOURCES: Mapping[str, Callable[[Entry, State | None, Store, str, Settings], Source]] = {
    "file_arrival": Files.make,
    "table_update": Tables.make,
    "job_completion": Completions.make,
    "schedule": Times.make,
    "periodic": Times.make,
}
"""Kind of trigger and how its source is made."""

"""Asks the `sql_condition` of a trigger that is about to fire. Runs in the triggerer, in a thread."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.errors import SettingsError

if TYPE_CHECKING:
    from medallion.settings import Settings
    from medallion.triggers.entries import Entry

log = logging.getLogger(__name__)

CHANGES = "RESULT_VALUE_CHANGES"


def ask(settings: Settings, entry: Entry, before: Any) -> tuple[bool, Any]:
    """Whether to start a run, and the value to compare with the next time.

    :param before: the value of the last time; None for the first, which starts a run.
    :raises SettingsError: there is no text for the query's id.
    :raises SqlError: Spark refuses the query.
    """
    from medallion.components.sql_query import query

    condition = entry.condition or {}
    text = query_text(settings, str(condition["sql_query_id"]))
    answer = query(settings, text, limit=1, say=log.info)
    if condition.get("trigger_mode") == CHANGES:
        cell = answer.rows[0][0] if answer.rows and answer.rows[0] else None
        value = json.dumps(cell, default=str)
        return value != before, value
    return bool(answer.rows), before


def query_text(settings: Settings, query_id: str) -> str:
    """The text of a saved query: the file that `[queries]` names, else `<project>/queries/<id>.sql`."""
    place = settings.queries.get(query_id) or settings.project / "queries" / f"{Path(query_id).name}.sql"
    try:
        return place.read_text(encoding="utf-8")
    except OSError:
        hint = f'save the query\'s text there, or name its file in medallion.toml: [queries] "{query_id}" = "file.sql"'
        raise SettingsError(f"there is no query {query_id}: {place} cannot be read", hint=hint) from None

"""Asks the `sql_condition` of a trigger that is about to fire. Runs in the triggerer, in a thread."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medallion.settings import Settings
    from medallion.triggers.entries import Entry

log = logging.getLogger(__name__)

CHANGES = "RESULT_VALUE_CHANGES"


def ask(settings: Settings, entry: Entry, before: Any) -> tuple[bool, Any]:
    """Whether to start a run, and the value to compare with the next time.

    :param before: the value of the last time; None for the first, which starts a run.
    :raises AlertError: there is no text for the query's id.
    :raises SqlError: Spark refuses the query.
    """
    from medallion.components.sql_query import query
    from medallion.factory.alerts import query_text

    condition = entry.condition or {}
    text = query_text(settings, str(condition["sql_query_id"]))
    answer = query(settings, text, limit=1, say=log.info)
    if condition.get("trigger_mode") == CHANGES:
        cell = answer.rows[0][0] if answer.rows and answer.rows[0] else None
        value = json.dumps(cell, default=str)
        return value != before, value
    return bool(answer.rows), before

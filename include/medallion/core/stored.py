"""JSON values that pass a database's JSON column and come back as they went. Runs on the worker; pure.

SQLite's JSON column makes 12 of 12.0 and a float of a long integer, PostgreSQL's refuses NUL, forgets the order of members
and the sign of -0.0, and the codec on the way to either knows 64 bits. So a value travels as JSON text in an object of one
member. Text that every store can hold travels as it is, which reads better in Airflow's UI.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from medallion.core.text import storable, storable_json

MARK = "lakeflow_json"
"""The one member of an object that holds a value's JSON text."""


def pack(value: Any) -> Any:
    """A JSON value as it is stored.

    :raises ValueError: the value is not JSON: NaN, Infinity, a circle.
    :raises TypeError: the value is not JSON: an object of some class.
    """
    if isinstance(value, str) and storable(value) == value:
        return str(value)
    return {MARK: json.dumps(value, allow_nan=False)}


def pack_odd(value: Any) -> Any:
    """A value of texts as it is stored: packed where a text of it cannot stand in a database."""
    return value if storable_json(value) == value else pack(value)


def unpack(stored: Any) -> Any:
    """The value that `pack` was given; what was stored without it stays as it is."""
    if isinstance(stored, Mapping) and len(stored) == 1 and isinstance(stored.get(MARK), str):
        return json.loads(stored[MARK])
    return stored

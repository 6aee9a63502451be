"""Paths that lead out of /Volumes, /dbfs or /Workspace by `..`, refused before Spark makes them plain. In the task process.

Hadoop works `..` out when it reads a path, and `/Volumes/../x` would be `/x` of this machine.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

from medallion.compute.paths import refuse_outside

FORMATS = ("load", "csv", "json", "parquet", "orc", "text", "xml")
METHODS = {
    "DataFrameReader": FORMATS,
    "DataStreamReader": FORMATS,
    "DataFrameWriter": ("save", "csv", "json", "parquet", "orc", "text", "xml"),
    "DataStreamWriter": ("start",),
}
"""Methods whose first argument is a path, or a list of them."""

PLACE = re.compile(
    r"(?:\.\s*`|\b(?:location|from|list|directory|path)\s+['\"])\s*(/[^`'\"\n]*/\.\.[^`'\"\n]*)", re.IGNORECASE
)
"""A path in a statement: a file as a table, LOCATION, COPY INTO … FROM, LIST."""


def install_refusals() -> None:
    """Look at the paths that readers and writers of pyspark are given."""
    from pyspark.sql import DataFrameReader, DataFrameWriter
    from pyspark.sql.streaming.readwriter import DataStreamReader, DataStreamWriter

    owner: Any
    for owner in (DataFrameReader, DataFrameWriter, DataStreamReader, DataStreamWriter):
        for name in METHODS[owner.__name__]:
            setattr(owner, name, looking(getattr(owner, name)))


def looking(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method that looks at its path first."""

    @functools.wraps(method)
    def looked(self: Any, *args: Any, **kwargs: Any) -> Any:
        given = args[0] if args else kwargs.get("path")
        for path in given if isinstance(given, (list, tuple)) else (given,):
            if isinstance(path, str):
                refuse_outside(path)
        return method(self, *args, **kwargs)

    return looked


def refuse_in_statement(text: str) -> None:
    """Look at the paths of a statement.

    :raises MedallionError: one leads out.
    """
    for found in PLACE.finditer(text):
        refuse_outside(found[1])

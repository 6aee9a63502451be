"""SQL that makes a table of its changes: the newest row of each key, or its history. Runs in the task process; pure.

The result depends on the set of changes alone, never on when one came. So a late change finds its place, and an update
that is run again gives the same. Of two changes with one sequence for one key a delete wins, else one by its content,
always the same.
"""
# ruff: noqa: S608  names are quoted; the rest is ours

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from medallion.core.sql_names import quoted
from medallion.runtime.pipelines.changes import DELETE, END, SEQUENCE, START, TRUNCATE, Columns

TIE, LIFE, NEXT, BEGINS, RUN, ROW, LAST, CUT, CLOSED = (
    f"__{word}" for word in ("TIE", "LIFE", "NEXT", "BEGINS", "RUN", "ROW", "LAST", "CUT", "CLOSED")
)
HIDDEN = (SEQUENCE, DELETE, TRUNCATE, TIE)
ORDER = f"ORDER BY {SEQUENCE}, {DELETE}, {TIE}"


class Steps:
    """Queries, each over the one before."""

    def __init__(self, first: str) -> None:
        self._queries = [first]

    @property
    def last(self) -> str:
        """The name of the newest."""
        return f"step{len(self._queries) - 1}"

    def add(self, query: str) -> None:
        """One more."""
        self._queries.append(query)

    def ending(self, query: str) -> str:
        """The statement of all of them and a last query."""
        steps = ",\n".join(f"step{number} AS ({step})" for number, step in enumerate(self._queries))
        return f"WITH {steps}\n{query}"


class Filling:
    """Fills nulls of changes with the value that the row had, since its last delete.

    :param fields: the columns of the changes, as Spark's JSON of a schema has them.
    :param columns: those to fill.
    """

    def __init__(self, fields: Sequence[Mapping[str, Any]], columns: Columns) -> None:
        self._fields, self._columns = fields, columns

    def add_to(self, steps: Steps, keys: Sequence[str]) -> None:
        """Add the queries that do it."""
        before = f"(PARTITION BY {listed(keys)} {ORDER} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"
        steps.add(f"SELECT *, count_if({DELETE}) OVER {before} AS {LIFE} FROM {steps.last}")
        fixed = {name.lower() for name in (*keys, *HIDDEN)}
        values = []
        for field in self._fields:
            name = str(field["name"])
            fills = name in self._columns and name.lower() not in fixed
            values.append(f"{newest_value(quoted(name), field['type'])} AS {quoted(name)}" if fills else quoted(name))
        life = f"WINDOW life AS (PARTITION BY {listed(keys)}, {LIFE} {ORDER} ROWS UNBOUNDED PRECEDING)"
        steps.add(f"SELECT {', '.join(values)}, {TIE} FROM {steps.last} {life}")


def newest(changes: str, keys: Sequence[str], *, truncates: bool, filling: Filling | None = None) -> str:
    """The newest row of each key, but for deleted ones: SCD type 1.

    :param changes: what stands after FROM: a table with the target's columns and those that tell of the change.
    :param truncates: whether changes may empty the whole table.
    """
    steps = Steps(base(changes))
    if truncates:
        cut = f"SELECT max({SEQUENCE}) FILTER (WHERE {TRUNCATE}) AS {CUT} FROM {steps.last}"
        steps.add(
            f"SELECT * EXCEPT ({CUT}) FROM {steps.last} CROSS JOIN ({cut}) WHERE {CUT} IS NULL OR {SEQUENCE} > {CUT}"
        )
    steps.add(f"SELECT * FROM {steps.last} WHERE NOT {TRUNCATE}")
    if filling is not None:
        filling.add_to(steps, keys)
    steps.add(
        f"SELECT max_by({all_but(HIDDEN)}, struct({SEQUENCE}, {DELETE}, {TIE})) AS {ROW},"
        f" max(struct({SEQUENCE}, {DELETE})) AS {LAST} FROM {steps.last} GROUP BY {listed(keys)}"
    )
    return steps.ending(f"SELECT {ROW}.* FROM {steps.last} WHERE NOT {LAST}.{DELETE}")


def history(changes: str, keys: Sequence[str], tracked: Columns, filling: Filling | None = None) -> str:
    """The rows of each key with the span in which each held: SCD type 2.

    Changes that follow each other and agree in the tracked columns are one row, with the values of the last.

    :param changes: as in `newest`.
    """
    ordered = f"(PARTITION BY {listed(keys)} {ORDER})"
    steps = Steps(base(changes))
    if filling is not None:
        filling.add_to(steps, keys)
    steps.add(f"SELECT *, lead({SEQUENCE}) OVER {ordered} AS {NEXT} FROM {steps.last} WHERE NOT {TRUNCATE}")
    watched = all_but((*HIDDEN, NEXT, *tracked.names)) if tracked.excluded else f"struct({listed(tracked.names)})"
    steps.add(
        f"SELECT *, NOT {DELETE} AND (coalesce(lag({DELETE}) OVER {ordered}, true)"
        f" OR NOT ({watched} <=> lag({watched}) OVER {ordered})) AS {BEGINS}"
        f" FROM {steps.last} WHERE NOT ({NEXT} <=> {SEQUENCE})"
    )
    so_far = f"(PARTITION BY {listed(keys)} {ORDER} ROWS UNBOUNDED PRECEDING)"
    steps.add(f"SELECT *, count_if({BEGINS}) OVER {so_far} AS {RUN} FROM {steps.last}")
    steps.add(
        f"SELECT {listed(keys)}, {RUN}, min({SEQUENCE}) FILTER (WHERE NOT {DELETE}) AS {START},"
        f" min({SEQUENCE}) FILTER (WHERE {DELETE}) AS {CLOSED},"
        f" max_by({all_but((*HIDDEN, NEXT, BEGINS, RUN))}, {SEQUENCE}) FILTER (WHERE NOT {DELETE}) AS {ROW}"
        f" FROM {steps.last} WHERE {RUN} > 0 GROUP BY {listed(keys)}, {RUN}"
    )
    following = f"lead({START}) OVER (PARTITION BY {listed(keys)} ORDER BY {RUN})"
    return steps.ending(f"SELECT {ROW}.*, {START}, coalesce({CLOSED}, {following}) AS {END} FROM {steps.last}")


def base(changes: str) -> str:
    """The changes, with what decides between two of one sequence."""
    return f"SELECT *, xxhash64(CAST(struct(*) AS STRING)) AS {TIE} FROM {changes}"


def newest_value(path: str, kind: Any) -> str:
    """A column's newest value that is not null; of a structure field by field, as Databricks does."""
    last = f"last({path}, true) OVER life"
    if not isinstance(kind, Mapping) or kind.get("type") != "struct" or not kind["fields"]:
        return last
    parts = []
    for field in kind["fields"]:
        name = str(field["name"])
        parts.append(f"{text(name)}, {newest_value(f'{path}.{quoted(name)}', field['type'])}")
    return f"IF({last} IS NULL, NULL, named_struct({', '.join(parts)}))"


def all_but(names: Sequence[str]) -> str:
    """A structure of all columns but some."""
    return f"struct(* EXCEPT ({listed(names)}))"


def listed(names: Sequence[str]) -> str:
    """Names as SQL lists them."""
    return ", ".join(map(quoted, names))


def text(value: str) -> str:
    """A text as SQL writes it."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"

"""Flows of changes, AUTO CDC and APPLY CHANGES: what a pipeline's code asks for. Runs in the task process; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from medallion.errors import MedallionError, UnsupportedError
from medallion.spec.problems import did_you_mean

SEQUENCE, DELETE, TRUNCATE = "__SEQUENCE", "__DELETE", "__TRUNCATE"
"""Columns that the backing table has beside those of the target: a change's place in the order, and what it is."""
START, END = "__START_AT", "__END_AT"
OPTIONS = (
    "ignore_null_updates",
    "ignore_null_updates_column_list",
    "ignore_null_updates_except_column_list",
    "apply_as_deletes",
    "apply_as_truncates",
    "column_list",
    "except_column_list",
    "stored_as_scd_type",
    "track_history_column_list",
    "track_history_except_column_list",
    "name",
    "flow_name",
    "once",
)
SAME = {
    "keys": "keys",
    "scd_type": "stored_as_scd_type",
    "tracked": "track_history_column_list",
    "filled": "ignore_null_updates",
}
"""What all flows into one table must agree on, by field → the option's name."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns that are named, or all but those that are named."""

    names: tuple[str, ...] = ()
    excluded: bool = True

    def __contains__(self, name: object) -> bool:
        """Whether a column is one of them; Spark tells no case apart."""
        return (str(name).lower() in {known.lower() for known in self.names}) != self.excluded


ALL = Columns()


@dataclass(frozen=True, slots=True)
class ChangeFlow:
    """A flow that applies changes to a table.

    :param name: the flow's own name; empty when it has the target's.
    :param source: name of what gives the changes; with `is_query` the text after FROM.
    :param sequence: SQL text or a Column that orders changes; `deletes` and `truncates` tell what they are.
    :param columns: columns of the source that the target has.
    :param tracked: columns whose changes begin a new row of the history.
    :param filled: columns that keep their value where a change has null.
    :param place: where the code asked for it, as Spark wants to know.
    """

    word: str
    target: str
    source: str
    keys: tuple[str, ...]
    sequence: Any
    deletes: Any = None
    truncates: Any = None
    columns: Columns = ALL
    scd_type: int = 1
    tracked: Columns = ALL
    filled: Columns | None = None
    once: bool = False
    name: str = ""
    is_query: bool = False
    place: Any = None

    def __str__(self) -> str:
        """The flow as errors call it."""
        return f"{self.word} into {self.target}"


def change_flow(
    word: str, target: str, source: str, keys: Any, sequence_by: Any, given: Mapping[str, Any], **more: Any
) -> ChangeFlow:
    """The flow of a call, its options checked.

    :param word: the function or statement, for errors.
    :param given: the other options, by their names in Python.
    :param more: `is_query` and `place` of the flow.
    :raises UnsupportedError: an option that there is not.
    :raises MedallionError: options that contradict each other, or a value that cannot be.
    """
    for name in given:
        if name not in OPTIONS:
            near = did_you_mean(name, sorted(OPTIONS))
            raise UnsupportedError(f"{word}: the option {name} is not available here", hint=near)
    for name, value in {"target": target, "source": source}.items():
        if not isinstance(value, str) or not value:
            raise MedallionError(f"{word}: {name} is the name of a dataset, not {value!r}")
    who = f"{word} into {target}"
    if sequence_by is None:
        raise MedallionError(f"{who}: sequence_by is missing", hint="name the column that orders the changes")
    scd_type = scd_type_of(who, given.get("stored_as_scd_type"))
    if scd_type == 2 and given.get("apply_as_truncates") is not None:
        raise MedallionError(
            f"{who}: apply_as_truncates goes with SCD type 1 only", hint="turn a truncate into a delete of each key"
        )
    tracked = selection(who, given, "track_history_column_list", "track_history_except_column_list")
    if scd_type == 1 and tracked is not None:
        raise MedallionError(f"{who}: track_history_column_list goes with SCD type 2 only")
    columns = selection(who, given, "column_list", "except_column_list") or ALL
    names = key_names(who, keys, columns)
    flow_name = given.get("name") or given.get("flow_name")
    return ChangeFlow(
        word=word,
        target=target,
        source=source,
        keys=names,
        sequence=sequence_by,
        deletes=given.get("apply_as_deletes"),
        truncates=given.get("apply_as_truncates"),
        columns=columns,
        scd_type=scd_type,
        tracked=tracked or ALL,
        filled=filled_columns(who, given),
        once=bool(given.get("once")),
        name="" if flow_name in (None, target) else str(flow_name),
        **more,
    )


def scd_type_of(who: str, value: Any) -> int:
    """1 or 2, given as number or text; 1 where nothing is said."""
    found = {"None": 1, "1": 1, "2": 2}.get(str(value))
    if found is None:
        raise MedallionError(f"{who}: stored_as_scd_type is 1 or 2, not {value!r}")
    return found


def key_names(who: str, keys: Any, columns: Columns) -> tuple[str, ...]:
    """The key columns: at least one, and all of them in the target.

    :raises MedallionError: they are not.
    """
    names = column_names(who, "keys", keys)
    if not names:
        raise MedallionError(f"{who}: keys is empty", hint="name the columns that tell rows apart")
    for name in names:
        if name not in columns:
            raise MedallionError(f"{who}: the key {name} must be a column of the target", hint="keep it in column_list")
    return names


def filled_columns(who: str, given: Mapping[str, Any]) -> Columns | None:
    """The columns that keep their value where a change has null; None where none does."""
    some = selection(who, given, "ignore_null_updates_column_list", "ignore_null_updates_except_column_list")
    if some is not None and given.get("ignore_null_updates"):
        raise MedallionError(f"{who}: ignore_null_updates and a list of its columns do not go together")
    return ALL if some is None and given.get("ignore_null_updates") else some


def selection(who: str, given: Mapping[str, Any], include: str, exclude: str) -> Columns | None:
    """Columns by either of two options; None when neither is given.

    :raises MedallionError: both are given, or one is no list of columns.
    """
    named, left_out = given.get(include), given.get(exclude)
    if named is not None and left_out is not None:
        raise MedallionError(f"{who}: {include} and {exclude} do not go together", hint="give one of them")
    if named is not None:
        return Columns(column_names(who, include, named), excluded=False)
    return None if left_out is None else Columns(column_names(who, exclude, left_out))


def column_names(who: str, option: str, given: Any) -> tuple[str, ...]:
    """The names of a list of columns, each given as text or by `col()`.

    :raises MedallionError: it is no list, or one of it is more than a name.
    """
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise MedallionError(f"{who}: {option} is a list of columns, not {given!r}")
    return tuple(column_name(who, option, column) for column in given)


def column_name(who: str, option: str, column: Any) -> str:
    """The plain name of a column."""
    text = column if isinstance(column, str) else getattr(getattr(column, "_expr", None), "_unparsed_identifier", None)
    if not isinstance(text, str) or not text.strip():
        raise MedallionError(f"{who}: {option} takes plain columns, not {column!r}", hint="give names, or col(name)")
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == "`":
        return text[1:-1].replace("``", "`")
    if "." in text:
        raise MedallionError(f"{who}: {option} takes columns without qualifiers, not {text!r}")
    return text


def agree(target: str, flows: list[ChangeFlow]) -> None:
    """Check that several flows into one table fit together.

    :raises MedallionError: they do not; says in what.
    """
    first = flows[0]
    for flow in flows[1:]:
        for name, option in SAME.items():
            if getattr(flow, name) != getattr(first, name):
                raise MedallionError(f"two flows of changes into {target} differ in {option}")
    names = [flow.name for flow in flows]
    for name in names:
        if names.count(name) > 1:
            raise MedallionError(
                f"two flows of changes into {target} are called {name or target}", hint="give each flow a name"
            )

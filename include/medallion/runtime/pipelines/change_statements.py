"""AUTO CDC INTO and APPLY CHANGES INTO, which open Spark's parser knows in part only. Runs in the task process; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from medallion.errors import MedallionError, UnsupportedError
from medallion.runtime.pipelines.changes import ChangeFlow, change_flow
from medallion.runtime.pipelines.words import end_of_name, items, starts
from medallion.runtime.sql_text import Token, closing

STARTS = {("AUTO", "CDC"): "AUTO CDC", ("APPLY", "CHANGES"): "APPLY CHANGES"}
CLAUSES: Mapping[tuple[str, ...], str] = {
    ("FROM",): "source",
    ("KEYS",): "keys",
    ("IGNORE", "NULL", "UPDATES"): "ignore_null_updates",
    ("APPLY", "AS", "DELETE", "WHEN"): "apply_as_deletes",
    ("APPLY", "AS", "TRUNCATE", "WHEN"): "apply_as_truncates",
    ("SEQUENCE", "BY"): "sequence_by",
    ("COLUMNS",): "column_list",
    ("STORED", "AS"): "stored_as_scd_type",
    ("TRACK", "HISTORY", "ON"): "track_history_column_list",
}
"""Words that a clause begins with → its option in Python. A list of columns may say `* EXCEPT` instead."""
NEEDED = frozenset({"source", "keys", "sequence_by"})
EXCEPT = {
    "column_list": "except_column_list",
    "track_history_column_list": "track_history_except_column_list",
    "ignore_null_updates_column_list": "ignore_null_updates_except_column_list",
}
SYNTAX = (
    "AUTO CDC INTO target FROM STREAM source KEYS (…) [APPLY AS DELETE WHEN …] SEQUENCE BY … [STORED AS SCD TYPE 2]"
)


def flow_of(text: str, words: Sequence[Token]) -> ChangeFlow | None:
    """The flow of `CREATE FLOW name AS AUTO CDC INTO …` or of `APPLY CHANGES INTO …`; None for another statement.

    :raises MedallionError: it is one, spelled wrong.
    """
    at, name = 0, ""
    if starts(words, 0, ("CREATE", "FLOW")):
        end = end_of_name(words, 2)
        name = plain(text, words, 2, end)
        if starts(words, end, ("COMMENT",)):
            end += 2
        if not starts(words, end, ("AS",)):
            return None
        at = end + 1
    word = next((word for start, word in STARTS.items() if starts(words, at, start)), None)
    if word is None:
        return None
    at += 2
    once = [index for index in (at, at + 1) if starts(words, index, ("ONCE",))]
    rest = [item for index, item in enumerate(words) if index >= at and index not in once]
    if not starts(rest, 0, ("INTO",)):
        raise MedallionError(f"{word} needs INTO and the name of a streaming table", hint=SYNTAX)
    end = end_of_name(rest, 1)
    target = plain(text, rest, 1, end)
    return from_clauses(f"{word} INTO", text, rest[end:], target, name=name or None, once=bool(once))


def table_flow(text: str, words: Sequence[Token], target: str) -> ChangeFlow:
    """The flow of `CREATE STREAMING TABLE target FLOW AUTO CDC FROM …`, from the words after FLOW AUTO CDC."""
    return from_clauses("FLOW AUTO CDC", text, words, target, name=None, once=False)


def from_clauses(
    word: str, text: str, words: Sequence[Token], target: str, *, name: str | None, once: bool
) -> ChangeFlow:
    """A flow from its clauses.

    :raises UnsupportedError: it reads snapshots.
    :raises MedallionError: a clause is missing, there twice, or spelled wrong.
    """
    parts = clauses(word, text, words)
    if parts.get("source") and parts["source"][0].upper == "SNAPSHOT":
        raise UnsupportedError(f"{word} {target} FROM SNAPSHOT is not available here", hint="give a feed of changes")
    for start, option in CLAUSES.items():
        if option in NEEDED and not parts.get(option):
            raise MedallionError(f"{word} {target}: no {' '.join(start)}", hint=SYNTAX)
    given: dict[str, Any] = {"name": name, "once": once}
    for option, found in parts.items():
        if option in ("apply_as_deletes", "apply_as_truncates"):
            given[option] = spelled(text, found)
        elif option == "stored_as_scd_type":
            given[option] = scd_type(word, text, found)
        elif option == "ignore_null_updates":
            listed = found[1:] if starts(found, 0, ("ON",)) else []
            given |= columns("ignore_null_updates_column_list", text, listed) if listed else {option: True}
        elif option in EXCEPT:
            given |= columns(option, text, found)
    keys = columns("keys", text, parts["keys"])["keys"]
    source, sequence = spelled(text, parts["source"]), spelled(text, parts["sequence_by"])
    return change_flow(word, target, source, keys, sequence, given, is_query=True)


def clauses(word: str, text: str, words: Sequence[Token]) -> dict[str, list[Token]]:
    """The words of each clause, by option.

    :raises MedallionError: a clause is there twice, or words stand before the first.
    """
    found: dict[str, list[Token]] = {}
    at, depth, option = 0, 0, ""
    while at < len(words):
        depth += {"(": 1, ")": -1}.get(words[at].text, 0)
        start = next((start for start in CLAUSES if depth == 0 and starts(words, at, start)), None)
        if start is not None:
            option = CLAUSES[start]
            if option in found:
                raise MedallionError(f"{word}: {' '.join(start)} stands there twice")
            found[option] = []
            at += len(start)
            continue
        if not option:
            raise MedallionError(f"{word}: {words[at].text!r} is not known here", hint=SYNTAX)
        found[option].append(words[at])
        at += 1
    return found


def scd_type(word: str, text: str, words: Sequence[Token]) -> str:
    """`SCD TYPE 1` or `SCD TYPE 2` as its number.

    :raises MedallionError: it is spelled otherwise.
    """
    if starts(words, 0, ("SCD", "TYPE")) and len(words) == 3:
        return words[2].text
    raise MedallionError(f"{word}: after STORED AS comes SCD TYPE 1 or SCD TYPE 2, not {spelled(text, words)!r}")


def columns(option: str, text: str, words: Sequence[Token]) -> dict[str, list[str]]:
    """`(a, b)`, `a, b` or `* EXCEPT (a, b)` as the option that says so.

    :raises MedallionError: the list is spelled otherwise.
    """
    if starts(words, 0, ("*", "EXCEPT")) and option in EXCEPT:
        return columns(EXCEPT[option], text, words[2:])
    if words and words[0].text == "*" and len(words) == 1 and option in EXCEPT:
        return {}
    begin, end = 0, len(words)
    if words and words[0].text == "(":
        begin, end = 1, closing(words, 0)
        if end != len(words) - 1:
            raise MedallionError(
                f"after {spelled(text, words[: end + 1])} comes no {spelled(text, words[end + 1 :])!r}"
            )
    return {option: [spelled(text, words[start:stop]) for start, stop in items(words, begin, end)]}


def plain(text: str, words: Sequence[Token], begin: int, end: int) -> str:
    """A name of one to three parts, as it is spelled."""
    return spelled(text, words[begin:end])


def spelled(text: str, words: Sequence[Token]) -> str:
    """The text that words stand for."""
    return text[words[0].start : words[-1].end] if words else ""

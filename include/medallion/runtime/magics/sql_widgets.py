"""Widgets in SQL cells: CREATE WIDGET, REMOVE WIDGET, getArgument. Runs in the task process.

Grammar: docs.databricks.com, notebooks/widgets (`CREATE WIDGET DROPDOWN name DEFAULT 'a' CHOICES SELECT …`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from medallion.runtime.sql_text import END, StatementError, TokenStream, closing, read_tokens, unquoted

if TYPE_CHECKING:
    from medallion.runtime.dbutils.widgets import Widgets

Query = Callable[[str], Sequence[str]]
SYNTAX = "CREATE WIDGET TEXT|DROPDOWN|COMBOBOX|MULTISELECT name DEFAULT 'value' [CHOICES query]"
WITH_CHOICES = {"DROPDOWN": "dropdown", "COMBOBOX": "combobox", "MULTISELECT": "multiselect"}


def run_widget_statement(widgets: Widgets, text: str, query: Query) -> bool:
    """Carry out a statement on widgets; whether the text is one.

    :param query: gives the first column of a query's rows.
    :raises StatementError: it is written wrongly.
    """
    words = read_tokens(text)
    if words[1].word != "WIDGET" or words[0].word not in {"CREATE", "REMOVE"}:
        return False
    if words[0].word == "REMOVE":
        if words[2].kind not in {"word", "name"} or len(words) != 3:
            raise StatementError("after REMOVE WIDGET comes the name of a widget")
        widgets.remove(words[2].text.strip("`"))
    else:
        create(widgets, text, words, query)
    return True


def create(widgets: Widgets, text: str, words: TokenStream, query: Query) -> None:
    """CREATE WIDGET."""
    kind, name, default = words[2].word, words[3], words[5]
    has_name = name.kind in {"word", "name"} and words[4].word == "DEFAULT"
    if kind not in {"TEXT", *WITH_CHOICES} or not has_name or default.kind not in {"string", "word"}:
        raise StatementError(f"CREATE WIDGET is written otherwise: {text.strip()[:80]}", hint=SYNTAX)
    plain, value = name.text.strip("`"), unquoted(default.text)
    if kind == "TEXT" and words[6].kind == END:
        widgets.text(plain, value)
    elif kind in WITH_CHOICES and words[6].word == "CHOICES" and words[7].kind != END:
        getattr(widgets, WITH_CHOICES[kind])(plain, value, list(query(text[words[7].start :])))
    else:
        raise StatementError(f"a widget of kind {kind} is written otherwise: {text.strip()[:80]}", hint=SYNTAX)


def with_arguments(widgets: Widgets, text: str) -> str:
    """The text with each `getArgument('x')` as the value of the widget or parameter, in quotes.

    :raises InputWidgetNotDefined: there is none of the name.
    """
    if "getargument" not in text.lower():
        return text
    words = read_tokens(text)
    for place in reversed(range(len(words))):
        if words[place].word != "GETARGUMENT" or words[place + 1].text != "(" or words[place + 2].kind != "string":
            continue
        end = closing(words, place + 1)
        given = [unquoted(token.text) for token in words[place + 2 : end] if token.kind == "string"]
        value = widgets.getArgument(*given[:2]).replace("\\", "\\\\").replace("'", "\\'")
        text = f"{text[: words[place].start]}'{value}'{text[words[end].end :]}"
    return text

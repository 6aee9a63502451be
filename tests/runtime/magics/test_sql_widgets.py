"""Widgets that SQL makes, reads and removes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from medallion.errors import MedallionError
from medallion.runtime.dbutils.widgets import Widgets
from medallion.runtime.magics.sql import run_statements


class Session:
    """Keeps what it is asked; a query of choices has three."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []

    def sql(self, text: str, args: dict[str, str] | None = None) -> Any:
        self.asked.append((text, args or {}))
        return SimpleNamespace(columns=[], collect=lambda: [("CA",), ("IL",), (3,)])


def ran(text: str, **parameters: str) -> tuple[Widgets, list[tuple[str, dict[str, str]]]]:
    task: Any = SimpleNamespace(spark=Session(), widgets=Widgets(parameters))
    run_statements(task, text)
    return task.widgets, task.spark.asked


@pytest.mark.parametrize(
    ("text", "values"),
    [
        pytest.param("CREATE WIDGET TEXT day DEFAULT '2026-01-01'", {"day": "2026-01-01"}, id="text"),
        pytest.param('create widget text `a b` default "it\\"s"', {"a b": 'it"s'}, id="quotes"),
        pytest.param("CREATE WIDGET TEXT t DEFAULT ''", {"t": ""}, id="empty"),
        pytest.param(
            "CREATE WIDGET DROPDOWN state DEFAULT 'CA' CHOICES SELECT * FROM (VALUES ('CA'), ('IL'))",
            {"state": "CA"},
            id="dropdown",
        ),
        pytest.param("CREATE WIDGET COMBOBOX c DEFAULT 'other' CHOICES SELECT 1", {"c": "other"}, id="combobox"),
        pytest.param("CREATE WIDGET MULTISELECT m DEFAULT 'IL' CHOICES SELECT 1", {"m": "IL"}, id="multiselect"),
        pytest.param("CREATE WIDGET TEXT a DEFAULT 'x'; REMOVE WIDGET a", {}, id="removed"),
    ],
)
def test_sql_makes_widgets(text: str, values: dict[str, str]) -> None:
    assert ran(text)[0].getAll() == values


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        pytest.param("SELECT getArgument('day')", ("SELECT '2026-01-01'", {}), id="getArgument"),
        pytest.param('SELECT GETARGUMENT( "day" ) AS d', ("SELECT '2026-01-01' AS d", {}), id="any case"),
        pytest.param("SELECT getArgument('no', 'it')", ("SELECT 'it'", {}), id="default"),
        pytest.param("SELECT 'getArgument(1)'", ("SELECT 'getArgument(1)'", {}), id="in a string"),
        pytest.param("SELECT :day", ("SELECT :day", {"day": "2026-01-01"}), id="marker"),
        pytest.param("SELECT '$day'", ("SELECT '2026-01-01'", {}), id="text"),
    ],
)
def test_later_statements_of_the_same_text_read_them(text: str, asked: tuple[str, dict[str, str]]) -> None:
    assert ran(f"CREATE WIDGET TEXT day DEFAULT '2026-01-01'; {text}")[1] == [asked]


def test_a_parameter_of_the_run_counts_over_the_default() -> None:
    assert ran("CREATE WIDGET TEXT day DEFAULT 'x'; SELECT getArgument('day')", day="given")[1] == [
        ("SELECT 'given'", {})
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("CREATE WIDGET TXT a DEFAULT 'x'", "CREATE WIDGET TEXT|DROPDOWN", id="kind"),
        pytest.param("CREATE WIDGET TEXT", "CREATE WIDGET TEXT|DROPDOWN", id="not whole"),
        pytest.param("CREATE WIDGET DROPDOWN a DEFAULT 'x'", "CHOICES", id="no choices"),
        pytest.param("CREATE WIDGET DROPDOWN a DEFAULT 'x' CHOICES SELECT 1", "not among its choices", id="no choice"),
        pytest.param("REMOVE WIDGET", "comes the name", id="no name"),
        pytest.param("REMOVE WIDGET nothing", "no widget named 'nothing'", id="unknown"),
        pytest.param("SELECT getArgument('nothing')", "no input widget named 'nothing'", id="unknown argument"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, said: str) -> None:
    with pytest.raises(MedallionError) as raised:
        ran(f"-- a line\n{text}")
    assert said in str(raised.value)
    assert raised.value.medallion_line == 2  # type: ignore[attr-defined]

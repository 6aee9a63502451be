"""What a run printed, and names that are no UTF-8, do no harm to the terminal that shows them."""

from __future__ import annotations

import json

import pytest
import typer
from rich.table import Table

from medallion.cli.output import assignments, console, print_json

NASTY = "\x1b]0;owned\x07a\rb\x9b2J\udcff\x1b[31mred\x1b[0m"
SAFE = "\\x1b]0;owned"


def test_text_and_tables_are_shown_and_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table()
    table.add_column("name")
    table.add_row(NASTY)
    out = console()
    out.print(NASTY, markup=False)
    out.print(table)
    shown = capsys.readouterr().out
    assert shown.count(SAFE) == 2
    assert not {"\x1b", "\r", "\x9b", "\udcff"} & set(shown)


def test_json_holds_the_text_as_it_was_and_no_control(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": NASTY, "of": "Zażółć 🎉"})
    shown = capsys.readouterr().out
    assert json.loads(shown) == {"name": NASTY, "of": "Zażółć 🎉"}
    assert "Zażółć 🎉" in shown
    assert not {"\x1b", "\r", "\x9b", "\udcff"} & set(shown)


def test_a_parameter_that_is_no_text_is_refused() -> None:
    with pytest.raises(typer.BadParameter, match=r"x=\\udcff is no UTF-8 text"):
        assignments(["x=\udcff"], "--param")

"""Widgets and parameters."""

from __future__ import annotations

import pytest

from medallion.runtime.dbutils.errors import InputWidgetNotDefined, WidgetError
from medallion.runtime.dbutils.widgets import Widgets


def test_a_default_is_the_value_until_the_run_has_a_parameter() -> None:
    widgets = Widgets({"given": "from the run"})
    widgets.text("own", "default")
    widgets.text("given", "default", "A label")
    assert widgets.get("own") == "default"
    assert widgets.get("given") == "from the run"
    assert widgets.getAll() == {"own": "default", "given": "from the run"}


def test_a_parameter_is_readable_without_a_widget() -> None:
    assert Widgets({"day": "1"}).get("day") == "1"


def test_values_are_text() -> None:
    widgets = Widgets({})
    widgets.text("n", 5)  # type: ignore[arg-type]
    assert widgets.get("n") == "5"


def test_a_missing_name_says_what_there_is() -> None:
    widgets = Widgets({"start_date": "x"})
    with pytest.raises(InputWidgetNotDefined, match=r"InputWidgetNotDefined.*did you mean start_date"):
        widgets.get("startdate")
    with pytest.raises(InputWidgetNotDefined, match="no parameters"):
        Widgets({}).get("x")


def test_get_argument_has_a_default() -> None:
    widgets = Widgets({"a": "1"})
    assert widgets.getArgument("a", "2") == "1"
    assert widgets.getArgument("b", "2") == "2"
    with pytest.raises(InputWidgetNotDefined):
        widgets.getArgument("b")


def test_a_dropdowns_default_is_one_of_its_choices() -> None:
    widgets = Widgets({})
    widgets.dropdown("d", "a", ["a", "b"])
    widgets.multiselect("m", "a,b", ["a", "b", "c"])
    widgets.combobox("c", "else", ["a"])
    assert widgets.getAll() == {"d": "a", "m": "a,b", "c": "else"}
    with pytest.raises(WidgetError, match="not among its choices"):
        widgets.dropdown("x", "z", ["a", "b"])


def test_removed_widgets_are_gone_and_parameters_stay() -> None:
    widgets = Widgets({"p": "1"})
    widgets.text("w", "2")
    widgets.remove("w")
    with pytest.raises(WidgetError, match="no widget named 'w'"):
        widgets.remove("w")
    widgets.text("w", "2")
    widgets.removeAll()
    assert widgets.getAll() == {"p": "1"}


def test_help_lists_the_methods(capsys: pytest.CaptureFixture[str]) -> None:
    Widgets({}).help()
    text = capsys.readouterr().out
    assert "getAll" in text
    assert "overlaid" not in text

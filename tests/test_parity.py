"""The parity table covers every field, names real tests, and its page is up to date."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from parity_script import parity


@pytest.fixture
def table(project: Path) -> dict[str, Any]:
    """The table of states."""
    return tomllib.loads((project / "docs" / "parity.toml").read_text(encoding="utf-8"))


def test_every_row_has_a_state_and_every_named_test_exists(table: dict[str, Any]) -> None:
    assert parity.problems(parity.states(table)) == []


def test_the_page_is_up_to_date(table: dict[str, Any], project: Path) -> None:
    written = (project / "docs" / "parity.md").read_text(encoding="utf-8")
    assert written == parity.page(parity.states(table)), "run scripts/parity.py"


def test_every_row_stands_once() -> None:
    paths = [row.path for row in parity.rows()]
    assert len(paths) == len(set(paths)) > 500


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        pytest.param(
            {"works": {"name": "tests/test_parity.py::test_of_nothing"}}, "there is no test", id="no such test"
        ),
        pytest.param({"works": {"name": "tests/nowhere.py::test_a"}}, "there is no test", id="no such file"),
        pytest.param({"works": {"name": "tests/test_parity.py::table"}}, "there is no test", id="no test at all"),
        pytest.param({"ignored": {"nmae": "x"}}, "nmae is no field", id="no such field"),
        pytest.param({"ignored": {"tasks[].nmae*": "x"}}, "is no field", id="nothing below"),
    ],
)
def test_an_entry_that_proves_nothing_is_found(change: dict[str, dict[str, str]], fault: str) -> None:
    table: dict[str, Any] = {"ignored": {"*": "x"}, **change}
    table["ignored"] = {"*": "x", **change.get("ignored", {})}
    assert any(fault in text for text in parity.problems(parity.states(table)))


def test_a_field_that_nothing_covers_is_found() -> None:
    assert "name has no state" in parity.problems(parity.states({"ignored": {"tasks*": "x"}}))


@pytest.mark.parametrize(
    "table",
    [
        pytest.param(
            {"works": {"tasks*": "tests/test_parity.py::test_every_row_stands_once"}}, id="works by a pattern"
        ),
        pytest.param({"planned": {"name": "later"}}, id="another state"),
        pytest.param({"works": {"name": []}}, id="works without a test"),
        pytest.param({"works": {"name": "tests/a.py::test_b"}, "ignored": {"name": "x"}}, id="two states"),
    ],
)
def test_a_table_of_another_form_is_refused(table: dict[str, Any]) -> None:
    with pytest.raises(parity.ParityError):
        parity.states(table)
